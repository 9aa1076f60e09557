"""Routes of votes."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from sqlmodel import Session
from starlette.responses import Response

from api.auth.callers import CALLER_PROBLEMS, ByMember
from api.kit.problems import NodeUnavailable, responses
from api.members.errors import BrandUnknown
from api.points.operations import told_operation_of
from api.votes import service
from api.votes.errors import ListUnavailable, VoterNotListed, VoteUsed, VotingClosed
from api.votes.schemas import VoteCast, VotePublic
from api.votes.service import Placed
from api.writes.backlog import BacklogFull
from api.writes.strict import StrictRoute
from api.writes.unit_of_work import WRITE_PROBLEMS, Answer, Writes

router = APIRouter(prefix="/v1", route_class=StrictRoute)


@router.post(
    "/me/votes",
    tags=["member"],
    operation_id="castVote",
    status_code=202,
    response_model=VotePublic,
    responses=responses(
        *CALLER_PROBLEMS,
        *WRITE_PROBLEMS,
        BrandUnknown,
        VotingClosed,
        VoterNotListed,
        VoteUsed,
        ListUnavailable,
        NodeUnavailable,
        BacklogFull,
    )
    | {201: {"description": "Waited for: it is on the chain and mirrored.", "model": VotePublic}},
)
async def cast_vote(caller: ByMember, wanted: VoteCast, write: Writes) -> Response:
    """Votes on a proposal with the points that the member had of a brand before it; signed by the member's key."""

    def prepare() -> Placed:
        return service.placed(write.state, caller=caller, wanted=wanted)

    def effect(session: Session, place: Placed) -> Answer:
        return Answer(service.cast(session, state=write.state, caller=caller, wanted=wanted, place=place), 202)

    return await write.prepared(caller, prepare, effect, follow=_told_again)


def _told_again(session: Session, told: dict[str, Any]) -> VotePublic:
    """The same vote with its operation as it stands by now."""
    return VotePublic(**{**told, "operation": told_operation_of(session, int(told["operation"]["id"]))})
