"""Routes of the operator's own keys."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.auth.callers import CALLER_PROBLEMS, ByOperator
from api.auth.tokens import Token
from api.kit.container import State, state_of
from api.kit.problems import RequestMalformed, responses
from api.members import operator_keys, service
from api.members.errors import KeyEnded, KeyUnknown, LastOperatorKey
from api.members.models import ApiKey
from api.members.schemas import KeyCreated, KeyId, KeyList, KeyPublic, KeyRotate
from api.writes.strict import StrictRoute
from api.writes.unit_of_work import WRITE_PROBLEMS, Answer, Writes

router = APIRouter(prefix="/v1/operators", tags=["operator"], route_class=StrictRoute)
KeyPath = Annotated[KeyId, Path(examples=["5f0c2a9b7d31"])]
OVERLAP_S = 3_600


@router.post(
    "/keys",
    operation_id="createOperatorKey",
    status_code=201,
    response_model=KeyCreated,
    responses=responses(*CALLER_PROBLEMS, *WRITE_PROBLEMS),
)
async def create_operator_key(caller: ByOperator, write: Writes) -> Response:
    """Makes a further key of the operator; the secret is in this answer and nowhere else."""

    def effect(session: Session) -> Answer:
        return _made(*operator_keys.make(session, actor=caller.actor))

    return await write(caller, effect)


@router.get("/keys", operation_id="listOperatorKeys", response_model=KeyList, responses=responses(*CALLER_PROBLEMS))
async def list_operator_keys(request: Request, _: ByOperator) -> KeyList:
    """The operator's keys, without their secrets."""

    def read(state: State) -> KeyList:
        with Session(state.database.engine) as session:
            return KeyList(keys=service.keys(session, slug=None, kind=operator_keys.KIND))

    return await run_in_threadpool(read, state_of(request))


@router.post(
    "/keys/{key_id}/rotate",
    operation_id="rotateOperatorKey",
    status_code=201,
    response_model=KeyCreated,
    responses=responses(*CALLER_PROBLEMS, *WRITE_PROBLEMS, RequestMalformed, KeyUnknown, KeyEnded),
)
async def rotate_operator_key(
    caller: ByOperator, key_id: KeyPath, write: Writes, wanted: KeyRotate | None = None
) -> Response:
    """Makes a key's successor; the key itself ends after the overlap, an hour unless another is asked for."""
    overlap_s = OVERLAP_S if wanted is None or wanted.overlap_s is None else wanted.overlap_s

    def effect(session: Session) -> Answer:
        return _made(*operator_keys.rotate(session, key_id=key_id, overlap_s=overlap_s, actor=caller.actor))

    return await write(caller, effect)


@router.delete(
    "/keys/{key_id}",
    operation_id="revokeOperatorKey",
    response_model=KeyPublic,
    responses=responses(*CALLER_PROBLEMS, *WRITE_PROBLEMS, RequestMalformed, KeyUnknown, LastOperatorKey),
)
async def revoke_operator_key(caller: ByOperator, key_id: KeyPath, write: Writes) -> Response:
    """Ends a key of the operator at once; the last one only after its successor is made."""

    def effect(session: Session) -> Answer:
        return Answer(service.key_to_public(operator_keys.revoke(session, key_id=key_id, actor=caller.actor)))

    return await write(caller, effect)


def _made(key: ApiKey, token: Token) -> Answer:
    return Answer(
        service.new_key_to_public(key, token, secret=True),
        201,
        stored=service.new_key_to_public(key, token, secret=False),
    )
