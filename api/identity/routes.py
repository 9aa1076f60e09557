"""Routes of identity: what a brand says of people, what support does, the published rules."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.auth.callers import CALLER_PROBLEMS, ByBrand, ByOperator, looked
from api.identity import claims, merges, resolving, service
from api.identity.errors import (
    IdentifierMalformed,
    IdentifiersMissing,
    MergeRefused,
    MergeTooLarge,
    MergeUndone,
    MergeUnknown,
    PhoneUnclear,
    UndoTooLate,
)
from api.identity.schemas import (
    EXAMPLE_MERGE,
    GuestMade,
    IdentifierList,
    IdentityPolicy,
    MergeId,
    MergePreview,
    MergePublic,
    MergeWanted,
    ResolvedPublic,
    ResolveWanted,
)
from api.kit.container import State, state_of
from api.kit.problems import RequestMalformed, responses
from api.kit.schemas import EXAMPLE_MEMBER, MemberId
from api.members.errors import MemberUnknown
from api.vault.sealing import vault_of
from api.writes.strict import StrictRoute
from api.writes.unit_of_work import WRITE_PROBLEMS, Answer, Writes

router = APIRouter(prefix="/v1", route_class=StrictRoute)
MergePath = Annotated[MergeId, Path(examples=[EXAMPLE_MERGE])]
Named = Annotated[MemberId, Query(examples=[EXAMPLE_MEMBER])]


@router.get("/identity/policy", tags=["public"], operation_id="getIdentityPolicy", response_model=IdentityPolicy)
async def get_identity_policy() -> IdentityPolicy:
    """How people are told apart and put together: kinds, limits, blocked values, times. For anyone."""
    return service.policy()


@router.post(
    "/identity/resolve",
    tags=["brand"],
    operation_id="resolveMember",
    response_model=ResolvedPublic,
    responses=responses(
        *CALLER_PROBLEMS, *WRITE_PROBLEMS, IdentifierMalformed, PhoneUnclear, IdentifiersMissing, MergeRefused,
        MergeTooLarge,
    ),
)  # fmt: skip
async def resolve_member(caller: ByBrand, wanted: ResolveWanted, write: Writes) -> Response:
    """Finds the brand's member by what the brand knows: e-mail, telephone, till number, card, cookie, its own name.

    Who is unknown is made. Of what would make one person of two, the identifier that counts least is left out.
    """
    vault = vault_of(write.state)

    def effect(session: Session) -> Answer:
        found = resolving.resolve(
            session,
            vault=vault,
            keystore=write.state.keystore,
            brand_id=caller.registry_id,
            wanted=wanted.identifiers,
            actor=caller.actor,
        )
        return Answer(service.told_resolved(found))

    return await write(caller, effect)


@router.post(
    "/guests",
    tags=["brand"],
    operation_id="makeGuest",
    status_code=201,
    response_model=GuestMade,
    responses=responses(*CALLER_PROBLEMS, *WRITE_PROBLEMS),
)
async def make_guest(caller: ByBrand, write: Writes) -> Response:
    """Makes a guest for a purchase without a member: report it for `member`, print `code` on the receipt."""
    vault = vault_of(write.state)

    def effect(session: Session) -> Answer:
        made, guest, code = claims.make_guest(
            session, vault=vault, keystore=write.state.keystore, brand_id=caller.registry_id, actor=caller.actor
        )
        return Answer(service.told_guest(made, guest, code), 201, stored=service.told_guest(made, guest, None))

    return await write(caller, effect)


@router.get(
    "/identity/merges/preview",
    tags=["operator"],
    operation_id="previewMerge",
    response_model=MergePreview,
    responses=responses(*CALLER_PROBLEMS, RequestMalformed, MemberUnknown, MergeRefused),
)
async def preview_merge(request: Request, caller: ByOperator, one: Named, other: Named) -> MergePreview:
    """What a merge of two members would do, and what speaks against it."""
    for member_id in (one, other):
        await looked(request, caller, member_id)

    def read(state: State) -> MergePreview:
        with Session(state.database.engine) as session:
            return MergePreview.model_validate(merges.preview(session, vault_of(state), one=one, other=other))

    return await run_in_threadpool(read, state_of(request))


@router.post(
    "/identity/merges",
    tags=["operator"],
    operation_id="mergeMembers",
    status_code=201,
    response_model=MergePublic,
    responses=responses(*CALLER_PROBLEMS, *WRITE_PROBLEMS, MemberUnknown, MergeRefused, MergeTooLarge),
)
async def merge_members(caller: ByOperator, wanted: MergeWanted, write: Writes) -> Response:
    """Makes two members one person. Their points stay where they are; it can be undone for 30 days."""
    vault = vault_of(write.state)

    def effect(session: Session) -> Answer:
        made, _ = merges.merge(
            session,
            vault,
            one=wanted.one,
            other=wanted.other,
            reason="support",
            why={"case": wanted.case},
            actor=caller.actor,
        )
        if made is None:
            raise MergeRefused("These are one member already.")
        return Answer(service.told_merge(made), 201)

    return await write(caller, effect)


@router.delete(
    "/identity/merges/{merge_id}",
    tags=["operator"],
    operation_id="undoMerge",
    response_model=MergePublic,
    responses=responses(*CALLER_PROBLEMS, *WRITE_PROBLEMS, MergeUnknown, MergeUndone, UndoTooLate),
)
async def undo_merge(caller: ByOperator, merge_id: MergePath, write: Writes) -> Response:
    """Makes two of one again, within 30 days: each with exactly what came to it."""

    def effect(session: Session) -> Answer:
        return Answer(service.told_merge(merges.undo(session, merge_id=merge_id, actor=caller.actor)))

    return await write(caller, effect)


@router.get(
    "/members/{member_id}/identifiers",
    tags=["operator"],
    operation_id="listIdentifiers",
    response_model=IdentifierList,
    responses=responses(*CALLER_PROBLEMS, RequestMalformed, MemberUnknown),
)
async def list_identifiers(request: Request, caller: ByOperator, member_id: MemberId) -> IdentifierList:
    """A member's identifiers, masked."""
    await looked(request, caller, member_id)

    def read(state: State) -> IdentifierList:
        with Session(state.database.engine) as session:
            return service.identifiers(session, vault_of(state), member_id=member_id)

    return await run_in_threadpool(read, state_of(request))
