"""Where the mirror stands: the one row that moves with every commit."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Engine, insert, select, update

from chain.base.clock import now_ms
from chain.base.errors import AnswerInconsistent
from chain.base.scalars import BlockHash
from chain.mirror.models import MirrorBlock, MirrorCheckpoint
from chain.mirror.queries.checkpoint import BACKFILLING, LIVE, STOPPED, Checkpoint, checkpoint
from chain.mirror.rows.row_cache import Row
from chain.node.blocks import BlockHeader
from chain.storage import bulk
from chain.storage.columns import table_of
from chain.storage.database import writing
from chain.storage.looks import looking
from chain.telemetry import heartbeat

GENERATION_BYTES: Final = 6

table: Final = table_of(MirrorCheckpoint)
known_blocks: Final = table_of(MirrorBlock)
ONE: Final = table.c.id == 1


@dataclass(frozen=True, slots=True)
class Tip:
    """The block the mirror is of."""

    number: int
    hash: BlockHash
    time: int


@dataclass(frozen=True, slots=True)
class Levels:
    """The highest block that is safe, and the highest that is final."""

    safe_number: int
    final_number: int


def make(
    connection: Connection, *, chain_id: str, genesis_hash: str, start_block: int, base: BlockHeader
) -> Checkpoint:
    """The first row: of the block before the deployment's first, where nothing has happened yet."""
    connection.execute(
        insert(table).values(
            id=1,
            chain_id=chain_id,
            genesis_hash=genesis_hash,
            start_block=start_block,
            block_number=base.number,
            block_hash=base.hash,
            block_time=base.time,
            head_number=base.number,
            safe_number=base.number,
            final_number=base.number,
            generation=secrets.token_hex(GENERATION_BYTES),
            history_from=base.number,
            state=BACKFILLING,
            reason=None,
            updated_at_ms=now_ms(),
        )
    )
    keep_blocks(connection, [base])
    return _made(connection)


def identify(connection: Connection, chain_id: str) -> Checkpoint:
    """Writes down which chain it is, in a database of before that was kept; the row."""
    connection.execute(update(table).where(ONE).values(chain_id=chain_id))
    return _made(connection)


def require(connection: Connection, tip: Tip) -> None:
    """Raises AnswerInconsistent when another mirror wrote meanwhile, or the tables were emptied.

    Until the caller's transaction ends nobody else passes here (SQLite's writers queue anyway): the numbers of entries
    and reorgs are given under this lock, so a higher one is never seen before a lower one.
    """
    found = connection.execute(select(table.c.block_hash).where(ONE).with_for_update()).scalar_one_or_none()
    if found != tip.hash:
        raise AnswerInconsistent("The checkpoint moved under this mirror.")


def keep(connection: Connection, tip: Tip, head: BlockHeader, levels: Levels) -> None:
    """The mirror is of `tip` now."""
    safe = min(tip.number, levels.safe_number)
    connection.execute(
        update(table)
        .where(ONE)
        .values(
            block_number=tip.number,
            block_hash=tip.hash,
            block_time=tip.time,
            head_number=head.number,
            safe_number=safe,
            final_number=min(safe, levels.final_number),
            state=LIVE if tip.number == head.number else BACKFILLING,
            reason=None,
            updated_at_ms=now_ms(),
        )
    )


def keep_blocks(connection: Connection, headers: Sequence[BlockHeader]) -> None:
    """Every block stays known: when it was, and which it was."""
    bulk.insert(connection, known_blocks, [_block_row(block) for block in headers])


def at_head(engine: Engine) -> None:
    """The mirror is of the node's newest block, without having moved."""
    with writing(engine) as connection:
        connection.execute(
            update(table)
            .where(ONE)
            .values(state=LIVE, reason=None, head_number=table.c.block_number, updated_at_ms=now_ms())
        )


def stop(engine: Engine, reason: str) -> None:
    """The mirror goes no further, and says why; nothing else is changed."""
    with writing(engine) as connection:
        connection.execute(update(table).where(ONE).values(state=STOPPED, reason=reason, updated_at_ms=now_ms()))
    heartbeat.beat(engine, "mirror", STOPPED, reason, progressed=False)


def _made(connection: Connection) -> Checkpoint:
    found = checkpoint(looking(connection))
    assert found is not None, "the row was written a moment ago"
    return found


def _block_row(block: BlockHeader) -> Row:
    return {"number": block.number, "hash": block.hash, "time": block.time}
