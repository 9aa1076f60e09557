"""Blocks that were taken back."""

from dataclasses import dataclass
from typing import Final

from chain.storage.looks import Look

_LAST: Final = "SELECT COALESCE(MAX(id), 0) FROM mirror_reorg"
_COUNTED: Final = "SELECT COUNT(*), COALESCE(MAX(depth), 0) FROM mirror_reorg"
_NEWEST: Final = "SELECT depth, at_ms FROM mirror_reorg ORDER BY id DESC LIMIT 1"


@dataclass(frozen=True, slots=True)
class Reorgs:
    """Rollbacks so far; the deepest, and the last one's depth and time (unix milliseconds). Depths in blocks."""

    count: int
    deepest: int
    last_depth: int | None
    last_at_ms: int | None


def last(look: Look) -> int:
    """The number of the last rollback, 0 before the first: another one says that one happened."""
    row = look.row(_LAST)
    return 0 if row is None else int(row[0])


def summary(look: Look) -> Reorgs:
    """How often, how deep, and when last."""
    count, deepest = look.row(_COUNTED) or (0, 0)
    depth, at_ms = look.row(_NEWEST) or (None, None)
    return Reorgs(count, deepest, depth, at_ms)
