"""Which blocks the history reaches, when each was, and which one was the last at a given second."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select

from chain.base.errors import HistoryNotAvailable
from chain.mirror.models import MirrorBlock
from chain.mirror.queries.checkpoint import Checkpoint, checkpoint
from chain.storage.columns import table_of
from chain.storage.looks import looking

known_blocks: Final = table_of(MirrorBlock)


@dataclass(frozen=True, slots=True)
class Moment:
    """A block: its number, its hash, and its time in unix seconds."""

    number: int
    hash: str
    time: int


@dataclass(frozen=True, slots=True)
class Span:
    """The first and the last block of which history is kept."""

    first: Moment
    last: Moment


def span(connection: Connection) -> Span:
    """How far the history reaches. Raises HistoryNotAvailable before the mirror's first block."""
    row = checkpoint(looking(connection))
    if row is None:
        raise HistoryNotAvailable(0, None, None)
    return Span(_known(connection, row.history_from), Moment(row.block_number, row.block_hash, row.block_time))


def moment(connection: Connection, block: int) -> Moment:
    """The block of that number."""
    row = checkpoint(looking(connection))
    if row is None:
        raise HistoryNotAvailable(block, None, None)
    if not row.history_from <= block <= row.block_number:
        raise HistoryNotAvailable(block, row.history_from, row.block_number)
    return _known(connection, block)


def block_at(connection: Connection, time: int) -> Moment:
    """The last block at or before a unix second: what was true then.

    A second after the newest block is answered only when the mirror has looked at the chain since and found no
    newer block. Where times go backwards from block to block, the latest time at or before the second decides.
    """
    row = checkpoint(looking(connection))
    if row is None:
        raise HistoryNotAvailable(time, None, None, asked_time=True)
    if time > row.block_time and time > _looked_at(row):
        raise HistoryNotAvailable(time, row.history_from, row.block_number, asked_time=True)
    found = connection.execute(
        select(known_blocks)
        .where(known_blocks.c.time <= time, known_blocks.c.number >= row.history_from)
        .order_by(known_blocks.c.time.desc(), known_blocks.c.number.desc())
        .limit(1)
    ).one_or_none()
    if found is None:
        raise HistoryNotAvailable(time, row.history_from, row.block_number, asked_time=True)
    return Moment(found.number, found.hash, found.time)


def _looked_at(row: Checkpoint) -> int:
    """The second at which the mirror last knew that its block is the newest there is; 0 while it is behind."""
    if not row.live or row.head_number > row.block_number:
        return 0
    return max(row.updated_at_ms, row.progressed_at_ms or 0) // 1000


def _known(connection: Connection, number: int) -> Moment:
    found = connection.execute(select(known_blocks).where(known_blocks.c.number == number)).one()
    return Moment(found.number, found.hash, found.time)
