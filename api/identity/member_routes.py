"""Routes by which a member sees and changes who it is."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Path, Request
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.auth.callers import CALLER_PROBLEMS, ByMember
from api.identity import claims, groups, links, merges, people, service, tries
from api.identity.errors import (
    ClaimExpired,
    ClaimTaken,
    ClaimUnknown,
    IdentifierUnknown,
    MergeRefused,
    MergeTooLarge,
    MergeUndone,
    MergeUnknown,
    TriesTooMany,
    UndoTooLate,
)
from api.identity.models import IdentifierLink
from api.identity.routes import MergePath
from api.identity.schemas import ClaimPublic, ClaimWanted, IdentifierList, MergeList, MergePublic
from api.kit.container import State, state_of
from api.kit.problems import RequestMalformed, responses
from api.members.errors import MemberUnknown
from api.vault.sealing import vault_of
from api.writes.strict import AS_TEXT, StrictRoute
from api.writes.unit_of_work import WRITE_PROBLEMS, Answer, Writes

router = APIRouter(prefix="/v1/me", tags=["member"], route_class=StrictRoute)
IdentifierId = Annotated[int, Path(ge=1, le=2**63 - 1, examples=["17"]), AS_TEXT]
CLAIMS_HOURLY_MAX: Final = 10
HOUR_S: Final = 3_600


@router.get(
    "/identifiers",
    operation_id="listMyIdentifiers",
    response_model=IdentifierList,
    responses=responses(*CALLER_PROBLEMS, MemberUnknown),
)
async def list_my_identifiers(request: Request, caller: ByMember) -> IdentifierList:
    """By what the member is known, masked, and where its points lie."""

    def read(state: State) -> IdentifierList:
        with Session(state.database.engine) as session:
            return service.identifiers(session, vault_of(state), member_id=caller.member_id)

    return await run_in_threadpool(read, state_of(request))


@router.delete(
    "/identifiers/{identifier_id}",
    operation_id="removeIdentifier",
    response_model=IdentifierList,
    responses=responses(*CALLER_PROBLEMS, *WRITE_PROBLEMS, IdentifierUnknown, MemberUnknown),
)
async def remove_identifier(caller: ByMember, identifier_id: IdentifierId, write: Writes) -> Response:
    """Takes away an identifier that the member proved. What brands call the member stays theirs."""
    vault = vault_of(write.state)

    def effect(session: Session) -> Answer:
        link = session.get(IdentifierLink, identifier_id)
        if link is None or link.member_id not in caller.member_ids or link.scope != links.PROVEN:
            raise IdentifierUnknown("You proved no such identifier.", identifier=str(identifier_id))
        root = groups.root_of(session, caller.member_id)
        people.take_away(session, member=root, link=link, actor=caller.actor)
        return Answer(service.identifiers(session, vault, member_id=root.id))

    return await write(caller, effect)


@router.get("/merges", operation_id="listMyMerges", response_model=MergeList, responses=responses(*CALLER_PROBLEMS))
async def list_my_merges(request: Request, caller: ByMember) -> MergeList:
    """What was made one with the member, why, and until when it can be undone."""

    def read(state: State) -> MergeList:
        with Session(state.database.engine) as session:
            return service.told_merges(session, group=caller.member_ids)

    return await run_in_threadpool(read, state_of(request))


@router.delete(
    "/merges/{merge_id}",
    operation_id="undoMyMerge",
    response_model=MergePublic,
    responses=responses(*CALLER_PROBLEMS, *WRITE_PROBLEMS, RequestMalformed, MergeUnknown, MergeUndone, UndoTooLate),
)
async def undo_my_merge(caller: ByMember, merge_id: MergePath, write: Writes) -> Response:
    """Undoes a merge of the member's own: that was somebody else."""

    def effect(session: Session) -> Answer:
        undone = merges.undo(session, merge_id=merge_id, actor=caller.actor, group=caller.member_ids)
        return Answer(service.told_merge(undone))

    return await write(caller, effect)


@router.post(
    "/claims",
    operation_id="claimReceipt",
    response_model=ClaimPublic,
    responses=responses(
        *CALLER_PROBLEMS, *WRITE_PROBLEMS, ClaimUnknown, ClaimTaken, ClaimExpired, MergeRefused, MergeTooLarge,
        TriesTooMany,
    ),
)  # fmt: skip
async def claim_receipt(caller: ByMember, wanted: ClaimWanted, write: Writes) -> Response:
    """Says that a guest's purchase was the member's own, by the code on the receipt. Once."""
    vault, _ = vault_of(write.state), write.key

    def count(session: Session) -> bool:
        return tries.within(
            session, vault, what="claim", who=caller.member_id, window_s=HOUR_S, limit=CLAIMS_HOURLY_MAX
        )

    # In a transaction of its own: what is refused is counted all the same.
    if not await run_in_threadpool(write.state.database.in_write, count):
        raise TriesTooMany("Too many codes in this hour; try again in the next one.")

    def effect(session: Session) -> Answer:
        found = claims.claim(session, vault=vault, member_id=caller.own_id, code=wanted.code, actor=caller.actor)
        return Answer(service.told_claim(found))

    return await write(caller, effect)
