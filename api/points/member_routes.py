"""Routes of what a member asked for: its holds, and what became of each intention."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.auth.callers import CALLER_PROBLEMS, ByMember
from api.kit.container import State, state_of
from api.kit.problems import NodeUnavailable, RequestMalformed, responses
from api.kit.texts import patterned
from api.members.errors import BrandUnknown
from api.points import gathering, held, holds, intentions
from api.points.errors import ERC20InsufficientBalance, HoldUnknown
from api.points.routes import STEP_PROBLEMS, told_again, waited
from api.points.schemas import GatheredPublic, GatherPlace, HoldId, HoldPage, HoldPublic, IntentionKey, IntentionPublic
from api.writes.backlog import BacklogFull
from api.writes.strict import StrictRoute
from api.writes.unit_of_work import WRITE_PROBLEMS, Answer, Writes
from chain.contracts.authorisation import Domain

router = APIRouter(prefix="/v1/me", route_class=StrictRoute)

PAGE_MAX = 50
PAGE = 20
Place = Annotated[str, patterned("^[0-9]{1,15}-[0-9a-f]{32}$", "give the next_cursor of the page before, or none")]
Cursor = Annotated[Place | None, Query(description="`next_cursor` of the page before.", examples=[None])]
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX)]


@router.get(
    "/holds",
    tags=["member"],
    operation_id="listMyHolds",
    response_model=HoldPage,
    responses=responses(*CALLER_PROBLEMS, RequestMalformed),
)
async def list_my_holds(request: Request, caller: ByMember, cursor: Cursor = None, limit: Limit = PAGE) -> HoldPage:
    """The member's holds over all brands, the newest first, each as it stands."""

    def read(state: State) -> HoldPage:
        with Session(state.database.engine) as session:
            return held.of_member(session, caller=caller, cursor=cursor, limit=limit)

    return await run_in_threadpool(read, state_of(request))


@router.post(
    "/holds/{hold_id}/cancel",
    tags=["member"],
    operation_id="cancelMyHold",
    status_code=202,
    response_model=HoldPublic,
    responses=responses(*CALLER_PROBLEMS, *WRITE_PROBLEMS, HoldUnknown, *STEP_PROBLEMS) | waited(HoldPublic),
)
async def cancel_my_hold(caller: ByMember, hold_id: HoldId, write: Writes) -> Response:
    """Gives the member's whole hold back before a till takes it. One step of a hold is under way at a time: what the
    till began first is left to end."""

    def effect(session: Session) -> Answer:
        return Answer(holds.release(session, caller=caller, hold_id=hold_id), 202)

    return await write(caller, effect, follow=told_again)


@router.post(
    "/points/gather",
    tags=["member"],
    operation_id="gatherMyPoints",
    status_code=202,
    response_model=GatheredPublic,
    responses=responses(
        *CALLER_PROBLEMS, *WRITE_PROBLEMS, BrandUnknown, ERC20InsufficientBalance, NodeUnavailable, BacklogFull
    )
    | waited(GatheredPublic),
)
async def gather_my_points(caller: ByMember, wanted: GatherPlace, write: Writes) -> Response:
    """Moves all points of a brand from another address of the same person to the one that stands for all, each lot with
    its own end. They stay there, also when the merge is undone."""

    def prepare() -> Domain:
        with Session(write.state.database.engine) as session:
            token = gathering.asked(session, wanted=wanted).token
        return write.state.node.domain(gathering.CONTRACT, token)

    def effect(session: Session, domain: Domain) -> Answer:
        told = gathering.gather(session, state=write.state, domain=domain, caller=caller, wanted=wanted)
        return Answer(told, 202)

    def follow(session: Session, told: dict[str, Any]) -> GatheredPublic:
        return gathering.told(
            session, brand=told["brand"], source=told["from"], target=told["to"], operation=int(told["operation"]["id"])
        )

    return await write.prepared(caller, prepare, effect, follow=follow)


@router.get(
    "/intentions/{key}",
    tags=["member"],
    operation_id="getMyIntention",
    response_model=IntentionPublic,
    responses=responses(*CALLER_PROBLEMS, RequestMalformed),
)
async def get_my_intention(request: Request, caller: ByMember, key: IntentionKey) -> IntentionPublic:
    """What became of the write that the member asked for under this idempotency key. Asking changes nothing."""

    def read(state: State) -> IntentionPublic:
        with Session(state.database.engine) as session:
            return intentions.told(session, caller=caller, key=key)

    return await run_in_threadpool(read, state_of(request))


@router.post(
    "/intentions/{key}/withdraw",
    tags=["member"],
    operation_id="withdrawMyIntention",
    response_model=IntentionPublic,
    responses=responses(*CALLER_PROBLEMS, *WRITE_PROBLEMS),
)
async def withdraw_my_intention(caller: ByMember, key: IntentionKey, write: Writes) -> Response:
    """Makes sure that nothing asked under this key counts any more; what counted already is told as it stands."""

    def effect(session: Session) -> Answer:
        return Answer(intentions.withdraw(session, caller=caller, key=key), 200)

    return await write(caller, effect)
