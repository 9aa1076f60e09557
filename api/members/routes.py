"""Routes of identity: the operator's and a brand's."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import ValidationError
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.auth.callers import CALLER_PROBLEMS, ByBrand, ByOperator, looked
from api.kit.container import State, state_of
from api.kit.problems import RequestMalformed, of_validation, responses
from api.kit.schemas import Identifier, MemberId, Slug
from api.members import brands, service
from api.members.enrolments import enrol_lines
from api.members.errors import BrandExists, BrandUnknown, IdentifierTaken, KeyUnknown, MemberUnknown
from api.members.schemas import (
    BrandChange,
    BrandList,
    BrandPublic,
    KeyCreated,
    KeyId,
    KeyList,
    KeyPublic,
    MemberCreate,
    MemberLine,
    MemberPublic,
    SessionCreate,
    SessionCreated,
)
from api.writes.ndjson import NDJSON, either_body, is_ndjson, schema_of
from api.writes.strict import StrictRoute
from api.writes.unit_of_work import WRITE_PROBLEMS, Answer, Writes

router = APIRouter(prefix="/v1", route_class=StrictRoute)


@router.patch(
    "/brands/{slug}",
    tags=["operator"],
    operation_id="nameBrand",
    response_model=BrandPublic,
    responses=responses(*CALLER_PROBLEMS, *WRITE_PROBLEMS, BrandUnknown, BrandExists),
)
async def name_brand(caller: ByOperator, slug: Slug, wanted: BrandChange, write: Writes) -> Response:
    """Calls a brand otherwise. Its keys, members and points stay its own: they belong to the registry's id."""

    def effect(session: Session) -> Answer:
        return Answer(brands.told(brands.rename(session, slug=slug, wanted=wanted, actor=caller.actor)))

    return await write(caller, effect)


@router.get(
    "/brands",
    tags=["operator"],
    operation_id="listBrands",
    response_model=BrandList,
    responses=responses(*CALLER_PROBLEMS),
)
async def list_brands(request: Request, _: ByOperator) -> BrandList:
    """Every brand of the registry that the mirror has."""

    def read(state: State) -> BrandList:
        with Session(state.database.engine) as session:
            return BrandList(brands=[brands.told(found) for found in service.brands(session)])

    return await run_in_threadpool(read, state_of(request))


@router.post(
    "/brands/{slug}/keys",
    tags=["operator"],
    operation_id="createKey",
    status_code=201,
    response_model=KeyCreated,
    responses=responses(*CALLER_PROBLEMS, *WRITE_PROBLEMS, BrandUnknown),
)
async def create_key(caller: ByOperator, slug: Slug, write: Writes) -> Response:
    """Makes a key of a brand; the secret is in this answer and nowhere else."""

    def effect(session: Session) -> Answer:
        service.brand(session, slug=slug)
        key, token = service.create_key(session, kind="b", slug=slug, actor=caller.actor)
        return Answer(
            service.new_key_to_public(key, token, secret=True),
            201,
            stored=service.new_key_to_public(key, token, secret=False),
        )

    return await write(caller, effect)


@router.get(
    "/brands/{slug}/keys",
    tags=["operator"],
    operation_id="listKeys",
    response_model=KeyList,
    responses=responses(*CALLER_PROBLEMS, BrandUnknown),
)
async def list_keys(request: Request, _: ByOperator, slug: Slug) -> KeyList:
    """A brand's keys, without their secrets."""

    def read(state: State) -> KeyList:
        with Session(state.database.engine) as session:
            return KeyList(keys=service.keys(session, slug=slug))

    return await run_in_threadpool(read, state_of(request))


@router.delete(
    "/brands/{slug}/keys/{key_id}",
    tags=["operator"],
    operation_id="revokeKey",
    response_model=KeyPublic,
    responses=responses(*CALLER_PROBLEMS, *WRITE_PROBLEMS, BrandUnknown, KeyUnknown),
)
async def revoke_key(caller: ByOperator, slug: Slug, key_id: KeyId, write: Writes) -> Response:
    """Ends a key at once."""

    def effect(session: Session) -> Answer:
        return Answer(service.key_to_public(service.revoke_key(session, slug=slug, key_id=key_id, actor=caller.actor)))

    return await write(caller, effect)


@router.post(
    "/auditors/keys",
    tags=["operator"],
    operation_id="createAuditorKey",
    status_code=201,
    response_model=KeyCreated,
    responses=responses(*CALLER_PROBLEMS, *WRITE_PROBLEMS),
)
async def create_auditor_key(caller: ByOperator, write: Writes) -> Response:
    """Makes an auditor's key: it reads everything of the ledger, nothing personal, and changes nothing."""

    def effect(session: Session) -> Answer:
        key, token = service.create_key(session, kind="a", slug=None, actor=caller.actor)
        return Answer(
            service.new_key_to_public(key, token, secret=True),
            201,
            stored=service.new_key_to_public(key, token, secret=False),
        )

    return await write(caller, effect)


@router.get(
    "/auditors/keys",
    tags=["operator"],
    operation_id="listAuditorKeys",
    response_model=KeyList,
    responses=responses(*CALLER_PROBLEMS),
)
async def list_auditor_keys(request: Request, _: ByOperator) -> KeyList:
    """The auditors' keys, without their secrets."""

    def read(state: State) -> KeyList:
        with Session(state.database.engine) as session:
            return KeyList(keys=service.keys(session, slug=None, kind="a"))

    return await run_in_threadpool(read, state_of(request))


@router.delete(
    "/auditors/keys/{key_id}",
    tags=["operator"],
    operation_id="revokeAuditorKey",
    response_model=KeyPublic,
    responses=responses(*CALLER_PROBLEMS, *WRITE_PROBLEMS, KeyUnknown),
)
async def revoke_auditor_key(caller: ByOperator, key_id: KeyId, write: Writes) -> Response:
    """Ends an auditor's key at once."""

    def effect(session: Session) -> Answer:
        ended = service.revoke_key(session, slug=None, kind="a", key_id=key_id, actor=caller.actor)
        return Answer(service.key_to_public(ended))

    return await write(caller, effect)


@router.post(
    "/members/{member_id}/sessions",
    tags=["operator"],
    operation_id="createSession",
    status_code=201,
    response_model=SessionCreated,
    responses=responses(*CALLER_PROBLEMS, *WRITE_PROBLEMS, MemberUnknown),
)
async def create_session(
    caller: ByOperator, member_id: MemberId, write: Writes, wanted: SessionCreate | None = None
) -> Response:
    """Makes a member's session. Only the operator can: no brand obtains another brand's view of a member."""
    lifetime_s = (wanted.lifetime_s if wanted is not None else None) or int(
        write.state.settings.session_lifetime.total_seconds()
    )

    def effect(session: Session) -> Answer:
        made, token = service.create_session(session, member_id=member_id, lifetime_s=lifetime_s, actor=caller.actor)
        return Answer(
            service.session_to_public(made, token, secret=True),
            201,
            stored=service.session_to_public(made, token, secret=False),
        )

    return await write(caller, effect)


@router.post(
    "/members",
    tags=["brand"],
    operation_id="enrolMember",
    status_code=201,
    response_model=MemberPublic,
    responses=responses(*CALLER_PROBLEMS, *WRITE_PROBLEMS, MemberUnknown, IdentifierTaken)
    | {
        200: {
            "model": MemberPublic,
            "content": {NDJSON: {"schema": schema_of(MemberLine)}},
            "description": "The member was enrolled already; or an NDJSON body: a line each.",
        }
    },
    openapi_extra=either_body(MemberCreate),
)
async def enrol_member(request: Request, caller: ByBrand, write: Writes) -> Response:
    """Enrols a member with the calling brand; an NDJSON body enrols one a line."""
    if is_ndjson(request):
        return enrol_lines(caller, write)
    try:
        wanted = MemberCreate.model_validate_json(await request.body())
    except ValidationError as fault:
        raise of_validation(fault.errors()) from None

    def effect(session: Session) -> Answer:
        enrolment, member, new = service.enrol(
            session, keystore=write.state.keystore, brand=caller.registry_id, wanted=wanted
        )
        return Answer(service.member_to_public(member, enrolment), 201 if new else 200)

    return await write(caller, effect)


@router.get(
    "/members",
    tags=["brand"],
    operation_id="findMember",
    response_model=MemberPublic,
    responses=responses(*CALLER_PROBLEMS, RequestMalformed, MemberUnknown),
)
async def find_member(
    request: Request,
    caller: ByBrand,
    identifier: Annotated[Identifier, Query(examples=["customer-00004"])],
) -> MemberPublic:
    """The brand's member by the brand's own identifier."""
    reads = state_of(request).database.reads
    known = await reads.off_loop(lambda read: service.member_of(read, brand=caller.registry_id, identifier=identifier))
    await looked(request, caller, known.id)
    return known.told()


@router.get(
    "/members/{member_id}",
    tags=["brand"],
    operation_id="getMember",
    response_model=MemberPublic,
    responses=responses(*CALLER_PROBLEMS, RequestMalformed, MemberUnknown),
)
async def get_member(request: Request, caller: ByBrand, member_id: MemberId) -> MemberPublic:
    """The brand's member by id."""
    reads = state_of(request).database.reads
    known = await reads.off_loop(lambda read: service.member_of(read, brand=caller.registry_id, member_id=member_id))
    await looked(request, caller, known.id)
    return known.told()
