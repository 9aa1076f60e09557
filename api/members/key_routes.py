"""Routes of a brand's own keys: seen, followed by a successor, ended by the brand itself."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.auth.callers import CALLER_PROBLEMS, ByBrand
from api.kit.container import State, state_of
from api.kit.problems import RequestMalformed, responses
from api.members import brand_keys, service
from api.members.errors import KeyEnded, KeyUnknown
from api.members.schemas import KeyCreated, KeyId, KeyList, KeyPublic, KeyRotate
from api.writes.strict import StrictRoute
from api.writes.unit_of_work import WRITE_PROBLEMS, Answer, Writes

router = APIRouter(prefix="/v1/keys", tags=["brand"], route_class=StrictRoute)
KeyPath = Annotated[KeyId, Path(examples=["5f0c2a9b7d31"])]
OVERLAP_S = 3_600


@router.get("", operation_id="listOwnKeys", response_model=KeyList, responses=responses(*CALLER_PROBLEMS))
async def list_own_keys(request: Request, caller: ByBrand) -> KeyList:
    """The brand's own keys, without their secrets."""

    def read(state: State) -> KeyList:
        with Session(state.database.engine) as session:
            return KeyList(keys=service.keys(session, slug=caller.slug))

    return await run_in_threadpool(read, state_of(request))


@router.post(
    "/{key_id}/rotate",
    operation_id="rotateOwnKey",
    status_code=201,
    response_model=KeyCreated,
    responses=responses(*CALLER_PROBLEMS, *WRITE_PROBLEMS, RequestMalformed, KeyUnknown, KeyEnded),
)
async def rotate_own_key(caller: ByBrand, key_id: KeyPath, write: Writes, wanted: KeyRotate | None = None) -> Response:
    """Makes a key's successor; the key itself ends after the overlap, an hour unless another is asked for."""
    overlap_s = OVERLAP_S if wanted is None or wanted.overlap_s is None else wanted.overlap_s

    def effect(session: Session) -> Answer:
        key, token = brand_keys.rotate(
            session, slug=caller.slug, key_id=key_id, overlap_s=overlap_s, actor=caller.actor
        )
        return Answer(
            service.new_key_to_public(key, token, secret=True),
            201,
            stored=service.new_key_to_public(key, token, secret=False),
        )

    return await write(caller, effect)


@router.delete(
    "/{key_id}",
    operation_id="revokeOwnKey",
    response_model=KeyPublic,
    responses=responses(*CALLER_PROBLEMS, *WRITE_PROBLEMS, RequestMalformed, KeyUnknown),
)
async def revoke_own_key(caller: ByBrand, key_id: KeyPath, write: Writes) -> Response:
    """Ends a key of the brand at once, also within the overlap of a rotation."""

    def effect(session: Session) -> Answer:
        ended = service.revoke_key(session, slug=caller.slug, key_id=key_id, actor=caller.actor)
        return Answer(service.key_to_public(ended))

    return await write(caller, effect)
