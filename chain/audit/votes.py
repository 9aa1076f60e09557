"""Votes as the contracts keep them, beside what the events make of them; and the governor's terms, out of its code."""

from typing import Final

from chain.audit.against_storage import Fact, whole
from chain.audit.errors import Stopped
from chain.audit.storage import Storage
from chain.audit.tokens import Contracts
from chain.base.difference import STATE, Difference, Where
from chain.base.hashing import keccak
from chain.base.scalars import Address
from chain.contracts.codec import Codec
from chain.model.proposals import Choice, GovernorTerms
from chain.node.rpc import Rpc
from chain.proofs import hexes, layout
from chain.replay.votes import StatedGovernor

GOVERNOR: Final = "ProgrammeGovernor"
SNAPSHOTS: Final = "Snapshots"


def terms_of(rpc: Rpc, storage: Storage, contracts: Contracts, codec: Codec) -> tuple[str, GovernorTerms | None]:
    """The timelock and the terms of the deployment's governor, or nothing where there is none.

    They are written into its code when it is made (immutable). What the node answers must stand there as whole words,
    and the code must be the one that the pinned block commits to. Raises Stopped.
    """
    if GOVERNOR not in contracts.names.values():
        return "", None
    address, tag = contracts.address(GOVERNOR), hex(storage.block)

    def asked(function: str) -> list[int]:
        data = "0x" + codec.calldata(GOVERNOR, function).hex()
        raw = hexes.to_bytes(rpc.call("eth_call", {"to": address, "data": data}, tag), None, function)
        return [int.from_bytes(raw[at : at + 32]) for at in range(0, len(raw), 32)]

    code = hexes.to_bytes(rpc.call("eth_getCode", address, tag), None, "code")
    terms, timelock = asked("terms"), asked("timelock")
    proven = hexes.shown(storage.account(address).code_hash)
    if hexes.shown(keccak(code)) != proven:
        raise Stopped(_stopped(storage, address, "code", hexes.shown(keccak(code)), proven))
    if len(terms) != len(GovernorTerms.__slots__) or len(timelock) != 1:
        raise Stopped(_stopped(storage, address, "terms of the governor", str(terms), "six terms and a timelock"))
    for word in (*terms, *timelock):
        if word.to_bytes(32) not in code:
            right = "words that stand in the contract's code"
            raise Stopped(_stopped(storage, address, "terms of the governor", str(word), right))
    return hexes.shown(timelock[0].to_bytes(20)), GovernorTerms(*terms)


def facts_of_governor(governor: StatedGovernor) -> list[Fact]:
    """Every proposal's course, both houses' tallies, every vote and voice that counted, and the programme's text."""
    facts = [
        Fact("proposals", _at("proposalCount"), len(governor.snapshots.proposals), ()),
        Fact("programme's text", _at("_textHash"), int(governor.text_hash, 16), ()),
        Fact("programme's text version", _at("_textVersion"), governor.text_version, ()),
    ]
    for each in governor.snapshots.proposals:
        voices = list(each.voices.values())
        course = {
            "actionsHash": int(each.actions_hash, 16),
            "textHash": int(each.text_hash, 16),
            "preparedUntil": each.prepared_until,
            "votedUntil": each.voted_until,
            "readyAt": each.ready_at,
            "voicesFor": voices.count(Choice.FOR),
            "voicesAgainst": voices.count(Choice.AGAINST),
            "vetoed": int(each.vetoed),
            "executed": int(each.executed),
        }
        facts += [
            Fact(f"{name} of a proposal", _at("_courses", each.number, name), right, (each.number,))
            for name, right in course.items()
        ]
        facts += [
            Fact("voice of a brand", _at("_voices", each.number, brand_id), int(brand_id in each.voices),
                 (each.number, brand_id))
            for brand_id in each.electorate
        ]  # fmt: skip
        for brand_id in each.electorate:
            house, key = each.houses.get(brand_id), (each.number, brand_id)
            for choice, name in _POINTS.items():
                right = house.said[choice] if house else 0
                facts.append(Fact(f"{name} of a house", _at("_houses", *key, name), right, key))
        words: dict[tuple[int, int], int] = {}
        for brand_id, chunk, position in each.voted:
            words[brand_id, chunk] = words.get((brand_id, chunk), 0) | 1 << position
        for (brand_id, chunk), bits in sorted(words.items()):
            place = whole(_at("_voted", each.number, brand_id, chunk).slot)
            facts.append(Fact("votes counted", place, bits, (each.number, brand_id, chunk)))
    return facts


def facts_of_snapshots(governor: StatedGovernor) -> list[Fact]:
    """Whose list of each brand was adopted, and its sum."""
    facts = []
    for each in governor.snapshots.proposals:
        for brand_id in each.electorate:
            key = each.number, brand_id
            poster = int(governor.snapshots.adopted.get(key, "0x0"), 16)
            total = each.houses[brand_id].total if brand_id in each.houses else 0
            for name, right in (("poster", poster), ("total", total)):
                at = layout.place(SNAPSHOTS, "_adopted", *key, name)
                facts.append(Fact(f"{name} of an adopted list", at, right, key))
    return facts


_POINTS: Final = {
    Choice.FOR: "pointsFor",
    Choice.AGAINST: "pointsAgainst",
    Choice.ABSTAIN: "pointsAbstaining",
}


def _at(variable: str, *path: int | str) -> layout.Place:
    return layout.place(GOVERNOR, variable, *path)


def _stopped(storage: Storage, address: Address, what: str, said: str, right: str) -> Difference:
    return Difference(
        kind=STATE,
        where=Where(block=storage.block, contract=GOVERNOR, address=address),
        what=what,
        said=said,
        right=right,
        rule="12.22",
        look=f"eth_call of terms() and timelock() of {address} at this block, and eth_getCode.",
    )
