"""Routes of journeys: holds from request to refund, exchanges."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.auth.callers import CALLER_PROBLEMS, ByBrand, ByBrandOrMember, ByMember, looked
from api.kit.amounts import AMOUNT_PROBLEMS
from api.kit.container import State, state_of
from api.kit.problems import NodeUnavailable, RequestMalformed, responses
from api.kit.schemas import ResponseModel
from api.members.errors import BrandUnknown, MemberUnclear, MemberUnknown
from api.points import exchanges, held, holds
from api.points.errors import (
    CaptureExceedsHold,
    ERC20InsufficientBalance,
    HoldBusy,
    HoldCodeWrong,
    HoldOver,
    HoldStateWrong,
    HoldStepsTooMany,
    HoldUnknown,
    PointsApart,
    RefundExceedsCapture,
)
from api.points.schemas import (
    EXAMPLE_CODE,
    ExchangeCreate,
    ExchangePublic,
    HoldCapture,
    HoldCode,
    HoldId,
    HoldPlace,
    HoldPublic,
    HoldRefund,
)
from api.programmes.errors import AgreementUnknown, OutBelowMinimum, OutTooLarge, VersionChanged
from api.writes.backlog import BacklogFull
from api.writes.strict import StrictRoute
from api.writes.unit_of_work import WRITE_PROBLEMS, Answer, Writes
from chain.contracts.authorisation import Domain

router = APIRouter(prefix="/v1", route_class=StrictRoute)

Code = Annotated[HoldCode, Query(description="As the member's wallet shows it.", examples=[EXAMPLE_CODE])]


# What any step of a hold may be refused for.
STEP_PROBLEMS = (HoldStateWrong, HoldBusy, HoldStepsTooMany)


def waited(model: type[ResponseModel]) -> dict[int | str, dict[str, Any]]:
    return {201: {"description": "Waited for: it is on the chain and mirrored.", "model": model}}


@router.post(
    "/holds",
    tags=["brand", "member"],
    operation_id="placeHold",
    status_code=202,
    response_model=HoldPublic,
    responses=responses(
        *CALLER_PROBLEMS,
        *WRITE_PROBLEMS,
        *AMOUNT_PROBLEMS,
        MemberUnclear,
        MemberUnknown,
        BrandUnknown,
        ERC20InsufficientBalance,
        PointsApart,
        NodeUnavailable,
        BacklogFull,
    )
    | waited(HoldPublic),
)
async def place_hold(caller: ByBrandOrMember, wanted: HoldPlace, write: Writes) -> Response:
    """Sets a member's points aside, by the member's signed authorisation."""

    def prepare() -> Domain:
        return write.state.node.domain("RedemptionDesk")

    def effect(session: Session, domain: Domain) -> Answer:
        return Answer(holds.place(session, state=write.state, domain=domain, caller=caller, wanted=wanted), 202)

    return await write.prepared(caller, prepare, effect, follow=told_again)


@router.get(
    "/holds",
    tags=["brand"],
    operation_id="findHold",
    response_model=HoldPublic,
    responses=responses(*CALLER_PROBLEMS, RequestMalformed, HoldCodeWrong, HoldUnknown),
)
async def find_hold(request: Request, caller: ByBrand, code: Code) -> HoldPublic:
    """The brand's hold of which a member read out the code."""

    def read(state: State) -> HoldPublic:
        with Session(state.database.engine) as session:
            return held.by_code(session, caller=caller, code=code)

    found = await run_in_threadpool(read, state_of(request))
    await looked(request, caller, found.member)
    return found


@router.get(
    "/holds/{hold_id}",
    tags=["brand", "member"],
    operation_id="getHold",
    response_model=HoldPublic,
    responses=responses(*CALLER_PROBLEMS, RequestMalformed, HoldUnknown),
)
async def get_hold(request: Request, caller: ByBrandOrMember, hold_id: HoldId) -> HoldPublic:
    """A hold of the caller's."""

    def read(state: State) -> HoldPublic:
        with Session(state.database.engine) as session:
            return holds.to_public(session, holds.hold_of(session, caller=caller, hold_id=hold_id))

    found = await run_in_threadpool(read, state_of(request))
    await looked(request, caller, found.member)
    return found


@router.post(
    "/holds/{hold_id}/capture",
    tags=["brand"],
    operation_id="captureHold",
    status_code=202,
    response_model=HoldPublic,
    responses=responses(
        *CALLER_PROBLEMS,
        *WRITE_PROBLEMS,
        *AMOUNT_PROBLEMS,
        HoldUnknown,
        *STEP_PROBLEMS,
        HoldOver,
        CaptureExceedsHold,
    )
    | waited(HoldPublic),
)
async def capture_hold(caller: ByBrand, hold_id: HoldId, write: Writes, wanted: HoldCapture | None = None) -> Response:
    """Burns held points, all or some; the rest goes back to the member."""

    def effect(session: Session) -> Answer:
        points = None if wanted is None else wanted.points
        return Answer(holds.capture(session, caller=caller, hold_id=hold_id, points=points), 202)

    return await write(caller, effect, follow=told_again)


@router.post(
    "/holds/{hold_id}/release",
    tags=["brand"],
    operation_id="releaseHold",
    status_code=202,
    response_model=HoldPublic,
    responses=responses(*CALLER_PROBLEMS, *WRITE_PROBLEMS, HoldUnknown, *STEP_PROBLEMS) | waited(HoldPublic),
)
async def release_hold(caller: ByBrand, hold_id: HoldId, write: Writes) -> Response:
    """Gives the whole hold back to the member."""

    def effect(session: Session) -> Answer:
        return Answer(holds.release(session, caller=caller, hold_id=hold_id), 202)

    return await write(caller, effect, follow=told_again)


@router.post(
    "/holds/{hold_id}/refund",
    tags=["brand"],
    operation_id="refundHold",
    status_code=202,
    response_model=HoldPublic,
    responses=responses(
        *CALLER_PROBLEMS, *WRITE_PROBLEMS, *AMOUNT_PROBLEMS, HoldUnknown, *STEP_PROBLEMS, RefundExceedsCapture
    )
    | waited(HoldPublic),
)
async def refund_hold(caller: ByBrand, hold_id: HoldId, write: Writes, wanted: HoldRefund | None = None) -> Response:
    """Gives captured points back, all or some, with the expiry that they had."""

    def effect(session: Session) -> Answer:
        points = None if wanted is None else wanted.points
        return Answer(holds.refund(session, caller=caller, hold_id=hold_id, points=points), 202)

    return await write(caller, effect, follow=told_again)


@router.post(
    "/exchanges",
    tags=["member"],
    operation_id="exchange",
    status_code=202,
    response_model=ExchangePublic,
    responses=responses(
        *CALLER_PROBLEMS,
        *WRITE_PROBLEMS,
        *AMOUNT_PROBLEMS,
        BrandUnknown,
        AgreementUnknown,
        VersionChanged,
        OutBelowMinimum,
        OutTooLarge,
        ERC20InsufficientBalance,
        PointsApart,
        NodeUnavailable,
        BacklogFull,
    )
    | waited(ExchangePublic),
)
async def exchange(caller: ByMember, wanted: ExchangeCreate, write: Writes) -> Response:
    """Exchanges points of one brand for another's, as quoted: at least `minimum_out`, or refused."""

    def prepare() -> exchanges.Agreed:
        return exchanges.agreed(write.state, wanted=wanted)

    def effect(session: Session, terms: exchanges.Agreed) -> Answer:
        told = exchanges.exchange(session, state=write.state, caller=caller, wanted=wanted, terms=terms)
        return Answer(told, 202)

    def follow(session: Session, told: dict[str, Any]) -> ExchangePublic:
        return exchanges.to_public(session, exchanges.exchange_of(session, exchange_id=told["id"]))

    return await write.prepared(caller, prepare, effect, follow=follow)


def told_again(session: Session, told: dict[str, Any]) -> HoldPublic:
    return holds.to_public(session, holds.hold_by_id(session, hold_id=told["id"]))
