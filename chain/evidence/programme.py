"""Claims of badges and votes: FORMAT.md section 5. The reader names Badges and ProgrammeGovernor, as the registry."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from chain.base.hashing import keccak
from chain.evidence.comparing import address_of, bits, number, raw, same, slot
from chain.evidence.errors import Refused
from chain.evidence.witness_store import WitnessStore

Claim = Mapping[str, Any]
KINDS: Final = ("tier", "mission", "achievement")
LEAVES: Final = 256
POINTS_AT: Final = 96
# Of a house's word: from which bit each has 64.
SAID: Final = ((0, "points_for"), (64, "points_against"), (128, "points_abstaining"))


class Known(Protocol):
    """What these claims ask of the claims before."""

    store: WitnessStore

    def contract(self, address: str, *names: str) -> bytes:
        """A contract that is led to."""

    def word(self, address: str, slot: int) -> int:
        """A word of storage."""


def badge(known: Known, claim: Claim) -> str:
    """A definition, and whether the member has a badge of it and it is live at the block."""
    address = claim["contract"]
    known.contract(address, "Badges")
    brand_id, definition_id = number(claim["brand_id"]), number(claim["definition_id"])
    # A token's id is made of all three: a number too large would name another's badge.
    if brand_id >> 64 or definition_id >> 32:
        raise Refused("ClaimFalse", f"there is no definition {definition_id} of brand {brand_id}")
    first = slot(7, brand_id, definition_id)
    metadata, definition = known.word(address, first), known.word(address, (first + 1) % 2**256)
    if bits(definition, 32, 40) == 0:
        raise Refused("ClaimFalse", "there is no such definition")
    same("metadata_hash", int(claim["metadata_hash"], 16), metadata)
    same("kind", KINDS.index(claim["kind"]), bits(definition, 0, 8))
    same("level", number(claim["level"]), bits(definition, 16, 8))
    token = brand_id << 192 | definition_id << 160 | int(claim["member"], 16)
    owner, term = known.word(address, slot(2, token)), known.word(address, slot(10, token))
    held = bits(owner, 0, 160) != 0
    same("held", claim["held"], "yes" if held else "no")
    if held:
        same("member", claim["member"], address_of(owner))
    given_at, until = bits(term, 0, 40), bits(term, 40, 40)
    same("given_at", number(claim["given_at"]), given_at)
    same("valid_until", claim["valid_until"], "never" if held and until == 0 else str(until))
    live = held and (until == 0 or known.store.block.time < until)
    same("live", claim["live"], "yes" if live else "no")
    return "storage proofs of its definition, its owner and its term"


def list_(known: Known, claim: Claim) -> str:
    """A list of balances as one poster posted it."""
    address = claim["contract"]
    known.contract(address, "Snapshots")
    first = slot(0, key_of(claim))
    posted, more = known.word(address, first), known.word(address, (first + 1) % 2**256)
    same("total", number(claim["total"]), bits(posted, 160, 56))
    same("completed_at", number(claim["completed_at"]), bits(posted, 216, 40))
    same("chunks", number(claim["chunks"]), bits(more, 0, 32))
    same("accounts", number(claim["accounts"]), bits(more, 32, 48))
    same("contradicted", claim["contradicted"], "yes" if bits(more, 80, 8) else "no")
    return "storage proofs of the list"


def tally(known: Known, claim: Claim) -> str:
    """What the members of a brand said to a proposal, and by which list."""
    address = claim["contract"]
    known.contract(address, "ProgrammeGovernor")
    ids = number(claim["proposal_id"]), number(claim["brand_id"])
    house = known.word(address, slot(6, *ids))
    for at, name in SAID:
        same(name, number(claim[name]), bits(house, at, 64))
    adopted = _adopted(known, claim)
    same("total", number(claim["total"]), bits(adopted, 160, 56))
    return "storage proofs of the house and of the adopted list"


def vote(known: Known, claim: Claim) -> str:
    """A member's place in the adopted list, and whether the vote there has counted."""
    address = claim["contract"]
    known.contract(address, "ProgrammeGovernor")
    ids = number(claim["proposal_id"]), number(claim["brand_id"])
    chunk, position, points = number(claim["chunk"]), number(claim["position"]), number(claim["points"])
    _adopted(known, claim)
    if position >= LEAVES or points == 0 or points >> POINTS_AT:
        raise Refused("ClaimFalse", f"there is no leaf {position} of {points} points")
    node = (int(claim["member"], 16) << POINTS_AT | points).to_bytes(32)
    for level, one in enumerate(claim["path"]):
        node = keccak(raw(one) + node if position >> level & 1 else node + raw(one))
    root = known.word(claim["snapshots"], slot(1, key_of(claim), chunk))
    same("the chunk's root", "0x" + node.hex(), f"0x{root:064x}")
    same("counted", claim["counted"], "yes" if known.word(address, slot(7, *ids, chunk)) >> position & 1 else "no")
    return "storage proofs of the adopted list, its chunk and the votes that counted"


def _adopted(known: Known, claim: Claim) -> int:
    known.contract(claim["snapshots"], "Snapshots")
    same("snapshots", claim["snapshots"], made_by(claim["contract"]))
    ids = number(claim["proposal_id"]), number(claim["brand_id"])
    word = known.word(claim["snapshots"], slot(2, *ids))
    same("poster", claim["poster"], address_of(word))
    return word


def key_of(claim: Claim) -> bytes:
    """Of a poster's list: keccak of proposal, brand and poster as words."""
    ids = number(claim["proposal_id"]).to_bytes(32) + number(claim["brand_id"]).to_bytes(32)
    return keccak(ids + raw(claim["poster"]).rjust(32, b"\0"))


def made_by(governor: str) -> str:
    """The address of the second contract that a governor makes, behind its reader of signatures: its Snapshots."""
    return "0x" + keccak(b"\xd6\x94" + raw(governor) + b"\x02")[12:].hex()
