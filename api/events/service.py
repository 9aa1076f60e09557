"""Facts counted, and operations looked up by those whose they are."""

from __future__ import annotations

from typing import get_args

from sqlmodel import Session, col, select

from api.auth.callers import BrandCaller, MemberCaller
from api.events.errors import OperationUnknown
from api.events.models import Event
from api.events.purchases import Counted, count
from api.events.schemas import (
    OperationCounts,
    OperationPublic,
    OperationState,
    PurchaseAccepted,
    PurchaseCreate,
    Receipt,
)
from api.kit.clock import rfc3339
from api.kit.database import Snapshot
from chain.contracts.deployment import Deployment
from chain.outbox import operations
from chain.outbox.operations import OperationView


def count_one(session: Session, *, deployment: Deployment, slug: str, wanted: PurchaseCreate) -> PurchaseAccepted:
    """Counts one purchase, or tells the operation it was given before."""
    [result] = count(session, deployment=deployment, slug=slug, purchases=[wanted])
    if not isinstance(result, Counted):
        raise result
    return PurchaseAccepted(
        id=wanted.id, member=result.member_id, operation=operation_by_id_to_public(session, result.operation)
    )


def operation_of(session: Session, *, caller: BrandCaller | MemberCaller, operation_id: int) -> OperationPublic:
    """The caller's operation: a brand's own, or one about the member; else OperationUnknown."""
    found = operations.get(session.connection(), operation_id)
    if found is not None:
        mine = (
            found.brand == caller.slug
            if isinstance(caller, BrandCaller)
            else found.lane.lower() == caller.address.lower()
        )
        if mine:
            return operation_to_public(found)
    raise OperationUnknown("There is no such operation of yours.", operation=str(operation_id))


_COUNTS = "SELECT state, kind, COUNT(*) FROM operation WHERE brand = ? GROUP BY state, kind"


def operation_counts(read: Snapshot, *, slug: str, kind: str | None) -> OperationCounts:
    """The brand's operations by state and by kind; every state is named, those without any as 0."""
    states: dict[OperationState, int] = dict.fromkeys(get_args(OperationState), 0)
    kinds: dict[str, int] = {}
    for state, found, number in read.rows(_COUNTS, slug):
        if kind in (None, found):
            states[state] += number
            kinds[found] = kinds.get(found, 0) + number
    return OperationCounts(states=states, kinds=kinds)


def operation_by_id_to_public(session: Session, operation_id: int) -> OperationPublic:
    found = operations.get(session.connection(), operation_id)
    assert found is not None, "an operation's row is made in the transaction that names it"
    return operation_to_public(found)


def operation_to_public(found: OperationView) -> OperationPublic:
    receipt = None
    if found.tx_hash is not None and found.block_number is not None:
        receipt = Receipt(
            tx_hash=found.tx_hash,
            block_number=found.block_number,
            block_hash=found.block_hash or "",
            log_index=found.log_index or 0,
        )
    return OperationPublic(
        id=str(found.id),
        kind=found.kind,
        brand=found.brand,
        state=found.state,
        error=found.error,
        error_args=found.error_args,
        receipt=receipt,
        created_at=rfc3339(found.created_at_ms),
        updated_at=rfc3339(found.updated_at_ms),
    )


def member_of(session: Session, operation_id: int) -> str:
    """The member whose purchase made an operation; "" when no purchase did."""
    found = session.exec(select(Event.member_id).where(col(Event.operation) == operation_id)).first()
    return found or ""
