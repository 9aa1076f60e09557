"""What runs beside the requests: the stream's hub, names for brands that are new, and the housekeeping of keys."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from sqlmodel import Session
from starlette.concurrency import run_in_threadpool

from api.kit.container import State
from api.kit.log import log
from api.members import brands
from api.members import service as identity
from api.views import books
from api.views.hub import Hub, hub_running
from api.writes import idempotency

BRANDS_PERIOD_S = 0.25
GATEWAY = "command/gateway"
USES_PERIOD_S = 5.0
FORGET_EVERY = 720  # of those periods: an hour


@asynccontextmanager
async def running(state: State) -> AsyncIterator[Hub]:
    """The loops while the gateway runs; all of them have ended when this ends."""
    await run_in_threadpool(_take_in_brands, state)
    loops = [asyncio.create_task(loop(state)) for loop in (_housekeep, _meet_brands)]
    try:
        async with hub_running(state) as hub:
            yield hub
    finally:
        for loop in loops:
            loop.cancel()
        for loop in loops:
            with suppress(asyncio.CancelledError):
                await loop
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


async def _meet_brands(state: State) -> None:
    """A brand that the mirror shows for the first time is served from then on."""
    while True:
        await asyncio.sleep(BRANDS_PERIOD_S)
        try:
            if await state.database.reads.off_loop(brands.any_unknown):
                await run_in_threadpool(_take_in_brands, state)
        except Exception as fault:
            log.warning("new brands could not be taken in, which is tried again: %s", fault)
            await asyncio.sleep(USES_PERIOD_S)


def _take_in_brands(state: State) -> None:
    if state.database.reads(brands.any_unknown):
        state.database.in_write(
            lambda session: brands.take_in(session, documents=state.deployment.documents, actor=GATEWAY)
        )


def _forget(session: Session) -> None:
    idempotency.forget_old(session)
    identity.forget_sessions(session)


def _note_uses(state: State) -> None:
    uses, state.key_uses = state.key_uses, {}
    if uses:

        def write(session: Session) -> None:
            identity.note_uses(session, uses=uses)

        state.database.in_write(write)
