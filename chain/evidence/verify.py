"""Verifying a document from its bytes alone: no node, no database, no clock, no settings.

What is checked, and in which order, is FORMAT.md section 4; a second verifier must give the same verdict and name.
"""

from dataclasses import dataclass
from typing import Any, Final

from chain.evidence import document
from chain.evidence.claims import CHECKS, Known, raw
from chain.evidence.errors import Refused
from chain.evidence.shapes import EVIDENCE, FRAUD, RECEIPT
from chain.evidence.witness_store import WitnessStore, linked

PROVEN: Final = "proven"
SIGNED: Final = "signed"
FRAUDULENT: Final = "fraud"
FINALITY_BROKEN: Final = "finality_broken"
REFUSED: Final = "refused"

# Each history walks all headers: a bundle must not be made to cost an hour.
HISTORIES_MAX: Final = 16

# Which keys of a claim say what it is about, for people.
SUBJECTS: Final = (
    "name",
    "address",
    "code_hash",
    "registry",
    "token_implementation",
    "token",
    "account",
    "contract",
    "brand_id",
    "rule_id",
    "version",
    "debtor_id",
    "creditor_id",
)


@dataclass(frozen=True, slots=True)
class Proven:
    """A claim that holds: its type, what it is about, and by what it is proven."""

    type: str
    subject: str
    by: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """verdict: proven, signed, fraud, finality_broken or refused; error: the name of the refusal.

    block and anchor: (number, hash) of the block of state claims and of the last header; pinned: the anchor (of a
    receipt: its block) is the one that the reader trusts. signed_by: the key over the document, or None.
    """

    verdict: str
    format: str | None = None
    error: str | None = None
    detail: str | None = None
    claim: int | None = None
    block: tuple[int, str] | None = None
    block_time: int | None = None
    anchor: tuple[int, str] | None = None
    pinned: bool = False
    signed_by: str | None = None
    claims: tuple[Proven, ...] = ()


def verify(data: bytes, *, pin: str | None = None, key: str | None = None) -> Verdict:
    """The verdict on a document. pin: block hash that the reader trusts; key: the signer's public key, both 0x hex."""
    try:
        found = document.read(data)
        return _CHECKS[found["format"]](found, pin, key)
    except Refused as error:
        return Verdict(REFUSED, error=error.name, detail=error.detail, claim=error.claim)


def conflict(first: dict[str, Any], second: dict[str, Any]) -> str:
    """What two sound receipts prove together: fraud or finality_broken. Raises Refused with NotConflicting.

    Both of one key, about one subject and version. Fraud: the same block hash and other content: there is one content
    for a block, whatever the chain did later. Finality broken: both were called final and the blocks differ, which only
    a gateway that lied or a chain that took back final blocks can make.
    """
    one, other = first["body"], second["body"]
    alike = first["signed"][0]["key"] == second["signed"][0]["key"] and all(
        one[name] == other[name] for name in ("subject", "chain_id")
    )
    if alike and one["version"] == other["version"]:
        if one["block_hash"] == other["block_hash"]:
            if one["content"] != other["content"] or one["block_number"] != other["block_number"]:
                return FRAUDULENT
        elif one["finality"] == other["finality"] == "final":
            return FINALITY_BROKEN
    raise Refused("NotConflicting", "both receipts may be true")


def _evidence(found: dict[str, Any], pin: str | None, key: str | None) -> Verdict:
    body, signer = found["body"], _signer(found, key)
    if sum(claim["type"] == "history" for claim in body["claims"]) > HISTORIES_MAX:
        raise Refused("TooLarge", f"a bundle has at most {HISTORIES_MAX} histories")
    headers = linked(raw(one) for one in body["headers"])
    anchor = headers[max(headers)]
    if pin is not None and pin != "0x" + anchor.hash.hex():
        raise Refused("PinMismatch", f"the bundle stands on block {anchor.number}, 0x{anchor.hash.hex()}, not on {pin}")
    store = WitnessStore(headers, (raw(one) for one in body["nodes"]), int(body["block"]))
    known, proven = Known(store), []
    for index, claim in enumerate(body["claims"]):
        try:
            by = CHECKS[claim["type"]](known, claim)
        except Refused as error:
            raise Refused(error.name, error.detail, index) from None
        proven.append(Proven(claim["type"], subject(claim), by))
    store.finish()
    return Verdict(
        PROVEN,
        format=EVIDENCE,
        block=(store.block.number, "0x" + store.block.hash.hex()),
        block_time=store.block.time,
        anchor=(anchor.number, "0x" + anchor.hash.hex()),
        pinned=pin is not None,
        signed_by=signer,
        claims=tuple(proven),
    )


def _receipt(found: dict[str, Any], pin: str | None, key: str | None) -> Verdict:
    if not found["signed"]:
        raise Refused("SignatureMissing", "a receipt without a signature says nothing")
    body, signer = found["body"], _signer(found, key)
    block = (int(body["block_number"]), str(body["block_hash"]))
    if pin is not None and pin != block[1]:
        raise Refused("PinMismatch", f"the receipt is of block {block[0]}, {block[1]}, not of {pin}")
    said = (Proven("receipt", str(body["subject"]), f"the signature of {signer}"),)
    return Verdict(SIGNED, format=RECEIPT, block=block, pinned=pin is not None, signed_by=signer, claims=said)


def _fraud(found: dict[str, Any], pin: str | None, key: str | None) -> Verdict:
    first, second = found["body"]["receipts"]
    for one in (first, second):
        document.check(one)
        said = _receipt(one, None, key)
    verdict = conflict(first, second)
    about = (Proven("receipts", str(first["body"]["subject"]), "two signatures of one key"),)
    return Verdict(verdict, format=FRAUD, block=said.block, signed_by=said.signed_by, claims=about)


def _signer(found: dict[str, Any], key: str | None) -> str | None:
    signer = str(found["signed"][0]["key"]) if found["signed"] else None
    if key is not None and key != signer:
        raise Refused("KeyMismatch", f"signed by {signer or 'nobody'}, not by {key}")
    return signer


def subject(claim: Any) -> str:
    """What a claim is about, in a few words."""
    if claim["type"] in ("event", "operation", "memo"):
        about = claim["event"] if claim["type"] == "event" else claim
        names = ("event", "address", "brand_id", "operation_id", "block")
        return " ".join(f"{name} {about[name]}" for name in names if name in about)
    return " ".join(f"{name} {claim[name]}" for name in SUBJECTS if name in claim)


_CHECKS: Final = {EVIDENCE: _evidence, RECEIPT: _receipt, FRAUD: _fraud}
