"""Tempo and bounds of the mirror."""

from dataclasses import dataclass
from typing import Final

# How the safe and the final block are known: so many blocks below the head, or by the node's own tags.
DEPTH: Final = "depth"
TAGS: Final = "tags"


@dataclass(frozen=True)
class MirrorSettings:
    """Depths in blocks: 0 for a chain whose blocks are final at once.

    finality: DEPTH counts blocks below the head. TAGS believes the node's `safe` and `finalized`; right only for a
    node whose tags mean something (a chain with a finality of its own), so it is chosen by name, never guessed.
    """

    # How often a node is asked; the longer nothing is new, the seldomer, down to the idle time.
    poll_s: float = 0.05
    idle_s: float = 0.2
    # The same for one that announces its heads.
    subscribed_poll_s: float = 0.25
    subscribed_idle_s: float = 5.0
    range_blocks_max: int = 200
    undo_blocks_max: int = 256
    confirmed_depth: int = 0
    finality: str = DEPTH
    safe_depth: int = 0
    final_depth: int = 0
    # How long what was seen of a longer chain is kept while the node shows a shorter one and no other branch.
    behind_grace_s: float = 300.0

    def __post_init__(self) -> None:
        assert self.finality in (DEPTH, TAGS), f"finality is {DEPTH} or {TAGS}, not {self.finality}"
        assert self.behind_grace_s >= 0, "a time"
        assert 0 <= self.safe_depth <= self.final_depth, "what is final is safe"
