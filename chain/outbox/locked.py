"""Operations that are not sent before their second: awards whose points could still come back (SPEC 7.95).

They are rows like any other and stand in no queue: the relayer makes them queued when their second has come, a bounded
number in a round, by an index of the locked alone, and of a brand no more than its queue has room for. Until then what
they ask for may come back, in part or whole. Which of both was first, the database decides: a row is locked for one of
them at a time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.orm import Session

from chain.base.clock import now_ms
from chain.outbox import fair_queue
from chain.outbox.fair_queue import BACKLOG_MAX, BRANDS_MAX
from chain.outbox.models import LOCKED_OPERATION
from chain.outbox.operations import CANCELLED, LOCKED, QUEUED, table
from chain.storage.bulk import PLACE, indexed_by


@dataclass(frozen=True, slots=True)
class GivenBack:
    """What a locked award was still asked for, and is now: base amounts. Nothing was changed where `kept` is `left`,
    but for a whole award of base amount 0, which is then cancelled."""

    left: int
    kept: int
    cancelled: bool


def next_due_ms(connection: Connection) -> int | None:
    """When the next locked operation is due, in unix milliseconds; None when none is locked."""
    chosen = indexed_by(connection, "operation_locked")
    statement = f"SELECT MIN(due_at_ms) FROM operation {chosen} WHERE {LOCKED_OPERATION}"  # noqa: S608
    found: int | None = connection.exec_driver_sql(statement).scalar_one()
    return found


def due_ms_of(connection: Connection | Session, ids: Sequence[int]) -> dict[int, int]:
    """Of these operations those that are locked, with their second in unix milliseconds."""
    if not ids:
        return {}
    asked = select(table.c.id, table.c.due_at_ms).where(table.c.id.in_(ids), table.c.state == LOCKED)
    return dict(connection.execute(asked).tuples().all())


def queue_due(connection: Connection, at_ms: int, count_max: int, backlog_max: Mapping[int, int] = BACKLOG_MAX) -> int:
    """Queues what is due, the oldest second first; how many. Of a brand no more than its queue has room for: what is
    beyond stays locked, and is looked at again in the next round.

    backlog_max: of single requests and of lines (fair_queue.PERSON, fair_queue.BULK), so many may be queued.
    """
    place, chosen = PLACE[connection.dialect.name], indexed_by(connection, "operation_locked_brand")
    # What somebody is about to take back is looked at again in the next round, rather than waited for.
    passing = "FOR UPDATE SKIP LOCKED" if connection.dialect.name == "postgresql" else ""
    statement = (
        f"SELECT due_at_ms, id FROM operation {chosen} WHERE {LOCKED_OPERATION} AND bulk = {place} "  # noqa: S608
        f"AND brand >= {place} AND brand <= {place} AND due_at_ms <= {place} "
        f"ORDER BY bulk, brand, due_at_ms, id LIMIT {place} {passing}"
    )
    found: list[tuple[int, int]] = []
    for bulk, brand in _due_brands(connection, at_ms):
        room = backlog_max[bulk] - fair_queue.backlog(connection, brand, bulk, backlog_max[bulk])
        most = min(count_max, room)
        if most > 0:
            rows = connection.exec_driver_sql(statement, (bulk, brand, brand, at_ms, most))
            found += [(due_ms, id) for due_ms, id in rows]
    due = [id for _, id in sorted(found)[:count_max]]
    if not due:
        return 0
    queued = (
        update(table).where(table.c.id.in_(due), table.c.state == LOCKED).values(state=QUEUED, updated_at_ms=now_ms())
    )
    return connection.execute(queued).rowcount


def _due_brands(connection: Connection, at_ms: int) -> list[tuple[int, int]]:
    """(bulk, brand) of what is due, those whose first is the oldest before the others, at most BRANDS_MAX."""
    place, chosen = PLACE[connection.dialect.name], indexed_by(connection, "operation_locked_brand")
    first = (
        f"SELECT brand FROM operation {chosen} WHERE {LOCKED_OPERATION} AND bulk = {place} AND brand > {{above}} "  # noqa: S608
        "ORDER BY bulk, brand, due_at_ms, id LIMIT 1"
    )
    # From one brand to the next in the index, and the oldest of each.
    statement = (
        f"WITH RECURSIVE found(brand) AS (SELECT ({first.format(above=-1)}) UNION ALL "  # noqa: S608
        f"SELECT ({first.format(above='found.brand')}) FROM found WHERE found.brand IS NOT NULL) "
        f"SELECT brand, (SELECT o.due_at_ms FROM operation AS o {chosen} WHERE o.{LOCKED_OPERATION} "
        f"AND o.bulk = {place} AND o.brand = found.brand ORDER BY o.bulk, o.brand, o.due_at_ms, o.id LIMIT 1) "
        "FROM found WHERE brand IS NOT NULL"
    )
    due: list[tuple[int, int, int]] = []
    for bulk in (fair_queue.PERSON, fair_queue.BULK):
        rows = connection.exec_driver_sql(statement, (bulk, bulk, bulk))
        due += [(due_ms, bulk, brand) for brand, due_ms in rows if due_ms <= at_ms]
    return [(bulk, brand) for _, bulk, brand in sorted(due)[:BRANDS_MAX]]


def give_back(connection: Connection | Session, id: int, base_amount: int) -> GivenBack | None:
    """Takes goods of this base amount off an award that is locked: it will be of what is kept; where nothing is, it is
    cancelled and never sent. More than is left, or 0 of what is not 0, changes nothing.

    In the caller's writing transaction, and nobody else's in between. None: it is not locked (any more); what it gave
    or will give is the contract's to take back.
    """
    asked = select(table.c.payload).where(table.c.id == id, table.c.state == LOCKED).with_for_update()
    payload: dict[str, Any] | None = connection.execute(asked).scalar_one_or_none()
    if payload is None:
        return None
    left = int(payload["base_amount"])
    kept = left - base_amount
    if base_amount < 0 or kept < 0 or (base_amount == 0 and left > 0):
        return GivenBack(left, left, False)
    # What was asked for is kept of a cancelled one.
    change = {"state": CANCELLED} if kept == 0 else {"payload": {**payload, "base_amount": str(kept)}}
    connection.execute(
        update(table).where(table.c.id == id, table.c.state == LOCKED).values(**change, updated_at_ms=now_ms())
    )
    return GivenBack(left, kept, kept == 0)
