"""Routes of operations: how far what was asked is, and what was refused."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool

from api.auth.callers import CALLER_PROBLEMS, ByBrand, ByBrandOrMember
from api.events.errors import OperationUnknown
from api.events.schemas import OperationCounts, OperationTold, RefusedOperations, RefusedState
from api.kit.container import State, state_of
from api.kit.problems import RequestMalformed, responses
from api.kit.texts import patterned
from api.points import operations as service
from api.writes.strict import AS_TEXT, StrictRoute

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
    return await run_in_threadpool(
        reads, lambda read: service.operation_counts(read, brand=caller.registry_id, kind=kind)
    )


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
            return service.refused(session, brand=caller.registry_id, state=state, cursor=cursor, limit=limit)

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
