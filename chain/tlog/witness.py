"""What a witness decides: is this checkpoint what the last one grew into? It remembers one size and root for each log.

A witness that signs at most one tree for each size, and only trees that grow, makes a log show all readers the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chain.tlog.checkpoints import Checkpoint
from chain.tlog.errors import LogForked, ProofInvalid
from chain.tlog.forks import contradiction
from chain.tlog.hashes import EMPTY_ROOT
from chain.tlog.proofs import is_power_of_two, verify_consistency


@dataclass(frozen=True, slots=True)
class Seen:
    """The largest tree of a log that was found consistent. note: the checkpoint as the log signed it."""

    size: int
    root: bytes
    note: str


NOTHING = Seen(0, EMPTY_ROOT, "")


def grown(seen: Seen, before: Checkpoint | None, offered: Checkpoint, proof: Sequence[bytes]) -> None:
    """Raises LogForked unless `offered` is the tree of `seen`, grown or unchanged, as the consistency proof shows.

    before: the checkpoint of `seen`; None before the first one, when there is nothing to be consistent with.
    """
    if offered.size < seen.size:
        raise LogForked(offered.origin, f"it showed {seen.size} entries before and shows {offered.size} now.")
    if before is not None and (found := contradiction(before, offered)) is not None:
        raise LogForked(offered.origin, f"it signed {found}")
    try:
        verify_consistency(seen.size, offered.size, proof, seen.root, offered.root)
    except ProofInvalid as fault:
        raise LogForked(offered.origin, str(fault)) from fault


def path_of(old: int, old_root: bytes, proof: Sequence[bytes]) -> tuple[bytes, ...]:
    """A consistency proof with its first hash always present: the log's own word for its first `old` entries."""
    return (old_root, *proof) if is_power_of_two(old) else tuple(proof)
