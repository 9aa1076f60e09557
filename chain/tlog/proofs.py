"""Proofs checked: RFC 9162, 2.1.3.2 and 2.1.4.2. Nothing is tolerated: too short, too long and misplaced all fail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from chain.tlog.errors import ProofInvalid
from chain.tlog.hashes import EMPTY_ROOT, HASH_BYTES, node_hash
from chain.tlog.tree import SIZE_MAX

# A tree of 2^63 leaves is 63 high; a consistency proof has one hash more at most.
PROOF_HASHES_MAX: Final = 65


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Raises ProofInvalid unless the leaf hash is at `index` of the tree of `size` leaves that has this root."""
    if root_of_inclusion(leaf, index, size, proof) != root:
        raise ProofInvalid(f"The proof of entry {index} does not lead to the root of the tree of {size}.")


def root_of_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root of the tree of `size` leaves that the proof leads to."""
    _well_formed([leaf, *proof], size)
    if not 0 <= index < size:
        raise ProofInvalid(f"A tree of {size} has no entry {index}.")
    at, last, found = index, size - 1, leaf
    for step in proof:
        if last == 0:
            raise ProofInvalid("The proof is too long.")
        if at & 1 or at == last:
            found = node_hash(step, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, step)
        at, last = at >> 1, last >> 1
    if last != 0:
        raise ProofInvalid("The proof is too short.")
    return found


def verify_consistency(old: int, size: int, proof: Sequence[bytes], old_root: bytes, root: bytes) -> None:
    """Raises ProofInvalid unless the tree of `old` leaves is what the tree of `size` began with."""
    _well_formed([old_root, root, *proof], size)
    if not 0 <= old <= size:
        raise ProofInvalid(f"A tree of {size} did not begin with {old} entries.")
    if old in (0, size):
        if proof:
            raise ProofInvalid("The proof is too long.")
        if old_root != (EMPTY_ROOT if old == 0 else root):
            raise ProofInvalid(f"Two trees of {old} entries have two roots.")
        return
    # RFC 6962 leaves out the first hash where it would be the old root itself.
    path = [old_root, *proof] if is_power_of_two(old) else list(proof)
    was, became = roots_of_path(old, size, path)
    if became != root:
        raise ProofInvalid(f"The proof does not lead to the root of the tree of {size}.")
    if was != old_root:
        raise ProofInvalid(f"The first {old} entries of the tree of {size} are not those of the older tree.")


def roots_of_path(old: int, size: int, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The two roots that a consistency proof leads to, 0 < old < size: of the first `old` leaves, and of all.

    path: the proof with its first hash always present, also where RFC 6962 leaves it out. Whoever finds the second
    root signed knows by the first one what the tree began with, whatever was signed before.
    """
    _well_formed(path, size)
    if not 0 < old < size:
        raise ProofInvalid(f"A tree of {size} has no proof from {old}.")
    if not path:
        raise ProofInvalid("The proof is too short.")
    at, last = old - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    was = became = path[0]
    for step in path[1:]:
        if last == 0:
            raise ProofInvalid("The proof is too long.")
        if at & 1 or at == last:
            was, became = node_hash(step, was), node_hash(step, became)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            became = node_hash(became, step)
        at, last = at >> 1, last >> 1
    if last != 0:
        raise ProofInvalid("The proof is too short.")
    return was, became


def is_power_of_two(number: int) -> bool:
    return number > 0 and number & (number - 1) == 0


def _well_formed(hashes: Sequence[bytes], size: int) -> None:
    if not 0 <= size <= SIZE_MAX:
        raise ProofInvalid(f"No tree has {size} entries.")
    if len(hashes) > PROOF_HASHES_MAX:
        raise ProofInvalid("The proof is too long.")
    if any(len(one) != HASH_BYTES for one in hashes):
        raise ProofInvalid(f"A hash has {HASH_BYTES} bytes.")
