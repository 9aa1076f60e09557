"""Returns of goods: what a purchase gave goes back with them. A thin top over events and decisions."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from sqlmodel import Session
from starlette.responses import Response

from api.auth.callers import CALLER_PROBLEMS, ByBrand
from api.events.errors import OccurredInFuture, OrderUnknown, ReturnConflict
from api.events.schemas import ReturnAccepted, ReturnCreate
from api.kit.amounts import AMOUNT_PROBLEMS
from api.kit.problems import responses
from api.points import goods_returns
from api.points.errors import AwardUnknown, ReturnExceedsAward, ReturnTooLate
from api.points.goods_returns import told_return
from api.writes.backlog import BacklogFull
from api.writes.strict import StrictRoute
from api.writes.unit_of_work import WRITE_PROBLEMS, Answer, Writes

router = APIRouter(prefix="/v1", route_class=StrictRoute)


@router.post(
    "/returns",
    tags=["brand"],
    operation_id="returnGoods",
    status_code=202,
    response_model=ReturnAccepted,
    responses=responses(
        *CALLER_PROBLEMS,
        *WRITE_PROBLEMS,
        *AMOUNT_PROBLEMS,
        OccurredInFuture,
        OrderUnknown,
        ReturnConflict,
        ReturnExceedsAward,
        ReturnTooLate,
        AwardUnknown,
        BacklogFull,
    )
    | {201: {"description": "Waited for: the return is on the chain and mirrored.", "model": ReturnAccepted}},
)
async def return_goods(caller: ByBrand, wanted: ReturnCreate, write: Writes) -> Response:
    """Goods of a purchase came back: its award then stands at what the rule pays for what was kept."""

    def effect(session: Session) -> Answer:
        goods_returns.take(session, settings=write.state.settings, caller=caller, wanted=wanted)
        return Answer(told_return(session, brand=caller.registry_id, id=wanted.id), 202)

    def follow(session: Session, told: dict[str, Any]) -> ReturnAccepted:
        return told_return(session, brand=caller.registry_id, id=told["id"])

    return await write(caller, effect, follow=follow)
