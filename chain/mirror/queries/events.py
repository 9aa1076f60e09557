"""The decoded logs of our contracts, in the order of the chain."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, select, tuple_

from chain.base.scalars import Address, BlockHash, TxHash
from chain.contracts.codec import EventLog
from chain.mirror.models import LedgerEvent, MirrorBlock
from chain.storage.columns import table_of
from chain.storage.looks import Look, document

ROWS_AT_ONCE: Final = 2_000
PLACES_MAX: Final = 1_000

_AT: Final = (
    "SELECT block_number, block_hash, tx_hash, tx_index, log_index, address, contract, name, args FROM ledger_event"
    " WHERE block_number = ? AND log_index = ?"
)

_events: Final = table_of(LedgerEvent)
_blocks: Final = table_of(MirrorBlock)


class Timed(NamedTuple):
    """An event with its block's time in unix seconds."""

    block_number: int
    log_index: int
    block_time: int
    block_hash: BlockHash
    tx_hash: TxHash
    address: Address
    contract: str
    name: str
    args: dict[str, Any]


def at(look: Look, *, block_number: int, log_index: int) -> EventLog | None:
    """The event at a place of the chain."""
    row = look.row(_AT, block_number, log_index)
    if row is None:
        return None
    found = EventLog(*row)
    found.args = document(found.args)
    return found


def streamed(connection: Connection, *, block: int) -> Iterator[Timed]:
    """Every event up to a block, in the order of the chain; read page by page."""
    column = _events.c
    asked = (
        select(
            column.block_number, column.log_index, _blocks.c.time, column.block_hash, column.tx_hash, column.address,
            column.contract, column.name, column.args,
        )
        .join(_blocks, _blocks.c.number == column.block_number)
        .where(column.block_number <= block)
        .order_by(column.block_number, column.log_index)
    )  # fmt: skip
    yield from map(Timed._make, connection.execution_options(yield_per=ROWS_AT_ONCE).execute(asked))


def at_places(connection: Connection, places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Timed]:
    """(block number, log index) -> the event there; places without one are left out. At most PLACES_MAX places."""
    assert len(places) <= PLACES_MAX, "asked page by page"
    if not places:
        return {}
    column = _events.c
    asked = (
        select(
            column.block_number, column.log_index, _blocks.c.time, column.block_hash, column.tx_hash, column.address,
            column.contract, column.name, column.args,
        )
        .join(_blocks, _blocks.c.number == column.block_number)
        .where(tuple_(column.block_number, column.log_index).in_(places))
    )  # fmt: skip
    return {(one.block_number, one.log_index): one for one in map(Timed._make, connection.execute(asked))}
