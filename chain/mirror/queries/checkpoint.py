"""Where the mirror is, and how sure a block or an event is as of then: read and decided here, and nowhere else."""

from typing import Final, Literal, NamedTuple

from chain.base.scalars import BlockHash
from chain.storage.looks import Look, maker

LIVE: Final = "live"
BACKFILLING: Final = "backfilling"
STOPPED: Final = "stopped"

Finality = Literal["latest", "safe", "final"]

_CHECKPOINT: Final = (
    "SELECT c.chain_id, c.genesis_hash, c.start_block, c.block_number, c.block_hash, c.block_time, c.head_number,"
    " c.safe_number, c.final_number, c.generation, c.history_from, c.state, c.reason, c.updated_at_ms,"
    " CASE WHEN h.state = 'working' THEN h.at_ms END, h.progressed_at_ms"
    " FROM mirror_checkpoint c LEFT JOIN heartbeat h ON h.name = 'mirror' WHERE c.id = 1"
)


class Checkpoint(NamedTuple):
    """The block that the mirror is of, and what it knows of the chain beyond it.

    state: live, backfilling or stopped (then with a reason). generation: which numbering the entries have.
    history_from: the first block of which the history is whole. beat_at_ms: the last sign of life of a mirror that
    works; progressed_at_ms: when it last got on, or knew that nothing was new.
    """

    chain_id: str | None
    genesis_hash: BlockHash
    start_block: int
    block_number: int
    block_hash: BlockHash
    block_time: int
    head_number: int
    safe_number: int
    final_number: int
    generation: str
    history_from: int
    state: str
    reason: str | None
    updated_at_ms: int
    beat_at_ms: int | None
    progressed_at_ms: int | None

    @property
    def live(self) -> bool:
        """Whether the mirror has all that there is."""
        return self.state == LIVE

    def finality(self, block_number: int) -> Finality:
        """How sure a block of the mirror is, and every event in it."""
        if block_number <= self.final_number:
            return "final"
        return "safe" if block_number <= self.safe_number else "latest"


_made: Final = maker(Checkpoint)


def checkpoint(look: Look) -> Checkpoint | None:
    """Where the mirror is; None before its first block."""
    row = look.row(_CHECKPOINT)
    return None if row is None else _made(row)
