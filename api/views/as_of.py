"""As of which block a view is: the mirror's checkpoint, its finality and its age."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from api.kit.clock import now_ms, rfc3339
from api.kit.container import State
from api.kit.database import Row, Snapshot
from api.views.errors import ViewUnavailable

CHECKPOINT = (
    "SELECT c.block_number, c.block_hash, c.block_time, c.safe_number, c.final_number, c.updated_at_ms,"
    " c.head_number, c.generation, h.at_ms"
    " FROM mirror_checkpoint c LEFT JOIN heartbeat h ON h.name = 'mirror' AND h.state = 'working' WHERE c.id = 1"
)


@dataclass(frozen=True, slots=True)
class Moment:
    """Where the mirror is. seen_at_ms: when it last knew that this is the chain's head. generation: which numbering
    its entries have."""

    block_number: int
    block_hash: str
    block_time: int
    safe_number: int
    final_number: int
    seen_at_ms: int
    generation: str

    def finality(self, block_number: int) -> str:
        """latest, safe or final: how sure a block of the mirror is."""
        if block_number <= self.final_number:
            return "final"
        return "safe" if block_number <= self.safe_number else "latest"

    def told(self, state: State) -> dict[str, Any]:
        """The AsOf of every view. A block lower than one told before is marked: the chain took blocks back."""
        reorganised = self.block_number < state.block_told
        state.block_told = max(state.block_told, self.block_number)
        return {
            "block_number": self.block_number,
            "block_hash": self.block_hash,
            "block_time": rfc3339(self.block_time * 1000),
            "finality": self.finality(self.block_number),
            "age_s": max(0, now_ms() - self.seen_at_ms) / 1000,
            "reorganised": reorganised,
        }


def moment(read: Snapshot) -> Moment:
    """Where the mirror is in this snapshot, or ViewUnavailable before its first block."""
    return moment_of(read.row(CHECKPOINT))


def moment_of(row: Row | None) -> Moment:
    """The moment that a row of CHECKPOINT tells."""
    if row is None:
        raise ViewUnavailable("The mirror has not read its first block yet; try again in a moment.")
    number, hash_, time_s, safe, final, updated_at_ms, head, generation, beat_at_ms = row
    # At the head, a look that found nothing new makes the view as fresh as a new block would. Behind it, the
    # view is as old as its block.
    seen_at_ms = max(updated_at_ms, beat_at_ms or 0) if number >= head else time_s * 1000
    return Moment(number, hash_, time_s, safe, final, seen_at_ms, generation)
