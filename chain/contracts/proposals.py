"""Proposals as the governor tells them in one block: their state, both houses, and the lists of balances posted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chain.base.errors import AnswerInconsistent
from chain.base.hashing import keccak_text
from chain.base.scalars import Address, BlockHash, RegistryId
from chain.contracts.codec import signature
from chain.contracts.deployment import Deployment
from chain.node.rpc import Rpc

GOVERNOR: Final = "ProgrammeGovernor"
SNAPSHOTS: Final = "Snapshots"
STATES: Final = ("none", "open", "agreed", "refused", "queued", "executed", "vetoed", "stale")
CALLS_AT_ONCE: Final = 100
# Anybody may post lists, for nothing but gas: the first so many of a proposal are told, the adopted one always.
LISTS_MAX: Final = 64
NOBODY: Final = "0x" + "00" * 20


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposal. brands: those that are asked."""

    number: int
    state: str
    block_number: int
    actions_hash: str
    text_hash: str
    prepared_until: int
    voted_until: int
    brands: tuple[RegistryId, ...]
    voices_for: int
    voices_against: int
    members_agree: bool
    brands_agree: bool


@dataclass(frozen=True, slots=True)
class Tally:
    """What a brand's members said. poster: whose list they vote by; None: none is adopted, and nobody votes."""

    brand: RegistryId
    poster: Address | None
    total: int
    points_for: int
    points_against: int
    points_abstaining: int


@dataclass(frozen=True, slots=True)
class PostedList:
    """A list of balances. challenge_until: until when it may be contradicted; None while chunks are still to come."""

    brand: RegistryId
    poster: Address
    accounts: int
    total: int
    challenge_until: int | None
    contradicted: bool
    adopted: bool


@dataclass(frozen=True, slots=True)
class Block:
    """In which block all of it is so."""

    number: int
    hash: BlockHash
    time: int


class Reading:
    """Questions about proposals, all of one block."""

    def __init__(self, rpc: Rpc, deployment: Deployment):
        self._rpc, self._deployment = rpc, deployment
        newest = rpc.call("eth_getBlockByNumber", "latest", False)
        self._place = str(newest["number"])
        self.block = Block(int(self._place, 16), BlockHash(newest["hash"]), int(str(newest["timestamp"]), 16))

    def count(self) -> int:
        """How many proposals there are; ids run from 1 to this."""
        if GOVERNOR not in self._deployment.contracts:
            return 0
        return int(self._one(GOVERNOR, "proposalCount"))

    def proposals(self, numbers: Sequence[int]) -> list[Proposal]:
        """Raises Reverted with ProposalUnknown."""
        shown = self._many(GOVERNOR, "proposalOf", [(number,) for number in numbers])
        said = self._many(GOVERNOR, "outcomeOf", [(number,) for number in numbers])
        return [_proposal(*each) for each in zip(numbers, shown, said, strict=True)]

    def tallies(self, proposal: Proposal) -> list[Tally]:
        """Of each brand that is asked."""
        asked = [(proposal.number, brand) for brand in proposal.brands]
        found = self._many(GOVERNOR, "tallyOf", asked)
        return [
            Tally(
                brand=brand,
                poster=None if told["poster"] == NOBODY else Address(told["poster"]),
                total=int(told["total"]),
                points_for=int(told["pointsFor"]),
                points_against=int(told["pointsAgainst"]),
                points_abstaining=int(told["pointsAbstaining"]),
            )
            for brand, told in zip(proposal.brands, found, strict=True)
        ]

    def lists(self, proposal: Proposal, tallies: Sequence[Tally]) -> list[PostedList]:
        """The lists that were posted for a proposal, and how long each may still be contradicted."""
        adopted = [(one.brand, one.poster) for one in tallies if one.poster is not None]
        posted = [found for found in self._posted(proposal) if found not in adopted]
        where = [*adopted, *posted[: max(0, LISTS_MAX - len(adopted))]]
        challenge_s = int(self._one(GOVERNOR, "terms")["challengeSeconds"]) if where else 0
        told = self._many(SNAPSHOTS, "snapshotOf", [(proposal.number, *each) for each in where])
        return [
            PostedList(
                brand=brand,
                poster=poster,
                accounts=int(one["accounts"]),
                total=int(one["total"]),
                challenge_until=int(one["completedAt"]) + challenge_s if int(one["completedAt"]) else None,
                contradicted=bool(one["contradicted"]),
                adopted=(brand, poster) in adopted,
            )
            for (brand, poster), one in zip(where, told, strict=True)
        ]

    def _posted(self, proposal: Proposal) -> list[tuple[RegistryId, Address]]:
        codec = self._deployment.codec
        event = next(item for item in codec.abis[SNAPSHOTS] if item.get("name") == "SnapshotPosted")
        topics = ["0x" + keccak_text(signature(event)).hex(), f"0x{proposal.number:064x}"]
        asked = {
            "address": self._deployment.address(SNAPSHOTS),
            "topics": topics,
            "fromBlock": hex(proposal.block_number),
            "toBlock": self._place,
        }
        logs = [codec.log(raw, SNAPSHOTS) for raw in self._rpc.call("eth_getLogs", asked)]
        places = [
            (RegistryId(int(log.args["brandId"])), Address(log.args["poster"])) for log in logs if log is not None
        ]
        return list(dict.fromkeys(places))

    def _one(self, contract: str, function: str) -> Any:
        return self._many(contract, function, [()])[0]

    def _many(self, contract: str, function: str, asked: Sequence[tuple[object, ...]]) -> list[Any]:
        deployment, found = self._deployment, []
        where = deployment.address(contract)
        for first in range(0, len(asked), CALLS_AT_ONCE):
            calls = [
                ("eth_call", [{"to": where, "data": "0x" + data.hex()}, self._place])
                for data in (
                    deployment.codec.calldata(contract, function, *values)
                    for values in asked[first : first + CALLS_AT_ONCE]
                )
            ]
            found += [deployment.codec.result(contract, function, answer) for answer in self._rpc.batch(calls)]
        return found


def _proposal(number: int, told: Mapping[str, Any], said: Sequence[Any]) -> Proposal:
    first, second = int(told["firstBrandId"]), int(told["secondBrandId"])
    asked = [one for one in (first, second) if one] if first else range(1, int(told["brandCount"]) + 1)
    try:
        state = STATES[int(told["state"])]
    except IndexError as error:
        raise AnswerInconsistent(f"The node tells a state that there is not: {told}") from error
    return Proposal(
        number=number,
        state=state,
        block_number=int(told["blockNumber"]),
        actions_hash=told["actionsHash"],
        text_hash=told["textHash"],
        prepared_until=int(told["preparedUntil"]),
        voted_until=int(told["votedUntil"]),
        brands=tuple(RegistryId(one) for one in asked),
        voices_for=int(told["voicesFor"]),
        voices_against=int(told["voicesAgainst"]),
        members_agree=bool(said[0]),
        brands_agree=bool(said[1]),
    )
