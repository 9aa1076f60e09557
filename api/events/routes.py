"""Routes of events: purchases in, operations looked up."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import ValidationError
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.auth.callers import CALLER_PROBLEMS, ByBrand, ByBrandOrMember
from api.events import service
from api.events.errors import (
    CurrencyWrong,
    FreeNotZero,
    OccurredInFuture,
    OccurredTooEarly,
    OperationUnknown,
    PurchaseConflict,
    RefusalNotFinal,
    RuleMissing,
)
from api.events.memos import MemoMalformed, MemoTooLarge
from api.events.purchases import purchase_lines
from api.events.schemas import (
    OperationCounts,
    OperationTold,
    PurchaseAccepted,
    PurchaseCreate,
    PurchaseLine,
    RefusedOperations,
    RefusedState,
)
from api.kit.amounts import AMOUNT_PROBLEMS
from api.kit.container import State, state_of
from api.kit.problems import RequestMalformed, of_validation, responses
from api.kit.texts import patterned
from api.members.errors import MemberUnclear, MemberUnknown
from api.writes.backlog import BacklogFull
from api.writes.ndjson import NDJSON, LineMalformed, LinesTooMany, LineTooLong, either_body, is_ndjson, schema_of
from api.writes.strict import AS_TEXT, StrictRoute, takes_newlines
from api.writes.unit_of_work import WRITE_PROBLEMS, Answer, Writes

router = APIRouter(prefix="/v1", route_class=StrictRoute)

KindName = Annotated[str, patterned("^[a-z_]{1,32}$", "a kind is 1 to 32 of a-z and _, such as award")]
Kind = Annotated[KindName | None, Query(examples=["award"])]
PAGE_MAX = 500
PAGE = 100
RefusedOnly = Annotated[RefusedState | None, Query(description="Only these; both without it.", examples=["failed"])]
Place = Annotated[str, patterned("^[1-9][0-9]{0,17}$", "give the next_cursor of the page before, or none")]
Cursor = Annotated[Place | None, Query(description="`next_cursor` of the page before.", examples=[None])]
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX)]
OperationId = Annotated[int, Path(ge=1, le=2**63 - 1, examples=["17"]), AS_TEXT]


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
        PurchaseConflict,
        RefusalNotFinal,
        RuleMissing,
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
        return purchase_lines(caller, write)
    try:
        programme = {"programme_start": write.state.settings.programme_start}
        wanted = PurchaseCreate.model_validate_json(await request.body(), context=programme)
    except ValidationError as fault:
        raise of_validation(fault.errors()) from None

    def effect(session: Session) -> Answer:
        state = write.state
        told = service.count_one(
            session, settings=state.settings, deployment=state.deployment, slug=caller.slug, wanted=wanted
        )
        return Answer(told, 202)

    def follow(session: Session, told: dict[str, Any]) -> PurchaseAccepted:
        return service.told_purchase(session, int(told["operation"]["id"]))

    return await write(caller, effect, follow=follow)


@router.get(
    "/operations",
    tags=["brand"],
    operation_id="operationCounts",
    response_model=OperationCounts,
    responses=responses(*CALLER_PROBLEMS, RequestMalformed),
)
async def operation_counts(request: Request, caller: ByBrand, kind: Kind = None) -> OperationCounts:
    """How many of the brand's operations are in which state."""
    reads = state_of(request).database.reads
    return await run_in_threadpool(reads, lambda read: service.operation_counts(read, slug=caller.slug, kind=kind))


@router.get(
    "/operations/refused",
    tags=["brand"],
    operation_id="refusedOperations",
    response_model=RefusedOperations,
    responses=responses(*CALLER_PROBLEMS, RequestMalformed),
)
async def refused_operations(
    request: Request, caller: ByBrand, state: RefusedOnly = None, cursor: Cursor = None, limit: Limit = PAGE
) -> RefusedOperations:
    """The brand's operations that were refused, and those that wait to be asked again, newest first, each with its
    reason."""

    def read(found: State) -> RefusedOperations:
        with Session(found.database.engine) as session:
            return service.refused(session, brand=caller.slug, state=state, cursor=cursor, limit=limit)

    return await run_in_threadpool(read, state_of(request))


@router.get(
    "/operations/{operation_id}",
    tags=["brand", "member"],
    operation_id="getOperation",
    response_model=OperationTold,
    responses=responses(*CALLER_PROBLEMS, RequestMalformed, OperationUnknown),
)
async def get_operation(request: Request, caller: ByBrandOrMember, operation_id: OperationId) -> OperationTold:
    """An operation of the caller's: how far it is, where on the chain, and what refused it before."""

    def read(state: State) -> OperationTold:
        with Session(state.database.engine) as session:
            return service.operation_of(session, caller=caller, operation_id=operation_id)

    return await run_in_threadpool(read, state_of(request))
