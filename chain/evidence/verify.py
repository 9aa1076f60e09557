"""Verifying a document from its bytes alone: no node, no database, no clock, no settings.

What is checked, and in which order, is FORMAT.md section 4; a second verifier must give the same verdict and name.
"""

from dataclasses import dataclass
from typing import Any, Final

from chain.evidence import document
from chain.evidence.claims import NAMED, Known
from chain.evidence.comparing import raw
from chain.evidence.errors import Refused
from chain.evidence.shapes import EVIDENCE, FRAUD, RECEIPT
from chain.evidence.telling import says, subject
from chain.evidence.witness_store import WitnessStore, linked

PROVEN: Final = "proven"
# Everything follows from the block, but of a registry that the reader did not name: anyone can deploy another.
CONSISTENT: Final = "consistent"
SIGNED: Final = "signed"
FRAUDULENT: Final = "fraud"
FINALITY_BROKEN: Final = "finality_broken"
REFUSED: Final = "refused"

# Each history walks all headers: a bundle must not be made to cost an hour.
HISTORIES_MAX: Final = 16


@dataclass(frozen=True, slots=True)
class Proven:
    """A claim that holds: its type, what it is about, by what it is proven, and what it says as (name, value)."""

    type: str
    subject: str
    by: str
    says: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """verdict: proven, consistent, signed, fraud, finality_broken or refused; error: the name of the refusal.

    registry: the address of the PartnerRegistry on which a bundle's claims rest; the verdict is proven where the reader
    named it, else consistent. block and anchor: (number, hash) of the block of state claims and of the last header;
    pinned: the anchor (of a receipt: its block) is the one that the reader trusts. signed_by: the key over the
    document, or None.
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
    registry: str | None = None
    claims: tuple[Proven, ...] = ()


@dataclass(frozen=True, slots=True)
class Trusted:
    """What the reader knows from elsewhere, in lower-case 0x hex: a block's hash, the signer's key, Moa's contracts to
    which nothing leads."""

    pin: str | None = None
    key: str | None = None
    registry: str | None = None
    badges: str | None = None
    governor: str | None = None

    def named(self, name: str) -> str | None:
        """The address that the reader gives a contract of this name."""
        return {"Badges": self.badges, "ProgrammeGovernor": self.governor}[name]


def verify(
    data: bytes,
    *,
    pin: str | None = None,
    key: str | None = None,
    registry: str | None = None,
    badges: str | None = None,
    governor: str | None = None,
) -> Verdict:
    """The verdict on a document. pin: block hash that the reader trusts; key: the signer's public key; registry,
    badges, governor: the addresses of Moa's PartnerRegistry, Badges and ProgrammeGovernor; all 0x hex in lower case."""
    try:
        found = document.read(data)
        return _CHECKS[found["format"]](found, Trusted(pin, key, registry, badges, governor))
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


def _evidence(found: dict[str, Any], trusted: Trusted) -> Verdict:
    body, signer, pin = found["body"], _signer(found, trusted.key), trusted.pin
    if sum(claim["type"] == "history" for claim in body["claims"]) > HISTORIES_MAX:
        raise Refused("TooLarge", f"a bundle has at most {HISTORIES_MAX} histories")
    headers = linked(raw(one) for one in body["headers"])
    anchor = headers[max(headers)]
    if pin is not None and pin != "0x" + anchor.hash.hex():
        raise Refused("PinMismatch", f"the bundle stands on block {anchor.number}, 0x{anchor.hash.hex()}, not on {pin}")
    _check_registry(body["claims"], trusted.registry)
    unnamed = _check_named(body["claims"], trusted)
    store = WitnessStore(headers, (raw(one) for one in body["nodes"]), int(body["block"]))
    known = Known(store)
    proven = tuple(
        Proven(claim["type"], subject(claim), known.check(place, claim), says(claim))
        for place, claim in enumerate(body["claims"])
    )
    known.finish()
    store.finish()
    return Verdict(
        CONSISTENT if trusted.registry is None or unnamed else PROVEN,
        format=EVIDENCE,
        block=(store.block.number, "0x" + store.block.hash.hex()),
        block_time=store.block.time,
        anchor=(anchor.number, "0x" + anchor.hash.hex()),
        pinned=pin is not None,
        signed_by=signer,
        registry=known.registry,
        claims=proven,
    )


def _check_registry(claims: list[dict[str, Any]], registry: str | None) -> None:
    """A bundle of another registry, or of none, is refused before any of it is looked at."""
    if registry is None:
        return
    of = {claim["registry"] for claim in claims if claim["type"] == "modules"}
    if of != {registry}:
        named = ", ".join(sorted(of)) or "none"
        raise Refused("RegistryMismatch", f"the bundle is of the registry {named}, not of {registry}")


def _check_named(claims: list[dict[str, Any]], trusted: Trusted) -> bool:
    """The same of contracts to which no registry leads; whether the bundle names one that the reader did not."""
    unnamed = False
    for claim in claims:
        if claim["type"] == "contract" and claim["name"] in NAMED:
            right = trusted.named(claim["name"])
            unnamed = unnamed or right is None
            if right not in (None, claim["address"]):
                raise Refused("RegistryMismatch", f"{claim['name']} is {claim['address']} here, not {right}")
    return unnamed


def _receipt(found: dict[str, Any], trusted: Trusted) -> Verdict:
    if not found["signed"]:
        raise Refused("SignatureMissing", "a receipt without a signature says nothing")
    body, signer, pin = found["body"], _signer(found, trusted.key), trusted.pin
    block = (int(body["block_number"]), str(body["block_hash"]))
    if pin is not None and pin != block[1]:
        raise Refused("PinMismatch", f"the receipt is of block {block[0]}, {block[1]}, not of {pin}")
    content = tuple((str(one["name"]), str(one["value"])) for one in body["content"])
    said = (Proven("receipt", str(body["subject"]), f"the signature of {signer}", content),)
    return Verdict(SIGNED, format=RECEIPT, block=block, pinned=pin is not None, signed_by=signer, claims=said)


def _fraud(found: dict[str, Any], trusted: Trusted) -> Verdict:
    first, second = found["body"]["receipts"]
    for one in (first, second):
        document.check(one)
        said = _receipt(one, Trusted(key=trusted.key))
    verdict = conflict(first, second)
    about = (Proven("receipts", str(first["body"]["subject"]), "two signatures of one key"),)
    return Verdict(verdict, format=FRAUD, block=said.block, signed_by=said.signed_by, claims=about)


def _signer(found: dict[str, Any], key: str | None) -> str | None:
    signer = str(found["signed"][0]["key"]) if found["signed"] else None
    if key is not None and key != signer:
        raise Refused("KeyMismatch", f"signed by {signer or 'nobody'}, not by {key}")
    return signer


_CHECKS: Final = {EVIDENCE: _evidence, RECEIPT: _receipt, FRAUD: _fraud}
