"""Routes by which sessions are seen and ended: the member's own, and the operator's for any member."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.auth.callers import CALLER_PROBLEMS, ByMember, ByOperator
from api.kit.container import State, state_of
from api.kit.problems import RequestMalformed, responses
from api.kit.schemas import MemberId
from api.kit.texts import patterned
from api.members import sessions
from api.members.errors import MemberUnknown, SessionUnknown
from api.members.schemas import SessionList, SessionPublic
from api.writes.strict import StrictRoute
from api.writes.unit_of_work import WRITE_PROBLEMS, Answer, Writes

router = APIRouter(prefix="/v1", route_class=StrictRoute)
SessionName = Annotated[str, patterned(r"^[0-9a-f]{12}$", "a session's id is 12 hex digits in lower case")]
SessionId = Annotated[SessionName, Path(examples=["5f0c2a9b7d31"])]
ENDING = (*CALLER_PROBLEMS, *WRITE_PROBLEMS, RequestMalformed, SessionUnknown)


@router.get(
    "/me/sessions",
    tags=["member"],
    operation_id="listMySessions",
    response_model=SessionList,
    responses=responses(*CALLER_PROBLEMS),
)
async def list_my_sessions(request: Request, caller: ByMember) -> SessionList:
    """The member's sessions, the newest first; `current` is the one that asks."""

    def read(state: State) -> SessionList:
        with Session(state.database.engine) as session:
            return sessions.listed(session, member_ids=caller.member_ids, current=caller.session_id)

    return await run_in_threadpool(read, state_of(request))


@router.delete(
    "/me/session",
    tags=["member"],
    operation_id="endMySession",
    response_model=SessionPublic,
    responses=responses(*CALLER_PROBLEMS, *WRITE_PROBLEMS),
)
async def end_my_session(caller: ByMember, write: Writes) -> Response:
    """Ends the session that asks: from the next request on its token is `SessionExpired`."""

    def effect(session: Session) -> Answer:
        ended = sessions.end(session, member_ids=caller.member_ids, session_id=caller.session_id, actor=caller.actor)
        return Answer(sessions.told(ended, current=caller.session_id))

    return await write(caller, effect)


@router.delete(
    "/me/sessions/{session_id}",
    tags=["member"],
    operation_id="endOneOfMySessions",
    response_model=SessionPublic,
    responses=responses(*ENDING),
)
async def end_one_of_my_sessions(caller: ByMember, session_id: SessionId, write: Writes) -> Response:
    """Ends one of the member's own sessions, of another device perhaps."""

    def effect(session: Session) -> Answer:
        ended = sessions.end(session, member_ids=caller.member_ids, session_id=session_id, actor=caller.actor)
        return Answer(sessions.told(ended, current=caller.session_id))

    return await write(caller, effect)


@router.get(
    "/members/{member_id}/sessions",
    tags=["operator"],
    operation_id="listSessions",
    response_model=SessionList,
    responses=responses(*CALLER_PROBLEMS, RequestMalformed, MemberUnknown),
)
async def list_sessions(request: Request, _: ByOperator, member_id: MemberId) -> SessionList:
    """A member's sessions, the newest first, without their secrets."""

    def read(state: State) -> SessionList:
        with Session(state.database.engine) as session:
            return sessions.listed(session, member_ids=sessions.of_person(session, member_id))

    return await run_in_threadpool(read, state_of(request))


@router.delete(
    "/members/{member_id}/sessions",
    tags=["operator"],
    operation_id="endSessions",
    response_model=SessionList,
    responses=responses(*CALLER_PROBLEMS, *WRITE_PROBLEMS, RequestMalformed, MemberUnknown),
)
async def end_sessions(caller: ByOperator, member_id: MemberId, write: Writes) -> Response:
    """Ends all sessions of a member, whichever of one person's members they are of; tells those that it ended."""

    def effect(session: Session) -> Answer:
        mine = sessions.of_person(session, member_id)
        return Answer(sessions.end_all(session, member_ids=mine, actor=caller.actor))

    return await write(caller, effect)


@router.delete(
    "/members/{member_id}/sessions/{session_id}",
    tags=["operator"],
    operation_id="endSession",
    response_model=SessionPublic,
    responses=responses(*ENDING, MemberUnknown),
)
async def end_session(caller: ByOperator, member_id: MemberId, session_id: SessionId, write: Writes) -> Response:
    """Ends one session of a member at once."""

    def effect(session: Session) -> Answer:
        mine = sessions.of_person(session, member_id)
        ended = sessions.end(session, member_ids=mine, session_id=session_id, actor=caller.actor)
        return Answer(sessions.told(ended))

    return await write(caller, effect)
