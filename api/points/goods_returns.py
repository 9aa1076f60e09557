"""Goods that came back: a fact of its own, which takes from the award of its purchase what the rule says.

What is refused here is what the contract would refuse too, by its names and values; here it costs nothing. The
contract remains the judge: what it refuses by then is the operation's outcome.
"""

from __future__ import annotations

from typing import Any

from sqlmodel import Session

from api.auth.callers import BrandCaller
from api.decisions import awards, returns
from api.decisions.models import GoodsReturn
from api.decisions.returns import Asked
from api.events import facts
from api.events.errors import OrderUnknown, ReturnConflict
from api.events.kinds import PURCHASE, RETURN
from api.events.models import Event
from api.events.schemas import ReturnAccepted, ReturnCreate, is_late
from api.kit.clock import now_ms, rfc3339
from api.kit.database import lock
from api.kit.settings import Settings
from api.members import service as identity
from api.points.balances import now_s
from api.points.errors import AwardUnknown, ReturnExceedsAward, ReturnTooLate
from api.points.operations import told_operation_of
from api.programmes.rates import return_terms
from api.writes.backlog import refuse_full
from chain.base.scalars import Address, BaseUnits, RegistryId
from chain.mirror.queries import blocks, programmes
from chain.outbox import calls, locked, operations
from chain.outbox.operations import Change, OperationView
from chain.storage.looks import looking


def take(session: Session, *, settings: Settings, caller: BrandCaller, wanted: ReturnCreate) -> None:
    """Asks for a return. Reported again it is the one that it was before; refused, it is asked for again.

    What comes back before its award was asked for (a rule's lock) is taken off it, with no operation of its own.
    """
    brand = caller.registry_id
    lock(session, f"brand:{brand}")
    slug = identity.brand_of(session, brand).slug
    purchase = facts.known(session, source=slug, kind=PURCHASE, ids=[wanted.order]).get(wanted.order)
    if purchase is None:
        raise OrderUnknown(f"{slug} reported no order {wanted.order}.", order=wanted.order)
    fact = session.get_one(Event, purchase.event)
    at_ms = now_ms()
    row = facts.row_of(RETURN, wanted, source=slug, subject=fact.subject, at_ms=at_ms)
    given = _award_of(session, purchase.event)
    asked = returns.of_award(session, given.id)
    until_ms = at_ms + 1000 * wanted.retry_for_s if wanted.retry_for_s else None

    before = facts.known(session, source=slug, kind=RETURN, ids=[wanted.id]).get(wanted.id)
    if before is not None:
        if before.content_hash != row["content_hash"]:
            raise ReturnConflict(
                f"Return {wanted.id} was reported before with another content; it counts once.",
                id=wanted.id,
                kept=facts.content_of(session.get_one(Event, before.event).model_dump()),
                sent=facts.content_of(row),
            )
        found = session.get_one(GoodsReturn, before.event)
        if found.operation is None or next(one for one in asked if one.operation.id == found.operation).counts:
            return
        # Its amount stays what it was: it may still be on a branch of the chain that comes back.
        _refuse(session, brand=brand, given=given, asked=asked, amount=int(found.base_amount))
        refuse_full(session, settings, brand=brand)
        operations.again(session, found.operation, Change(retry_until_ms=until_ms))
        return

    taken_off = _take_off(session, given=given, amount=wanted.amount)
    if taken_off is not None:
        [event] = facts.store(session, [row])
        session.add(GoodsReturn(event=event, award=given.id, base_amount=str(taken_off), decided_at_ms=at_ms))
        session.flush()
        return

    base_amount = _refuse(session, brand=brand, given=given, asked=asked, amount=wanted.amount)
    refuse_full(session, settings, brand=brand)
    operation = operations.enqueue(
        session.connection(),
        calls.goods_return(
            key=f"{RETURN.name}/{brand}/{wanted.id}",
            brand=brand,
            member=Address(given.ordering_key),
            award=given.operation_id or "",
            base_amount=BaseUnits(base_amount),
            retry_until_ms=until_ms,
        ),
    )
    [event] = facts.store(session, [row])
    session.add(
        GoodsReturn(operation=operation, event=event, award=given.id, base_amount=str(base_amount), decided_at_ms=at_ms)
    )
    session.flush()


def told_return(session: Session, *, brand: RegistryId, id: str) -> ReturnAccepted:
    """A brand's return as it was first reported, and what it took once the chain has it."""
    source = identity.brand_of(session, brand).slug
    fact = session.get_one(Event, facts.known(session, source=source, kind=RETURN, ids=[id])[id].event)
    row = session.get_one(GoodsReturn, fact.id)
    # Before its award was asked for nothing was given, so nothing is taken.
    result: dict[str, Any] = {"taken": "0", "missing": "0", "owes": "0"}
    if row.operation is not None:
        view = operations.get(session.connection(), row.operation)
        result = (view.result if view is not None else None) or {}
    missing, owes = result.get("missing"), result.get("owes") == "1"
    return ReturnAccepted(
        id=fact.external_id,
        order=fact.data["order"],
        member=fact.subject,
        amount=row.base_amount,
        occurred_at=rfc3339(fact.occurred_at_ms),
        received_at=rfc3339(fact.received_at_ms),
        late=is_late(occurred_at_ms=fact.occurred_at_ms, received_at_ms=fact.received_at_ms),
        award=str(row.award),
        operation=told_operation_of(session, row.award if row.operation is None else row.operation),
        taken=result.get("taken"),
        owed=missing if missing is None or owes else "0",
        forgiven=missing if missing is None or not owes else "0",
    )


def _award_of(session: Session, event: int) -> OperationView:
    operation = awards.operations_of(session, [event])[event]
    found = operations.get(session.connection(), operation)
    assert found is not None, "a fact and its operation are rows of one transaction"
    return found


def _take_off(session: Session, *, given: OperationView, amount: int | None) -> int | None:
    """What comes off an award that is still locked; None where the contract is to take it back."""
    if given.state not in (operations.LOCKED, operations.CANCELLED):
        return None
    wanted = int(given.payload["base_amount"]) if amount is None else amount
    left = 0
    if given.state == operations.LOCKED:
        back = locked.give_back(session, given.id, wanted)
        if back is None or back.kept < back.left or back.cancelled:
            return None if back is None else wanted
        left = back.left
    raise ReturnExceedsAward(
        f"{left} of this order is left, {wanted} was to come back.", baseAmount=str(wanted), left=str(left)
    )


def _refuse(
    session: Session, *, brand: RegistryId, given: OperationView, asked: list[Asked], amount: int | None
) -> int:
    """The base amount that comes back; raises what the contract would say to it."""
    points = (given.result or {}).get("points")
    if given.state in (operations.FAILED, operations.WAITING) or points == "0":
        raise AwardUnknown(
            "This order has no points that could come back: it earned none, or was refused.",
            brandId=str(brand),
            operationId=given.operation_id,
        )
    _refuse_late(session, brand=brand, given=given)
    counted = [one for one in asked if one.counts]
    base_amount = int(given.payload["base_amount"])
    left = base_amount - sum(int(one.row.base_amount) for one in counted)
    wanted = left if amount is None else amount
    if wanted > left or (left == 0 and (base_amount > 0 or counted)):
        raise ReturnExceedsAward(
            f"{left} of this order is left, {wanted} was to come back.", baseAmount=str(wanted), left=str(left)
        )
    return wanted


def _refuse_late(session: Session, *, brand: RegistryId, given: OperationView) -> None:
    """By the version that the award cites; what is still on its way is the contract's to judge."""
    if given.block_number is None or given.result is None:
        return
    look = looking(session)
    terms = programmes.terms(
        look, brand=brand, rule_id=str(given.result["ruleId"]), version=int(given.result["version"])
    )
    block = blocks.newest(look, up_to=given.block_number)
    if terms is None or block is None or block.number != given.block_number:
        return
    window_s = return_terms(terms)["return_window_s"]
    until, now = block.time + window_s, now_s(session)
    if window_s == 0 or now > until:
        raise ReturnTooLate(
            "The time in which goods of this order may come back is over.", until=str(until), now=str(now)
        )
