"""Returns of goods: what of a purchase came back, and what of its award goes back with it. Nobody here commits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlmodel import Session, col, select

from api.decisions.models import GoodsReturn
from chain.outbox import operations
from chain.outbox.operations import OperationView

# Of an award: each is a request of its own by its shop.
RETURNS_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A return that is the contract's to take, with its operation as it stands."""

    row: GoodsReturn
    operation: OperationView

    @property
    def counts(self) -> bool:
        """Whether it has come back, or still may."""
        return self.operation.state != operations.FAILED


def of_award(session: Session, award: int) -> list[Asked]:
    """The returns of an award (its operation) that the contract was asked for, oldest first."""
    rows = session.exec(
        select(GoodsReturn)
        .where(GoodsReturn.award == award, col(GoodsReturn.operation).is_not(None))
        .order_by(col(GoodsReturn.operation))
        .limit(RETURNS_MAX)
    ).all()
    found = operations.get_many(session.connection(), [row.operation for row in rows if row.operation is not None])
    return [Asked(row, found[row.operation]) for row in rows if row.operation is not None]


def of_operation(session: Session, operation: int) -> GoodsReturn | None:
    """The return that made an operation; None when no return did."""
    return session.exec(select(GoodsReturn).where(GoodsReturn.operation == operation)).one_or_none()
