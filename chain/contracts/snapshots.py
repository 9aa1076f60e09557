"""Lists of balances by which members vote (SPEC 18.7): leaves, chunks, siblings, and what contradicts one of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from chain.base.hashing import keccak
from chain.proofs import headers

CHUNK_LEAVES: Final = 256
CHUNK_LEVELS: Final = 8
POINTS_AT: Final = 96
WORD: Final = 32


def leaf(account: str, points: int) -> int:
    """An account (0x text) with its points."""
    return int(account, 16) << POINTS_AT | points


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
        return sum(each & (1 << POINTS_AT) - 1 for each in self.leaves)

    @cached_property
    def roots(self) -> list[bytes]:
        """The root of each chunk."""
        return [self._levels(chunk)[-1][0] for chunk in range(-(-len(self.leaves) // CHUNK_LEAVES))]

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
        levels = self._levels(chunk)
        return [levels[level][(position >> level) ^ 1] for level in range(CHUNK_LEVELS)]

    def _levels(self, chunk: int) -> list[list[bytes]]:
        levels = [[self.leaf_at(chunk, position).to_bytes(WORD) for position in range(CHUNK_LEAVES)]]
        for _ in range(CHUNK_LEVELS):
            below = levels[-1]
            levels.append([keccak(below[at] + below[at + 1]) for at in range(0, len(below), 2)])
        return levels


def root_of(leaf_: int, position: int, siblings: Sequence[bytes]) -> bytes:
    """The root that a leaf at a position and its siblings lead to."""
    node = leaf_.to_bytes(WORD)
    for level, sibling in enumerate(siblings):
        node = keccak(sibling + node if position >> level & 1 else node + sibling)
    return node


def state_proof(block: Mapping[str, Any], answer: Mapping[str, Any]) -> tuple[bytes, list[bytes], list[list[bytes]]]:
    """A contradiction's proof, in the contract's shape: the block as `eth_getBlockByHash` tells it, and what
    `eth_getProof` answers of the token and four slots at that block."""

    def plain(nodes: Sequence[str]) -> list[bytes]:
        return [bytes.fromhex(node[2:]) for node in nodes]

    words = [plain(slot["proof"]) for slot in answer["storageProof"]]
    return headers.encode(block), plain(answer["accountProof"]), words
