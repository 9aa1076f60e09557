"""Routes of privacy: for anyone, for the member itself, and for a brand that asks before it does."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api import audit_log
from api.auth.callers import CALLER_PROBLEMS, ByBrand, ByMember, looked
from api.events import memos
from api.kit.container import State, state_of
from api.kit.problems import RequestMalformed, responses
from api.kit.schemas import MemberId
from api.members import service as members
from api.members.errors import MemberUnknown
from api.members.schemas import MemberReference
from api.privacy import accesses, archive, consents, erasure, service
from api.privacy.errors import (
    ConsentNotYetSaid,
    ConsentTextUnknown,
    ErasureUnconfirmed,
    ExportTooLarge,
    QuietHoursMalformed,
)
from api.privacy.schemas import (
    Access,
    AccessList,
    ConsentList,
    ConsentPublic,
    ConsentReported,
    ConsentSaid,
    ConsentTexts,
    DataPage,
    ErasureMade,
    ErasureWanted,
    MayPublic,
    Preferences,
    PreferencesPublic,
)
from api.privacy.texts import Channel, Purpose
from api.vault.sealing import vault_of
from api.writes.strict import StrictRoute
from api.writes.unit_of_work import WRITE_PROBLEMS, Answer, Writes

router = APIRouter(prefix="/v1", route_class=StrictRoute)
CONFIRM: Final = "erase everything"
ZIP: Final = "application/zip"


@router.get("/privacy/data", tags=["public"], operation_id="getDataPage", response_model=DataPage)
async def get_data_page() -> DataPage:
    """What is kept of people, why, by which right and until when. For anyone."""
    return service.data_page()


@router.get("/privacy/texts", tags=["public"], operation_id="getConsentTexts", response_model=ConsentTexts)
async def get_consent_texts() -> ConsentTexts:
    """What people agree to, in every version, in English and Korean. For anyone."""
    return service.texts()


@router.get(
    "/me/consents", tags=["member"], operation_id="listMyConsents", response_model=ConsentList,
    responses=responses(*CALLER_PROBLEMS),
)  # fmt: skip
async def list_my_consents(request: Request, caller: ByMember) -> ConsentList:
    """Every word of consent, with where and when it was said and the text that was seen."""

    def read(state: State) -> ConsentList:
        with Session(state.database.engine) as session:
            return service.told_words(session, member_ids=caller.member_ids)

    return await run_in_threadpool(read, state_of(request))


@router.post(
    "/me/consents",
    tags=["member"],
    operation_id="sayConsent",
    status_code=201,
    response_model=ConsentPublic,
    responses=responses(*CALLER_PROBLEMS, *WRITE_PROBLEMS, ConsentTextUnknown, MemberUnknown),
)
async def say_consent(caller: ByMember, wanted: ConsentSaid, write: Writes) -> Response:
    """Agrees to a purpose by a channel, or ends it. It counts from the next read on."""

    def effect(session: Session) -> Answer:
        said = [
            consents.say(
                session,
                member_id=member_id,
                purpose=wanted.purpose,
                channel=wanted.channel,
                granted=wanted.granted,
                text_version=wanted.text_version,
                source=consents.MEMBER,
                actor=caller.actor,
            )
            # The person's word, whichever of its members it said another one before.
            for member_id in caller.member_ids
        ]
        return Answer(service.told_word(said[0]), 201)

    return await write(caller, effect)


@router.get(
    "/me/preferences", tags=["member"], operation_id="getMyPreferences", response_model=PreferencesPublic,
    responses=responses(*CALLER_PROBLEMS),
)  # fmt: skip
async def get_my_preferences(request: Request, caller: ByMember) -> PreferencesPublic:
    """How the member wants to be left alone."""

    def read(state: State) -> PreferencesPublic:
        with Session(state.database.engine) as session:
            return service.preferences_of(session, member_ids=caller.member_ids)

    return await run_in_threadpool(read, state_of(request))


@router.put(
    "/me/preferences",
    tags=["member"],
    operation_id="setMyPreferences",
    response_model=PreferencesPublic,
    responses=responses(*CALLER_PROBLEMS, *WRITE_PROBLEMS, QuietHoursMalformed, MemberUnknown),
)
async def set_my_preferences(caller: ByMember, wanted: Preferences, write: Writes) -> Response:
    """Sets quiet hours, time zone and pause, all at once."""

    def effect(session: Session) -> Answer:
        return Answer(service.preferred(session, member_ids=caller.member_ids, wanted=wanted))

    return await write(caller, effect)


@router.get(
    "/me/accesses", tags=["member"], operation_id="listMyAccesses", response_model=AccessList,
    responses=responses(*CALLER_PROBLEMS),
)  # fmt: skip
async def list_my_accesses(request: Request, caller: ByMember) -> AccessList:
    """Who looked at the member and what was done about it, the newest first, each with its place in the log."""

    def read(state: State) -> AccessList:
        with Session(state.database.engine) as session:
            found = accesses.of(session, member_ids=caller.member_ids)
            return AccessList(accesses=[Access(**one) for one in found])

    return await run_in_threadpool(read, state_of(request))


@router.get(
    "/me/export",
    tags=["member"],
    operation_id="exportMe",
    response_class=Response,
    responses=responses(*CALLER_PROBLEMS, ExportTooLarge)
    | {200: {"description": "A zip of JSON files.", "content": {ZIP: {"schema": {"type": "string"}}}}},
)
async def export_me(request: Request, caller: ByMember) -> Response:
    """Everything that is kept of the member, in one archive with a manifest of hashes."""

    def read(state: State) -> bytes:
        audit_log.record_now(state.database, "personal.exported", actor=caller.actor, subject=caller.actor)
        with Session(state.database.engine) as session:
            looks = accesses.of(session, member_ids=caller.member_ids)
            return archive.archive(
                session, vault_of(state), member_ids=caller.member_ids, addresses=caller.addresses, accesses=looks
            )

    content = await run_in_threadpool(read, state_of(request))
    headers = {"Cache-Control": "private, no-store", "Content-Disposition": 'attachment; filename="moa.zip"'}
    return Response(content, media_type=ZIP, headers=headers)


@router.post(
    "/me/erasure",
    tags=["member"],
    operation_id="eraseMe",
    response_model=ErasureMade,
    responses=responses(*CALLER_PROBLEMS, *WRITE_PROBLEMS, ErasureUnconfirmed),
)
async def erase_me(caller: ByMember, wanted: ErasureWanted, write: Writes) -> Response:
    """Forgets the member: key and salts are destroyed, sessions end, points cannot be reached any more. For ever."""
    if wanted.confirm != CONFIRM:
        raise ErasureUnconfirmed(f"Confirm with the words: {CONFIRM}.")
    state, vault = write.state, vault_of(write.state)

    def effect(session: Session) -> Answer:
        told = erasure.erase(session, vault, state.keystore, member_ids=caller.member_ids, actor=caller.actor)
        made = ErasureMade.model_validate(told)
        return Answer(made, stored=made.model_copy(update={"nonce": None}))

    answer = await write(caller, effect)
    await run_in_threadpool(memos.purge, state.database.engine)
    return answer


@router.get(
    "/members/{member_id}/consent",
    tags=["brand"],
    operation_id="mayI",
    response_model=MayPublic,
    responses=responses(*CALLER_PROBLEMS, RequestMalformed, MemberUnknown),
)
async def may_i(
    request: Request,
    caller: ByBrand,
    member_id: MemberId,
    purpose: Annotated[Purpose, Query(examples=["marketing"])],
    channel: Annotated[Channel, Query(examples=["email"])],
) -> MayPublic:
    """Whether the brand may do this for its member, now. Without a word of the member's: no."""
    found = await run_in_threadpool(
        service.may,
        state_of(request),
        brand_id=caller.registry_id,
        member_id=member_id,
        purpose=purpose,
        channel=channel,
    )
    await looked(request, caller, member_id)
    return MayPublic(allowed=found.allowed, why=found.why)


@router.post(
    "/members/{member_id}/consents",
    tags=["brand"],
    operation_id="reportConsent",
    status_code=201,
    response_model=ConsentPublic,
    responses=responses(*CALLER_PROBLEMS, *WRITE_PROBLEMS, MemberUnknown, ConsentTextUnknown, ConsentNotYetSaid),
)
async def report_consent(caller: ByBrand, member_id: MemberId, wanted: ConsentReported, write: Writes) -> Response:
    """Reports what a member of the brand agreed to, or ended, at a till or on the brand's own site. It counts for this
    brand alone, by the time at which it was said, and never lifts what the member has ended here."""

    def effect(session: Session) -> Answer:
        member = members.referred(session, caller=caller, reference=MemberReference(id=member_id))
        said = consents.say(
            session,
            member_id=member.id,
            purpose=wanted.purpose,
            channel=wanted.channel,
            granted=wanted.granted,
            text_version=wanted.text_version,
            source=consents.of_brand(caller.registry_id),
            actor=caller.actor,
            said_at_ms=None if wanted.said_at is None else int(wanted.said_at.timestamp() * 1000),
        )
        return Answer(service.told_word(said), 201)

    return await write(caller, effect)
