"""Operations that are not sent before their second: awards whose points could still come back (SPEC 7.95).

They are rows like any other and stand in no queue: the relayer makes them queued when their second has come, a bounded
number in a round, by an index of the locked alone. Until then what they ask for may come back, in part or whole. Which
of both was first, the database decides: a row is locked for one of them at a time.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.orm import Session

from chain.base.clock import now_ms
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


def queue_due(connection: Connection, at_ms: int, count_max: int) -> int:
    """Queues what is due, the oldest second first; how many."""
    place, chosen = PLACE[connection.dialect.name], indexed_by(connection, "operation_locked")
    # What somebody is about to take back is looked at again in the next round, rather than waited for.
    passing = "FOR UPDATE SKIP LOCKED" if connection.dialect.name == "postgresql" else ""
    statement = (
        f"SELECT id FROM operation {chosen} WHERE {LOCKED_OPERATION} AND due_at_ms <= {place} "  # noqa: S608
        f"ORDER BY due_at_ms, id LIMIT {place} {passing}"
    )
    due = list(connection.exec_driver_sql(statement, (at_ms, count_max)).scalars())
    if not due:
        return 0
    queued = (
        update(table).where(table.c.id.in_(due), table.c.state == LOCKED).values(state=QUEUED, updated_at_ms=now_ms())
    )
    return connection.execute(queued).rowcount


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
