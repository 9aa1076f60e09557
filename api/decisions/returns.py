"""Returns of goods: what of a purchase came back, and what of its award goes back with it. Nobody here commits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlmodel import Session, col, select

from api.decisions.models import GoodsReturn
from api.events.models import Event
from chain.outbox import operations
from chain.outbox.operations import OperationView

# Of an award: each is a request of its own by its shop.
RETURNS_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A return that was asked for, with its operation as it stands."""

    row: GoodsReturn
    operation: OperationView

    @property
    def counts(self) -> bool:
        """Whether it has come back, or still may."""
        return self.operation.state != operations.FAILED


def of_award(session: Session, award: int) -> list[Asked]:
    """The returns of an award (its operation), oldest first."""
    rows = session.exec(
        select(GoodsReturn).where(GoodsReturn.award == award).order_by(col(GoodsReturn.operation)).limit(RETURNS_MAX)
    ).all()
    found = operations.get_many(session.connection(), [row.operation for row in rows])
    return [Asked(row, found[row.operation]) for row in rows]


def of_fact(session: Session, event: int) -> GoodsReturn:
    """What a return that was reported became."""
    return session.exec(select(GoodsReturn).where(GoodsReturn.event == event)).one()


def of_operation(session: Session, operation: int) -> tuple[GoodsReturn, Event] | None:
    """The return that made an operation, with what was reported; None when no return did."""
    row = session.get(GoodsReturn, operation)
    return None if row is None else (row, session.get_one(Event, row.event))
