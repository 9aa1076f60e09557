"""Memos: salted fields under a Merkle root for each operation, the operations of a transaction under one root.

The transaction carries that root behind its arguments, where the contract does not look: FORMAT.md section 7.
Whoever has a field, its salt and its path shows that field and no other; without the salt the root says nothing.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chain.base.hashing import keccak, keccak_text

SALT_BYTES: Final = 32
FIELDS_MAX: Final = 64
EMPTY: Final = bytes(32)
MARKER: Final = keccak_text("moa.memo/1")
SUFFIX_BYTES: Final = 64


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a memo; the salt is 32 random bytes of its own."""

    name: str
    value: str
    salt: bytes

    def leaf(self) -> bytes:
        """Its leaf in the memo's tree."""
        return keccak(b"\0" + self.salt + keccak_text(self.name) + keccak_text(self.value))


def salted(fields: Mapping[str, str]) -> list[Field]:
    """The fields of a memo, by name, each with a fresh salt."""
    return [Field(name, value, secrets.token_bytes(SALT_BYTES)) for name, value in sorted(fields.items())]


def memo_root(fields: Sequence[Field]) -> bytes:
    """What the operation commits to."""
    return root([field.leaf() for field in fields])


def item_leaf(operation_id: int, memo: bytes) -> bytes:
    """An operation's leaf in the tree of its transaction."""
    return keccak(b"\2" + operation_id.to_bytes(32) + memo)


def suffix(items: Sequence[tuple[int, bytes | None]]) -> bytes:
    """What follows the arguments of a transaction of these operations, in their order: nothing when none has a memo."""
    if all(memo is None for _, memo in items):
        return b""
    return root(leaves_of(items)) + MARKER


def leaves_of(items: Sequence[tuple[int, bytes | None]]) -> list[bytes]:
    """The leaves of a transaction's tree; an operation without a memo has 32 zero bytes."""
    return [EMPTY if memo is None else item_leaf(operation_id, memo) for operation_id, memo in items]


def root(leaves: Sequence[bytes]) -> bytes:
    """The root over leaves, filled up with 32 zero bytes to a power of two."""
    return levels(leaves)[-1][0]


def path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The siblings of a leaf, from the bottom up."""
    found = []
    for level in levels(leaves)[:-1]:
        found.append(level[index ^ 1])
        index >>= 1
    return found


def climb(leaf: bytes, index: int, siblings: Sequence[bytes]) -> bytes:
    """The root that a leaf and its path lead to. `index` must be below 2 ** len(siblings)."""
    for sibling in siblings:
        leaf = keccak(b"\1" + (sibling + leaf if index & 1 else leaf + sibling))
        index >>= 1
    return leaf


def levels(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """All levels of the tree, the leaves first."""
    size = 1
    while size < len(leaves):
        size *= 2
    found = [[*leaves, *[EMPTY] * (size - len(leaves))]]
    while len(found[-1]) > 1:
        below = found[-1]
        found.append([keccak(b"\1" + below[at] + below[at + 1]) for at in range(0, len(below), 2)])
    return found


def shown(fields: Sequence[Field], names: Sequence[str]) -> list[dict[str, Any]]:
    """The named fields as a memo claim carries them, with their paths."""
    leaves = [field.leaf() for field in fields]
    return [
        {
            "index": str(index),
            "name": field.name,
            "path": ["0x" + one.hex() for one in path(leaves, index)],
            "salt": "0x" + field.salt.hex(),
            "value": field.value,
        }
        for index, field in enumerate(fields)
        if field.name in names
    ]
