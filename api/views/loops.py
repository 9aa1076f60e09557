"""What runs beside the requests: the stream's hub, and the small housekeeping of keys."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sqlmodel import Session
from starlette.concurrency import run_in_threadpool

from api.kit.container import State
from api.kit.log import log
from api.members import service as identity
from api.views import books
from api.views.hub import Hub, hub_running
from api.writes import idempotency

USES_PERIOD_S = 5.0
FORGET_EVERY = 720  # of those periods: an hour


@asynccontextmanager
async def running(state: State) -> AsyncIterator[Hub]:
    """The loops while the gateway runs; all of them have ended when this ends."""
    housekeeping = asyncio.create_task(_housekeep(state))
    try:
        async with hub_running(state) as hub:
            yield hub
    finally:
        housekeeping.cancel()
        with suppress(asyncio.CancelledError):
            await housekeeping
        await books.finish(state)
        await run_in_threadpool(_note_uses, state)


async def _housekeep(state: State) -> None:
    """Notes when keys were used; now and then forgets idempotency keys past their retention."""
    rounds = 0
    while True:
        await asyncio.sleep(USES_PERIOD_S)
        rounds += 1
        try:
            await run_in_threadpool(_note_uses, state)
            if rounds % FORGET_EVERY == 0:
                await run_in_threadpool(state.database.in_write, _forget)
        except Exception as fault:
            log.warning("housekeeping failed and is tried again: %s", fault)


def _forget(session: Session) -> None:
    idempotency.forget_old(session)
    identity.forget_sessions(session)


def _note_uses(state: State) -> None:
    uses, state.key_uses = state.key_uses, {}
    if uses:

        def write(session: Session) -> None:
            identity.note_uses(session, uses=uses)

        state.database.in_write(write)
