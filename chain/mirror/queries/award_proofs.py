"""What a return brings to the contract of the award that it takes back: the award's words and a proof (SPEC 2.20).

Rebuilt from the events of the award's transaction, its block's time and the rule's own version.
"""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from chain.base.scalars import RegistryId
from chain.mirror.queries import events, programmes
from chain.model import tree
from chain.storage.looks import Look, document

# More than a transaction of the largest batch has: a LotNamed, and four for each of 250 awards to debtors.
EVENTS_MAX: Final = 4_000

_OF_TRANSACTION: Final = (
    "SELECT name, args FROM ledger_event WHERE block_number = ? AND tx_hash = ? ORDER BY log_index LIMIT ?"
)
_TIME: Final = "SELECT time FROM mirror_block WHERE number = ?"


# Block number, log index, block hash.
Place = tuple[int, int, str]


class AwardProof(NamedTuple):
    """The four words of an award, and the neighbours from its leaf to the root that the contract keeps."""

    words: tuple[int, int, int, int]
    proof: list[bytes]


@dataclass(frozen=True)
class _Terms:
    """A rule's terms as a leaf tells them."""

    numerator: int
    denominator: int
    cap_per_award: int
    cap_per_member_day: int
    notice_s: int
    kind: int
    rounding: int
    return_window_s: int
    shortfall: int
    day_start: int


@dataclass(frozen=True)
class _Asked:
    operation_id: int
    rule_id: int
    member: str
    base_amount: int


@dataclass(frozen=True)
class _Award:
    item: _Asked
    terms: _Terms
    version: int
    points: int
    expiry: int
    at: int
    place: int


def is_there(look: Look, *, brand: RegistryId, award: str, place: Place) -> bool:
    """Whether the mirror has the award (its operation id) at this place of the chain."""
    block_number, log_index, block_hash = place
    found = events.at(look, block_number=block_number, log_index=log_index)
    return (
        found is not None
        and found.block_hash == block_hash
        and found.name == "Awarded"
        and (found.args["brandId"], found.args["operationId"]) == (str(brand), award)
    )


def award_proof(look: Look, *, brand: RegistryId, award: str, place: Place, tx_hash: str) -> AwardProof | None:
    """The proof of an award that the mirror has; None where it is one that never comes back (SPEC 2.19)."""
    block_number, _, _ = place
    time = look.row(_TIME, block_number)
    assert time is not None, "a block of which there are events is known"
    given: list[dict[str, Any]] = []
    found: AwardProof | None = None
    committed: list[dict[str, Any]] | None = None
    for name, kept in look.rows(_OF_TRANSACTION, block_number, tx_hash, EVENTS_MAX):
        args = document(kept)
        if name == "Awarded" and args["brandId"] == str(brand):
            given.append(args)
        elif name == "AwardsCommitted" and args["brandId"] == str(brand):
            # All awards of one call come before its root, its root before the lot that its points went to.
            committed, given = given, []
        elif name == "LotNamed" and committed is not None:
            found = _proof(look, brand, award, committed, expiry=int(args["expiryEpoch"]), at=int(time[0])) or found
            committed = None
    return found


def _proof(
    look: Look, brand: RegistryId, award: str, given: list[dict[str, Any]], *, expiry: int, at: int
) -> AwardProof | None:
    versions: dict[tuple[str, str], _Terms] = {}
    leaves: list[_Award] = []
    for args in given:
        cited = args["ruleId"], args["version"]
        if cited not in versions:
            versions[cited] = _terms(look, brand, *cited)
        terms, points = versions[cited], int(args["points"])
        if points and terms.return_window_s:
            item = _Asked(int(args["operationId"]), int(args["ruleId"]), args["member"], int(args["baseAmount"]))
            leaves.append(_Award(item, terms, int(args["version"]), points, expiry, at, len(leaves)))
    wanted = next((one for one in leaves if one.item.operation_id == int(award)), None)
    if wanted is None:
        return None
    return AwardProof(tree.words(wanted), tree.proof([tree.leaf(one) for one in leaves], wanted.place))


def _terms(look: Look, brand: RegistryId, rule_id: str, version: str) -> _Terms:
    told = programmes.terms(look, brand=brand, rule_id=rule_id, version=int(version))
    assert told is not None, "an award cites a version that was announced before it"
    return _Terms(
        numerator=int(told["numerator"]),
        denominator=int(told["denominator"]),
        cap_per_award=int(told["capPerAward"]),
        cap_per_member_day=int(told["capPerMemberDay"]),
        notice_s=int(told["noticeSeconds"]),
        kind=int(told["kind"]),
        rounding=int(told["rounding"]),
        return_window_s=int(told["returnWindow"]),
        shortfall=int(told["shortfall"]),
        day_start=int(told["dayStart"]),
    )
