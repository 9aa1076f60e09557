"""Entries of a token added up between blocks, as reports need them."""

from collections.abc import Collection, Iterator
from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Connection, cast, func, select

from chain.base.scalars import Address
from chain.contracts.lots import Clock
from chain.mirror.queries.entries import table as entries

ROWS_AT_ONCE: Final = 1_000


class Detailed(NamedTuple):
    """An entry as far as its kind's detail needs it; block_time in unix seconds."""

    block_time: int
    kind: str
    detail: dict[str, Any]


def by_kind(connection: Connection, token: Address, *, above: int, up_to: int) -> dict[str, int]:
    """Kind → the signed sum of its points in the blocks above..up_to, without `above` itself."""
    rows = connection.execute(
        select(entries.c.kind, func.sum(cast(entries.c.points, BigInteger)))
        .where(*_between(token, above, up_to))
        .group_by(entries.c.kind)
        .order_by(entries.c.kind)
    )
    return {kind: int(points) for kind, points in rows}


def by_epoch(
    connection: Connection, token: Address, clock: Clock, kinds: Collection[str], *, up_to: int
) -> dict[int, int]:
    """Epoch of the block → points of these kinds, of all blocks up to one."""
    # With lifetime 0 the clock stands (SPEC 1.3): all is of epoch 0.
    epoch: ColumnElement[int] = (
        (entries.c.block_time - clock.origin) // clock.epoch_s if clock.lifetime_epochs else entries.c.block_time * 0
    )
    rows = connection.execute(
        select(epoch.label("epoch"), func.sum(cast(entries.c.points, BigInteger)))
        .where(*_between(token, None, up_to), entries.c.kind.in_(kinds))
        .group_by("epoch")
        .order_by("epoch")
    )
    return {int(number): int(points) for number, points in rows}


def details(
    connection: Connection, token: Address, kinds: Collection[str], *, up_to: int, above: int | None = None
) -> Iterator[Detailed]:
    """Entries of these kinds up to a block, by seq, above another one if it is named; read page by page."""
    rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(
        select(entries.c.block_time, entries.c.kind, entries.c.detail)
        .where(*_between(token, above, up_to), entries.c.kind.in_(kinds))
        .order_by(entries.c.seq)
    )
    yield from map(Detailed._make, rows)


def _between(token: Address, above: int | None, up_to: int) -> list[ColumnElement[bool]]:
    where = [entries.c.token == token, entries.c.block_number <= up_to]
    return where if above is None else [*where, entries.c.block_number > above]
