"""Where on the chain that is of which a bundle of a badge or a vote is made, asked of the node.

Nothing here is believed: what is found is proven by the bundle, or the bundle is not made.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from eth_abi import abi
from eth_abi.exceptions import DecodingError

from chain.base.hashing import keccak_text
from chain.contracts.deployment import Deployment
from chain.contracts.snapshots import Snapshot
from chain.evidence import events
from chain.evidence.bundle import FOUND_BLOCKS_PER_ASKING, Place
from chain.evidence.errors import EvidenceMissing, EvidenceTooLarge
from chain.node.rpc import Rpc

# Calls by which one list may have been posted: 4 M accounts.
POSTS_MAX: Final = 1_024
POST: Final = keccak_text("post(uint256,uint256,uint256[],bool)")[:4]
POST_TYPES: Final = ("uint256", "uint256", "uint256[]", "bool")
TOLD_OF_BADGES: Final = ("BadgeGiven", "BadgeWithdrawn", "BadgeRefused")


@dataclass(frozen=True, slots=True)
class Listed:
    """An adopted list: its leaves, and the transactions that posted it and adopted it."""

    leaves: Sequence[int] = ()
    places: Sequence[Place] = ()


class Finder:
    """Asks one node for events of a deployment, up to a block."""

    def __init__(self, rpc: Rpc, deployment: Deployment, last: int):
        self._rpc, self._deployment, self._last = rpc, deployment, last

    def adopted(self, proposal_id: int, brand_id: int) -> Listed:
        """The list by which the members of a brand vote; an empty one while none is adopted.

        Raises EvidenceMissing where its leaves are in no transaction (a contract posted it).
        """
        ids = [word(proposal_id), word(brand_id)]
        adoptions = list(self._logs("Snapshots", ["SnapshotAdopted"], ids))
        if not adoptions:
            return Listed()
        poster = adoptions[-1]["topics"][3]
        posts = list(self._logs("Snapshots", ["SnapshotPosted"], [*ids, poster]))
        if len(posts) > POSTS_MAX:
            raise EvidenceTooLarge("calls that post a list", len(posts), POSTS_MAX)
        leaves: list[int] = []
        for log in posts:
            leaves += self._leaves(log)
        return Listed(leaves, tuple(dict.fromkeys(place(log) for log in [*posts, adoptions[-1]])))

    def cast(self, proposal_id: int, brand_id: int, member: str) -> list[Place]:
        """The transaction in which a member's vote was cast; none while it was not."""
        topics = [word(proposal_id), word(brand_id), word(int(member, 16))]
        return [place(log) for log in self._logs("ProgrammeGovernor", ["VoteCast"], topics)][-1:]

    def badge(self, brand_id: int, definition_id: int, member: str) -> Place | None:
        """The last transaction that did anything with a member's badge of this definition."""
        topics = [word(brand_id), None, word(int(member, 16))]
        found = None
        for log in self._logs("Badges", TOLD_OF_BADGES, topics):
            # The definition is the first word of each of these events' data.
            if int(log["data"][2:66], 16) == definition_id:
                found = place(log)
        return found

    def _leaves(self, log: dict[str, Any]) -> list[int]:
        """The leaves that a call posted: those of its transaction, if they have the roots that were told."""
        told = self._deployment.codec.log(log, "Snapshots")
        assert told is not None, "it was asked for by its topic"
        sent = self._rpc.call("eth_getTransactionByHash", log["transactionHash"]) or {}
        data = bytes.fromhex((sent.get("input") or sent.get("data") or "0x")[2:])
        missing = EvidenceMissing(f"The leaves of the list are not in transaction {log['transactionHash']}.")
        if data[:4] != POST:
            raise missing
        try:
            _, _, leaves, _ = abi.decode(POST_TYPES, data[4:])
        except (DecodingError, OverflowError, ValueError) as error:
            raise missing from error
        roots = ["0x" + root.hex() for root in Snapshot(leaves).roots]
        if not leaves or roots != list(told.args["roots"]):
            raise missing
        return list(leaves)

    def _logs(self, contract: str, names: Sequence[str], topics: Sequence[str | None]) -> Iterator[dict[str, Any]]:
        """Events of a contract by name and topics, oldest first."""
        asked = {
            "address": self._deployment.address(contract),
            "topics": [["0x" + events.TOPICS[name].hex() for name in names], *topics],
        }
        for first in range(self._deployment.start_block, self._last + 1, FOUND_BLOCKS_PER_ASKING):
            end = min(self._last, first + FOUND_BLOCKS_PER_ASKING - 1)
            yield from self._rpc.call("eth_getLogs", {**asked, "fromBlock": hex(first), "toBlock": hex(end)})


def place(log: dict[str, Any]) -> Place:
    """Where a log is."""
    return Place(int(log["blockNumber"], 16), log["transactionHash"])


def word(number: int) -> str:
    """A number as a topic."""
    return f"0x{number:064x}"


__all__ = ["Finder", "Listed"]
