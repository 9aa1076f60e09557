"""Routes of badges: a member's own, and a brand's of its member."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from api.auth.callers import CALLER_PROBLEMS, ByBrand, ByMember, looked
from api.badges import service
from api.badges.schemas import BadgeList
from api.kit.container import state_of
from api.kit.problems import NodeUnavailable, RequestMalformed, responses
from api.kit.schemas import MemberId
from api.members import service as identity
from api.members.errors import MemberUnknown
from api.writes.strict import StrictRoute

router = APIRouter(prefix="/v1", route_class=StrictRoute)


@router.get(
    "/me/badges",
    tags=["member"],
    operation_id="listMyBadges",
    response_model=BadgeList,
    responses=responses(*CALLER_PROBLEMS, RequestMalformed, NodeUnavailable),
)
async def list_my_badges(request: Request, caller: ByMember) -> BadgeList:
    """The member's live badges at all brands, as the contract tells them now."""
    return await run_in_threadpool(service.held, state_of(request), member=caller.address)


@router.get(
    "/members/{member_id}/badges",
    tags=["brand"],
    operation_id="listMemberBadges",
    response_model=BadgeList,
    responses=responses(*CALLER_PROBLEMS, RequestMalformed, MemberUnknown, NodeUnavailable),
)
async def list_member_badges(request: Request, caller: ByBrand, member_id: MemberId) -> BadgeList:
    """A member's live badges of the calling brand; nothing of any other brand."""
    state = state_of(request)
    known = await state.database.reads.off_loop(
        lambda read: identity.member_of(read, brand=caller.registry_id, member_id=member_id)
    )
    await looked(request, caller, known.id)
    return await run_in_threadpool(service.held, state, member=known.address, only=caller.registry_id)
