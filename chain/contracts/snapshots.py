"""Lists of balances by which members vote (SPEC 18.7): leaves, chunks, siblings, and what contradicts one of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chain.model.chunks import CHUNK_LEAVES, CHUNK_LEVELS, POINTS_AT, leaf, levels, points_of, root_of
from chain.proofs import headers

__all__ = ["CHUNK_LEAVES", "Snapshot", "leaf", "root_of", "state_proof"]


@dataclass(frozen=True)
class Snapshot:
    """All accounts with points, by address."""

    leaves: Sequence[int]

    @classmethod
    def of(cls, balances: Mapping[str, int]) -> "Snapshot":
        """The list of these balances; accounts without points are not in it."""
        return cls(sorted(leaf(account, points) for account, points in balances.items() if points))

    @property
    def total(self) -> int:
        """The sum of all points."""
        return sum(map(points_of, self.leaves))

    @cached_property
    def roots(self) -> list[bytes]:
        """The root of each chunk."""
        return [self._tree(chunk)[-1][0] for chunk in range(-(-len(self.leaves) // CHUNK_LEAVES))]

    def place_of(self, account: str) -> tuple[int, int]:
        """Chunk and position of an account. Raises KeyError for one without points."""
        number = int(account, 16)
        for index, each in enumerate(self.leaves):
            if each >> POINTS_AT == number:
                return divmod(index, CHUNK_LEAVES)
        raise KeyError(account)

    def leaf_at(self, chunk: int, position: int) -> int:
        """The leaf at a place; 0 where the last chunk is filled up."""
        index = chunk * CHUNK_LEAVES + position
        return self.leaves[index] if index < len(self.leaves) else 0

    def siblings(self, chunk: int, position: int) -> list[bytes]:
        """From the leaf up to the chunk's root."""
        tree = self._tree(chunk)
        return [tree[level][(position >> level) ^ 1] for level in range(CHUNK_LEVELS)]

    def _tree(self, chunk: int) -> list[list[bytes]]:
        return levels(self.leaves[chunk * CHUNK_LEAVES : (chunk + 1) * CHUNK_LEAVES])


def state_proof(block: Mapping[str, Any], answer: Mapping[str, Any]) -> tuple[bytes, list[bytes], list[list[bytes]]]:
    """A contradiction's proof, in the contract's shape: the block as `eth_getBlockByHash` tells it, and what
    `eth_getProof` answers of the token and four slots at that block."""

    def plain(nodes: Sequence[str]) -> list[bytes]:
        return [bytes.fromhex(node[2:]) for node in nodes]

    words = [plain(slot["proof"]) for slot in answer["storageProof"]]
    return headers.encode(block), plain(answer["accountProof"]), words
