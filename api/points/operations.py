"""Operations looked up by those whose they are."""

from __future__ import annotations

from typing import Any, get_args

from sqlmodel import Session

from api.auth.callers import BrandCaller, MemberCaller
from api.decisions import awards, returns
from api.events.errors import OperationUnknown
from api.events.schemas import (
    OperationCounts,
    OperationPublic,
    OperationState,
    OperationTold,
    PurchaseAccepted,
    Receipt,
    Refusal,
    RefusedFact,
    RefusedOperation,
    RefusedOperations,
    RefusedState,
    is_late,
)
from api.kit.clock import rfc3339
from api.kit.database import Snapshot
from api.members import service as identity
from chain.outbox import operations
from chain.outbox.operations import OperationView


def told_purchase(session: Session, operation: int) -> PurchaseAccepted:
    """The purchase that an operation is of, as it was first reported."""
    fact = awards.fact_of(session, operation)
    return PurchaseAccepted(
        id=fact.external_id,
        member=fact.subject,
        occurred_at=rfc3339(fact.occurred_at_ms),
        received_at=rfc3339(fact.received_at_ms),
        late=is_late(occurred_at_ms=fact.occurred_at_ms, received_at_ms=fact.received_at_ms),
        operation=told_operation_of(session, operation),
    )


def operation_of(session: Session, *, caller: BrandCaller | MemberCaller, operation_id: int) -> OperationTold:
    """The caller's operation: a brand's own, or one about the member; else OperationUnknown."""
    found = operations.get(session.connection(), operation_id)
    if found is not None:
        mine = (
            found.brand == caller.registry_id
            if isinstance(caller, BrandCaller)
            else found.ordering_key.lower() in caller.addresses
        )
        if mine:
            before = [_told_refusal(row) for row in operations.refusals_of(session, operation_id)]
            taken = returns.of_operation(session, operation_id)
            return OperationTold(
                **told_operation(found, _slug(session, found)).model_dump(),
                history=before,
                award=None if taken is None else str(taken.award),
                returns=[str(one.operation.id) for one in returns.of_award(session, operation_id)],
            )
    raise OperationUnknown("There is no such operation of yours.", operation=str(operation_id))


def refused(
    session: Session, *, brand: int, state: RefusedState | None, cursor: str | None, limit: int
) -> RefusedOperations:
    """A page of the brand's refused and waiting operations, newest first."""
    states = ("failed", "waiting") if state is None else (state,)
    ids = operations.refused_ids(
        session.connection(), brand, states, int(cursor) if cursor is not None else None, limit + 1
    )
    found = operations.get_many(session.connection(), ids[:limit])
    orders = awards.facts_of(session, list(found))
    slug = identity.slugs(session, [brand])[brand]
    return RefusedOperations(
        operations=[
            RefusedOperation(**told_operation(found[id], slug).model_dump(), order=orders.get(id, (None,))[0])
            for id in ids[:limit]
            if id in found
        ],
        next_cursor=str(ids[limit - 1]) if len(ids) > limit else None,
    )


def _told_refusal(row: Any) -> Refusal:
    receipt = None
    if row.tx_hash is not None and row.block_number is not None:
        receipt = Receipt(
            tx_hash=row.tx_hash,
            block_number=row.block_number,
            block_hash=row.block_hash or "",
            log_index=row.log_index or 0,
        )
    return Refusal(
        error=row.error,
        error_args=row.error_args,
        receipt=receipt,
        refused_at=rfc3339(row.refused_at_ms),
        asked_again_at=rfc3339(row.again_at_ms),
        fact=RefusedFact(**row.fact) if row.fact else None,
    )


_COUNTS = "SELECT state, kind, COUNT(*) FROM operation WHERE brand = ? GROUP BY state, kind"


def operation_counts(read: Snapshot, *, brand: int, kind: str | None) -> OperationCounts:
    """The brand's operations by state and by kind; every state is named, those without any as 0."""
    states: dict[OperationState, int] = dict.fromkeys(get_args(OperationState), 0)
    kinds: dict[str, int] = {}
    for state, found, number in read.rows(_COUNTS, brand):
        if kind in (None, found):
            states[state] += number
            kinds[found] = kinds.get(found, 0) + number
    return OperationCounts(states=states, kinds=kinds)


def told_operation_of(session: Session, operation_id: int) -> OperationPublic:
    found = operations.get(session.connection(), operation_id)
    assert found is not None, "an operation's row is made in the transaction that names it"
    return told_operation(found, _slug(session, found))


def _slug(session: Session, found: OperationView) -> str:
    return identity.slugs(session, [found.brand])[found.brand]


def told_operation(found: OperationView, slug: str) -> OperationPublic:
    """An operation as its owners see it. slug: what its brand is called."""
    receipt = None
    if found.tx_hash is not None and found.block_number is not None:
        receipt = Receipt(
            tx_hash=found.tx_hash,
            block_number=found.block_number,
            block_hash=found.block_hash or "",
            log_index=found.log_index or 0,
        )
    is_locked = found.state == operations.LOCKED
    waits = found.state == operations.WAITING and found.retry_at_ms is not None
    return OperationPublic(
        id=str(found.id),
        kind=found.kind,
        brand=slug,
        state=found.state,
        error=found.error,
        error_args=found.error_args,
        receipt=receipt,
        refusals=found.refusals,
        retry_at=rfc3339(found.retry_at_ms) if waits else None,
        retry_until=rfc3339(found.retry_until_ms) if found.retry_until_ms is not None else None,
        locked_until=rfc3339(found.due_at_ms) if is_locked and found.due_at_ms is not None else None,
        created_at=rfc3339(found.created_at_ms),
        updated_at=rfc3339(found.updated_at_ms),
    )


def member_of(session: Session, operation_id: int) -> str:
    """The member of whom the fact was that made an operation; "" when no fact did."""
    _, member = awards.facts_of(session, [operation_id]).get(operation_id, ("", ""))
    return member
