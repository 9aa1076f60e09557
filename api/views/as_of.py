"""As of which block a view is: the mirror's checkpoint, its finality and its age."""

from __future__ import annotations

from typing import Any

from api.kit.clock import now_ms, rfc3339
from api.kit.container import State
from api.views.errors import ViewUnavailable
from chain.mirror.queries.checkpoint import Checkpoint, checkpoint
from chain.storage.looks import Look


def moment(look: Look) -> Checkpoint:
    """Where the mirror is, or ViewUnavailable before its first block."""
    at = checkpoint(look)
    if at is None:
        raise ViewUnavailable("The mirror has not read its first block yet; try again in a moment.")
    return at


def to_public(at: Checkpoint, state: State) -> dict[str, Any]:
    """The AsOf of every view. A block lower than one told before is marked: the chain took blocks back."""
    reorganised = at.block_number < state.block_told
    state.block_told = max(state.block_told, at.block_number)
    return {
        "block_number": at.block_number,
        "block_hash": at.block_hash,
        "block_time": rfc3339(at.block_time * 1000),
        "finality": at.finality(at.block_number),
        "age_s": max(0, now_ms() - _seen_at_ms(at)) / 1000,
        "reorganised": reorganised,
    }


def _seen_at_ms(at: Checkpoint) -> int:
    """At the head, a look that found nothing new makes the view as fresh as a new block would. Behind it, the view is
    as old as its block."""
    if at.block_number < at.head_number:
        return at.block_time * 1000
    return max(at.updated_at_ms, at.beat_at_ms or 0)
