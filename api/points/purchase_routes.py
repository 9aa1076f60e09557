"""Purchases: a kind of fact, and what it is worth. A thin top over events and decisions."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from pydantic import ValidationError
from sqlmodel import Session
from starlette.responses import Response

from api.auth.callers import CALLER_PROBLEMS, ByBrand
from api.events.errors import (
    CurrencyWrong,
    FreeNotZero,
    OccurredInFuture,
    OccurredTooEarly,
    PurchaseAboveCeiling,
    PurchaseConflict,
    RefusalNotFinal,
    RuleMissing,
    RuleUnread,
)
from api.events.kinds import PURCHASE
from api.events.memos import MemoMalformed, MemoTooLarge
from api.events.schemas import PurchaseAccepted, PurchaseCreate, PurchaseLine
from api.kit.amounts import AMOUNT_PROBLEMS
from api.kit.problems import Problem, of_validation, responses
from api.members.errors import MemberUnclear, MemberUnknown
from api.points import facts
from api.points.operations import told_purchase
from api.writes.backlog import BacklogFull
from api.writes.ndjson import NDJSON, LineMalformed, LinesTooMany, LineTooLong, either_body, is_ndjson, schema_of
from api.writes.strict import StrictRoute, takes_newlines
from api.writes.unit_of_work import WRITE_PROBLEMS, Answer, Writes

router = APIRouter(prefix="/v1", route_class=StrictRoute)


@router.post(
    "/purchases",
    tags=["brand"],
    operation_id="countPurchase",
    status_code=202,
    response_model=PurchaseAccepted,
    responses=responses(
        *CALLER_PROBLEMS,
        *WRITE_PROBLEMS,
        *AMOUNT_PROBLEMS,
        FreeNotZero,
        OccurredTooEarly,
        OccurredInFuture,
        MemberUnclear,
        MemberUnknown,
        CurrencyWrong,
        PurchaseAboveCeiling,
        PurchaseConflict,
        RefusalNotFinal,
        RuleMissing,
        RuleUnread,
        BacklogFull,
        MemoMalformed,
        MemoTooLarge,
        LineMalformed,
        LineTooLong,
        LinesTooMany,
    )
    | {
        200: {
            "description": "An NDJSON body: one answer line for each line, in order.",
            "content": {NDJSON: {"schema": schema_of(PurchaseLine)}},
        },
        201: {"description": "Waited for: the purchase is on the chain and mirrored.", "model": PurchaseAccepted},
    },
    openapi_extra=either_body(PurchaseCreate),
)
@takes_newlines
async def count_purchase(request: Request, caller: ByBrand, write: Writes) -> Response:
    """Counts a purchase: the points follow by the brand's published rule. An NDJSON body counts one a line."""
    if is_ndjson(request):
        return facts.receive_lines(caller, write, PURCHASE)
    try:
        programme = {"programme_start": write.state.settings.programme_start}
        wanted = PurchaseCreate.model_validate_json(await request.body(), context=programme)
    except ValidationError as fault:
        raise of_validation(fault.errors()) from None

    def effect(session: Session) -> Answer:
        settings = write.state.settings
        [found] = facts.count(session, settings=settings, brand=caller.registry_id, kind=PURCHASE, wanted=[wanted])
        if isinstance(found, Problem):
            raise found
        return Answer(told_purchase(session, found.operation), 202)

    def follow(session: Session, told: dict[str, Any]) -> PurchaseAccepted:
        return told_purchase(session, int(told["operation"]["id"]))

    return await write(caller, effect, follow=follow)
