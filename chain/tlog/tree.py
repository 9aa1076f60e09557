"""Roots and proofs of a tree whose perfect subtrees can be looked up; O(log n) looks each.

A node is named by its height and its index from the left: (0, i) is the hash of leaf i, (h, i) covers the 2^h leaves
from i·2^h on. Only nodes that lie wholly inside the tree are ever asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from chain.tlog.hashes import EMPTY_ROOT, node_hash

# Gives the hash of the perfect subtree (height, index).
Nodes = Callable[[int, int], bytes]
SIZE_MAX: Final = 2**63 - 1
HEIGHT_MAX: Final = 63


def root(nodes: Nodes, size: int) -> bytes:
    """The root of the tree's first `size` leaves."""
    assert 0 <= size <= SIZE_MAX, "a tree has a size"
    return EMPTY_ROOT if size == 0 else _range_root(nodes, 0, size)


def inclusion(nodes: Nodes, index: int, size: int) -> list[bytes]:
    """PATH(index, D[size]) of RFC 6962, 2.1.1: from the leaf's sibling up to the root's child."""
    assert 0 <= index < size <= SIZE_MAX, "the leaf is in the tree"
    path: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(_range_root(nodes, middle, high))
            high = middle
        else:
            path.append(_range_root(nodes, low, middle))
            low = middle
    path.reverse()
    return path


def consistency(nodes: Nodes, old: int, size: int) -> list[bytes]:
    """PROOF(old, D[size]) of RFC 6962, 2.1.2; empty when the trees are the same, or the old one has no leaves."""
    assert 0 <= old <= size <= SIZE_MAX, "the old tree is inside the new one"
    path: list[bytes] = []
    if old in (0, size):
        return path
    low, high = 0, size
    whole = True  # whether [low, high) begins where the old tree does, so that its root is known to the reader
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            path.append(_range_root(nodes, middle, high))
            high = middle
        else:
            path.append(_range_root(nodes, low, middle))
            low = middle
            whole = False
    if not whole:
        path.append(_range_root(nodes, low, high))
    path.reverse()
    return path


def naive_root(hashes: Sequence[bytes]) -> bytes:
    """MTH of leaf hashes, word by word as RFC 6962, 2.1 says; every leaf is looked at."""
    if not hashes:
        return EMPTY_ROOT
    if len(hashes) == 1:
        return hashes[0]
    middle = _split(len(hashes))
    return node_hash(naive_root(hashes[:middle]), naive_root(hashes[middle:]))


def _split(size: int) -> int:
    """The largest power of two below size."""
    return 1 << ((size - 1).bit_length() - 1)


def _range_root(nodes: Nodes, low: int, high: int) -> bytes:
    """MTH(D[low:high]) of a range that a split of RFC 6962 gave: its left halves are perfect, so few nodes suffice."""
    lefts: list[bytes] = []
    while True:
        width = high - low
        if width & (width - 1) == 0:
            found = nodes(width.bit_length() - 1, low // width)
            break
        left = _split(width)
        lefts.append(nodes(left.bit_length() - 1, low // left))
        low += left
    for left_hash in reversed(lefts):
        found = node_hash(left_hash, found)
    return found
