"""A chunk of a list of balances (SPEC 18.7): 256 leaves under one root, each at its own place."""

from collections.abc import Sequence
from typing import Final

from eth_utils.crypto import keccak

CHUNK_LEAVES: Final = 256
CHUNK_LEVELS: Final = 8
POINTS_AT: Final = 96
WORD: Final = 32


def leaf(account: str, points: int) -> int:
    """An account (0x text) with its points."""
    return int(account, 16) << POINTS_AT | points


def account_of(leaf_: int) -> str:
    """Whose leaf it is."""
    return f"0x{leaf_ >> POINTS_AT & (1 << 160) - 1:040x}"


def points_of(leaf_: int) -> int:
    """How many points it tells."""
    return leaf_ & (1 << POINTS_AT) - 1


def levels(leaves: Sequence[int]) -> list[list[bytes]]:
    """The tree of at most 256 leaves, from the leaves up to the root; what is missing is 0."""
    filled = [*leaves, *[0] * (CHUNK_LEAVES - len(leaves))]
    found = [[each.to_bytes(WORD) for each in filled]]
    for _ in range(CHUNK_LEVELS):
        below = found[-1]
        found.append([keccak(below[at] + below[at + 1]) for at in range(0, len(below), 2)])
    return found


def roots(leaves: Sequence[int]) -> list[bytes]:
    """The root of each chunk."""
    return [levels(leaves[first : first + CHUNK_LEAVES])[-1][0] for first in range(0, len(leaves), CHUNK_LEAVES)]


def root_of(leaf_: int, position: int, siblings: Sequence[bytes]) -> bytes:
    """The root that a leaf at a position and its siblings lead to."""
    node = leaf_.to_bytes(WORD)
    for level, sibling in enumerate(siblings):
        node = keccak(sibling + node if position >> level & 1 else node + sibling)
    return node


def holds(root: bytes, position: int, leaf_: int, siblings: Sequence[bytes]) -> bool:
    """Whether the leaf lies there. What fills up a last chunk is nobody's leaf."""
    return position < CHUNK_LEAVES and leaf_ != 0 and root_of(leaf_, position, siblings) == root
