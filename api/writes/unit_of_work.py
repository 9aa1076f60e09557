"""The edge: where a write begins, is made to count once, is committed, and may be waited for.

Nobody below commits. A route hands over its effect; the edge runs it in one transaction together with the
idempotency key, answers, and when the caller prefers to wait, looks until the operation is mirrored.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import Depends, Header, Request
from pydantic import BaseModel
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.auth.callers import Caller, MemberCaller
from api.kit.container import State, state_of
from api.kit.database import Snapshot, lock
from api.kit.problems import BodyTooLarge, ContractRefused, RequestMalformed
from api.writes.idempotency import (
    Claim,
    IdempotencyKeyMalformed,
    IdempotencyKeyMissing,
    IdempotencyKeyReused,
    Stored,
    answered,
    claim,
    hash_of,
    keep,
    read_key,
)
from chain.outbox import operations

T = TypeVar("T")
WAIT_S_MAX = 30
WAIT_POLL_S = 0.05
# States in which nobody waits on for what comes next.
SETTLED = ("confirmed", "failed", "cancelled", "waiting", "locked")
_wait = re.compile(r"(?:^|[,;\s])wait=(\d{1,4})(?:$|[,;\s])")
WRITE_PROBLEMS = (
    IdempotencyKeyMissing,
    IdempotencyKeyMalformed,
    IdempotencyKeyReused,
    RequestMalformed,
    BodyTooLarge,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a write answers.

    stored: what a replay is answered when that differs, because secrets are shown once and never kept.
    """

    body: BaseModel
    status: int = 200
    stored: BaseModel | None = None


class UnitOfWork:
    """One write of one caller: `await write(caller, effect)`."""

    def __init__(self, request: Request, key: str | None, prefer: str | None) -> None:
        self._request = request
        self._key = key
        self._prefer = prefer
        self.state: State = state_of(request)

    @property
    def key(self) -> str:
        """The Idempotency-Key, or a typed refusal."""
        return read_key(self._key)

    @property
    def route(self) -> str:
        return f"{self._request.method} {self._request.url.path}"

    async def __call__(
        self,
        caller: Caller,
        effect: Callable[[Session], Answer],
        *,
        follow: Callable[[Session, dict[str, Any]], BaseModel] | None = None,
    ) -> Response:
        """Runs the effect once and answers.

        follow: tells the body anew from its stored form, once its operation is confirmed.
        """
        return await self._answer(caller, None, lambda session, _: effect(session), follow)

    async def prepared(
        self,
        caller: Caller,
        prepare: Callable[[], T],
        effect: Callable[[Session, T], Answer],
        *,
        follow: Callable[[Session, dict[str, Any]], BaseModel] | None = None,
    ) -> Response:
        """The same for an effect that needs something slow (the node's word) which no transaction should wait for.

        prepare is not run for a write that has its answer already.
        """
        return await self._answer(caller, prepare, effect, follow)

    async def _answer(
        self,
        caller: Caller,
        prepare: Callable[[], T] | None,
        effect: Callable[[Session, Any], Answer],
        follow: Callable[[Session, dict[str, Any]], BaseModel] | None,
    ) -> Response:
        person = caller.principals if isinstance(caller, MemberCaller) else ()
        wanted = Claim(caller.principal, self.key, self.route, hash_of(await self._request.body()), person)
        status, answer, replayed = await run_in_threadpool(self._once, wanted, prepare, effect, follow is not None)
        headers = {"Idempotency-Replayed": "true"} if replayed else {}
        wait_s = wanted_wait_s(self._prefer)
        if follow is not None and wait_s > 0:
            headers["Preference-Applied"] = f"wait={wait_s}"
            told = orjson.loads(answer)
            # What somebody else must sign first has no operation yet, and nothing to wait for.
            operation = told["operation"]
            state = None if operation is None else await self._settled(int(operation["id"]), wait_s)
            body = await run_in_threadpool(self._follow, follow, told)
            _raise_when_failed(body)
            return _json(_dump(body), 201 if state == "confirmed" else status, headers)
        if follow is not None and replayed:
            # As it stands now: an operation that waits says for what.
            answer = _dump(await run_in_threadpool(self._follow, follow, orjson.loads(answer)))
        return _json(answer, status, headers)

    def _once(
        self, wanted: Claim, prepare: Callable[[], T] | None, effect: Callable[[Session, Any], Answer], followed: bool
    ) -> tuple[int, bytes, bool]:
        """followed: the answer names an operation; a write whose operation was refused leaves its key free."""
        ready: T | None = None
        if prepare is not None:
            with Session(self.state.database.engine) as session:
                known = answered(session, wanted)
                if known is not None and followed and _is_refused(session, known):
                    known = None
            if known is not None:
                return known.status, known.answer, True
            ready = prepare()
        with self.state.database.write() as session:
            before = claim(session, wanted)
            if before is not None and followed and _is_refused(session, before):
                # Two at once: the second finds what the first one did.
                lock(session, f"write:{wanted.principal}:{wanted.key}")
                before = answered(session, wanted)
                if before is not None and _is_refused(session, before):
                    wanted, before = replace(wanted, principal=before.principal), None
            if before is not None:
                return before.status, before.answer, True
            answer = effect(session, ready)
            body = _dump(answer.body)
            keep(session, wanted, answer.status, body if answer.stored is None else _dump(answer.stored))
            return answer.status, body, False

    def _follow(self, follow: Callable[[Session, dict[str, Any]], BaseModel], told: dict[str, Any]) -> BaseModel:
        with Session(self.state.database.engine) as session:
            return follow(session, told)

    async def _settled(self, operation_id: int, wait_s: int) -> str | None:
        """What it is once that is one of SETTLED; None when the time is up or too many wait already."""
        state = self.state
        if state.waiters >= state.settings.waiters_max:
            return None
        state.waiters += 1
        try:
            loop = asyncio.get_running_loop()
            until = loop.time() + wait_s
            while loop.time() < until and not state.stopping.is_set():
                settled = await state.database.reads.off_loop(lambda read: _settled_state(read, operation_id))
                if settled is not None:
                    return settled
                await asyncio.sleep(WAIT_POLL_S)
            return None
        finally:
            state.waiters -= 1


def _is_refused(session: Session, stored: Stored) -> bool:
    """Whether the operation that the answer names was refused for good."""
    operation = orjson.loads(stored.answer)["operation"]
    if operation is None:
        return False
    found = operations.get(session.connection(), int(operation["id"]))
    return found is not None and found.state == operations.FAILED


def _settled_state(read: Snapshot, operation_id: int) -> str | None:
    found = read.row("SELECT state FROM operation WHERE id = ?", operation_id)
    return found[0] if found is not None and found[0] in SETTLED else None


def _raise_when_failed(body: BaseModel) -> None:
    operation = getattr(body, "operation", None)
    if operation is not None and operation.state == "failed":
        raise ContractRefused(operation.error or "Unknown", operation.error_args, operation=operation.id)


def wanted_wait_s(prefer: str | None) -> int:
    """Seconds that a Prefer header asks to wait, at most WAIT_S_MAX; 0 without one."""
    found = _wait.search(prefer or "")
    return 0 if found is None else min(int(found.group(1)), WAIT_S_MAX)


def _dump(body: BaseModel) -> bytes:
    return body.model_dump_json(by_alias=True).encode()


def _json(body: bytes, status: int, headers: dict[str, str] | None = None) -> Response:
    # A write's answer can hold a secret that is shown once, or a member's points: it is for nobody's cache.
    told = {"Cache-Control": "private, no-store", **(headers or {})}
    return Response(body, status_code=status, headers=told, media_type="application/json")


def _write(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            description="Required. One a write, repeated on a retry: the write counts once.",
            examples=["5d1c7c1e-9a58-4a2f-8a55-1f4f2a7d9c10"],
        ),
    ] = None,
    prefer: Annotated[
        str | None,
        Header(description="`wait=N` waits up to N ≤ 30 seconds until it is mirrored.", examples=["wait=20"]),
    ] = None,
) -> UnitOfWork:
    return UnitOfWork(request, idempotency_key, prefer)


Writes = Annotated[UnitOfWork, Depends(_write)]
