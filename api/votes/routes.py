"""Routes of votes."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.auth.callers import CALLER_PROBLEMS, ByMember
from api.kit.container import state_of
from api.kit.problems import ContractRefused, NodeUnavailable, RequestMalformed, responses
from api.members.errors import BrandUnknown
from api.points.operations import told_operation_of
from api.votes import proposals, service
from api.votes.errors import ListUnavailable, VoterNotListed, VoteUsed, VotingClosed
from api.votes.schemas import ProposalId, ProposalList, ProposalTold, VoteCast, VotePublic
from api.votes.service import Placed
from api.writes.backlog import BacklogFull
from api.writes.strict import StrictRoute
from api.writes.unit_of_work import WRITE_PROBLEMS, Answer, Writes

router = APIRouter(prefix="/v1", route_class=StrictRoute)
PAGE_MAX = 50
PAGE = 20
ProposalPath = Annotated[ProposalId, Path(examples=["1"])]
Cursor = Annotated[ProposalId | None, Query(description="`next_cursor` of the page before.", examples=[None])]
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX)]


@router.get(
    "/proposals",
    tags=["public"],
    operation_id="listProposals",
    response_model=ProposalList,
    responses=responses(RequestMalformed, NodeUnavailable),
)
async def list_proposals(request: Request, cursor: Cursor = None, limit: Limit = PAGE) -> ProposalList:
    """What brands and members proposed, the newest first, with its state and what both houses say up to now."""
    before = int(cursor) if cursor is not None else None
    return await run_in_threadpool(proposals.page, state_of(request), before=before, limit=limit)


@router.get(
    "/proposals/{proposal}",
    tags=["public"],
    operation_id="getProposal",
    response_model=ProposalTold,
    responses=responses(RequestMalformed, NodeUnavailable, ContractRefused),
)
async def get_proposal(request: Request, proposal: ProposalPath) -> ProposalTold:
    """One of them with the points of each brand's members, and the lists of balances with their challenge's end."""
    return await run_in_threadpool(proposals.one, state_of(request), proposal=int(proposal))


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
