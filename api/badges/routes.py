"""Routes of badges: a member's own, and a brand's of its member."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.auth.callers import CALLER_PROBLEMS, ByBrand, ByMember, looked
from api.badges import giving, service
from api.badges.errors import BadgeConflict, BadgeGiverElsewhere, BadgeNotWithdrawable, GivingOver, MemberRepeated
from api.badges.schemas import (
    BadgeDefinitionList,
    BadgeList,
    BadgeOperation,
    BadgesGive,
    BadgeWithdraw,
    DefinitionId,
)
from api.kit.addresses import Address, AddressMalformed
from api.kit.container import state_of
from api.kit.problems import NodeUnavailable, RequestMalformed, responses
from api.kit.schemas import EXAMPLE_ADDRESS, MemberId, Slug
from api.members import service as identity
from api.members.errors import BrandUnknown, MemberUnknown
from api.writes.backlog import BacklogFull
from api.writes.strict import StrictRoute
from api.writes.unit_of_work import WRITE_PROBLEMS, Answer, Writes
from chain.base.scalars import Address as ChainAddress

router = APIRouter(prefix="/v1", route_class=StrictRoute)
Account = Annotated[Address, Path(examples=[EXAMPLE_ADDRESS])]
PAGE_MAX = 100
PAGE = 100
SlugPath = Annotated[Slug, Path(examples=["cdnow"])]
Cursor = Annotated[DefinitionId | None, Query(description="`next_cursor` of the page before.", examples=[None])]
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX)]
ASKED = (
    *CALLER_PROBLEMS,
    *WRITE_PROBLEMS,
    MemberUnknown,
    BadgeConflict,
    BadgeGiverElsewhere,
    NodeUnavailable,
    BacklogFull,
)
WAITED: dict[int | str, dict[str, Any]] = {
    201: {"description": "Waited for: it is on the chain and mirrored.", "model": BadgeOperation}
}


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


@router.get(
    "/brands/{slug}/badges",
    tags=["public"],
    operation_id="listBadgeDefinitions",
    response_model=BadgeDefinitionList,
    responses=responses(RequestMalformed, BrandUnknown, NodeUnavailable),
)
async def list_badge_definitions(
    request: Request, slug: SlugPath, cursor: Cursor = None, limit: Limit = PAGE
) -> BadgeDefinitionList:
    """What a brand published of its tiers, missions and achievements, as the contract tells it now."""
    after = int(cursor) if cursor is not None else 0
    return await run_in_threadpool(service.defined, state_of(request), slug=slug, after=after, limit=limit)


@router.get(
    "/brands/{slug}/badges/{address}",
    tags=["public"],
    operation_id="listAccountBadges",
    response_model=BadgeList,
    responses=responses(RequestMalformed, AddressMalformed, BrandUnknown, NodeUnavailable),
)
async def list_account_badges(request: Request, slug: SlugPath, address: Account) -> BadgeList:
    """An account's live badges at a brand: what the chain tells anyone of an address."""
    return await run_in_threadpool(service.held_at, state_of(request), slug=slug, account=ChainAddress(address))


@router.post(
    "/badges",
    tags=["brand"],
    operation_id="giveBadges",
    status_code=202,
    response_model=BadgeOperation,
    responses=responses(*ASKED, GivingOver, MemberRepeated) | WAITED,
)
async def give_badges(caller: ByBrand, wanted: BadgesGive, write: Writes) -> Response:
    """Gives badges of a definition to up to 100 members; who cannot have it is refused alone. Given again, one with a
    validity is renewed."""

    def prepare() -> None:
        giving.refuse_definition(write.state, brand=caller.registry_id, definition=wanted.definition, giving=True)

    def effect(session: Session, _: None) -> Answer:
        made = giving.give(session, write.state, caller=caller, wanted=wanted)
        return Answer(giving.told(session, made), 202)

    return await write.prepared(caller, prepare, effect, follow=giving.told_again)


@router.post(
    "/badges/withdrawals",
    tags=["brand"],
    operation_id="withdrawBadge",
    status_code=202,
    response_model=BadgeOperation,
    responses=responses(*ASKED, BadgeNotWithdrawable) | WAITED,
)
async def withdraw_badge(caller: ByBrand, wanted: BadgeWithdraw, write: Writes) -> Response:
    """Takes a member's badge back, where its definition allows that."""

    def prepare() -> None:
        giving.refuse_definition(write.state, brand=caller.registry_id, definition=wanted.definition, giving=False)

    def effect(session: Session, _: None) -> Answer:
        made = giving.withdraw(session, write.state, caller=caller, wanted=wanted)
        return Answer(giving.told(session, made), 202)

    return await write.prepared(caller, prepare, effect, follow=giving.told_again)
