"""One SQL transaction: the way back if there is one, the rows of a range, and the checkpoint that says so."""

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from sqlalchemy import Connection, Engine, select

from chain.base.errors import AnswerInconsistent
from chain.base.scalars import Address
from chain.contracts.codec import EventLog
from chain.contracts.deployment import Deployment
from chain.contracts.named_lots import account_of
from chain.mirror import checkpoint, record_outcomes, reorg
from chain.mirror.checkpoint import Levels, Tip, known_blocks
from chain.mirror.models import BrandToken, Entry, LedgerEvent
from chain.mirror.reader import Found
from chain.mirror.rows.lot_ends import StoredLotEnds
from chain.mirror.rows.projection import Context, Projector, event_row
from chain.mirror.rows.row_cache import RowCache
from chain.node.blocks import BlockHeader
from chain.storage import bulk
from chain.storage.columns import table_of
from chain.storage.database import writing

events: Final = table_of(LedgerEvent)
entries: Final = table_of(Entry)
tokens: Final = table_of(BrandToken)


class Commit:
    """Writes what was found on top of an ancestor."""

    def __init__(self, engine: Engine, deployment: Deployment, confirmed_depth: int):
        self._engine = engine
        self._deployment = deployment
        self._confirmed_depth = confirmed_depth

    def __call__(
        self,
        tip: Tip,
        ancestor: Tip,
        found: Found,
        head: BlockHeader,
        levels: Levels,
        named: Sequence[BlockHeader] = (),
    ) -> tuple[Tip, dict[str, Address]]:
        """The new tip and the tokens by brand; or an error, and nothing at all has changed.

        named: blocks that the node names as safe or final; they must be blocks of the chain that is written.
        """
        with writing(self._engine) as connection:
            checkpoint.require(connection, tip)
            if ancestor.number < tip.number:
                reorg.roll_back(connection, tip, ancestor)
            context = Context(
                desk=self._deployment.address("RedemptionDesk"),
                tokens=tokens_by_brand(connection),
                token_rows=found.token_rows,
            )
            self._write(connection, context, found, ancestor.time)
            last = found.last
            new_tip = Tip(last.number, last.hash, last.time) if last else ancestor
            _on_our_chain(connection, named)
            checkpoint.keep(connection, new_tip, head, levels)
        return new_tip, context.tokens

    def _write(self, connection: Connection, context: Context, found: Found, before: int) -> None:
        """before: the second of the block that the range stands on."""
        headers, logs = found.range.headers, found.logs
        if headers:
            state, ends = RowCache(connection), StoredLotEnds(connection, before)
            projector = Projector(state, context, ends, lambda rows: bulk.insert(connection, entries, rows))
            _projector(state, projector, headers, logs, before)
            state.flush()
            ends.flush()
            bulk.insert(connection, entries, projector.entries)
        if logs:
            bulk.insert(connection, events, [event_row(log) for log in logs])
            record_outcomes.record_outcomes(connection, logs, self._deployment, self._confirmed_depth)
        if headers:
            checkpoint.keep_blocks(connection, headers)
            record_outcomes.confirm(connection, headers[-1].number, self._confirmed_depth)


def _projector(
    state: RowCache, projector: Projector, headers: Sequence[BlockHeader], logs: Sequence[EventLog], before: int
) -> None:
    accounts = ((log.address, account_of(log.name, log.args)) for log in logs)
    state.load("balance", {(token, account) for token, account in accounts if account is not None})
    by_block = {number: list(group) for number, group in groupby(logs, key=lambda log: log.block_number)}
    for block in headers:
        projector.pass_time(before, number=block.number, block_hash=block.hash, time=block.time)
        before = block.time
        if block.number in by_block:
            state.begin_block(block.number)
            projector.block(by_block[block.number], block.time)


def _on_our_chain(connection: Connection, named: Sequence[BlockHeader]) -> None:
    for block in named:
        ours = connection.execute(select(known_blocks.c.hash).where(known_blocks.c.number == block.number)).scalar()
        if ours is not None and ours != block.hash:
            raise AnswerInconsistent(f"The node names a block {block.number} safe or final that is not on its chain.")


def tokens_by_brand(connection: Connection) -> dict[str, Address]:
    """{brand id: token address} of every brand there is."""
    return {row.brand_id: row.token for row in connection.execute(select(tokens.c.brand_id, tokens.c.token))}
