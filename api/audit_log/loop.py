"""The log beside the requests: acts find their places while the gateway runs, and counts are on disk when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from starlette.concurrency import run_in_threadpool

from api.audit_log.keys import log_signers
from api.audit_log.recording import record
from api.audit_log.sequencer import GRACE_MS, Sequencer
from api.audit_log.tallies import Tallies
from api.kit.clock import now_ms
from api.kit.container import State
from api.kit.database import Snapshot
from api.kit.log import log
from chain.mirror.queries.blocks import final_block
from chain.tlog.errors import TlogError

POLL_S: Final = 0.2
RETRY_S: Final = 2.0
# A tree that was changed does not heal; it is looked at, and said, again and again.
BROKEN_RETRY_S: Final = 30.0
_PENDING = "SELECT 1 FROM act_pending"
_OVER = "SELECT 1 FROM act_tally WHERE window_ms < ?"
_GROWN = (
    "SELECT 1 FROM log_state s LEFT JOIN log_checkpoint c ON c.id = (SELECT MAX(id) FROM log_checkpoint)"
    " WHERE s.size > 0 AND s.size <> COALESCE(c.size, -1) AND COALESCE(c.at_ms, 0) <= ?"
)
# The block that an old checkpoint is bound to.
_OLD = "SELECT block_number FROM log_checkpoint WHERE id = (SELECT MAX(id) FROM log_checkpoint) AND at_ms < ?"
# One question, for it is asked five times a second.
_DUE = f"SELECT EXISTS ({_PENDING}) OR EXISTS ({_OVER}) OR EXISTS ({_GROWN})"


def sequencer_of(state: State) -> Sequencer:
    """The sequencer as the settings want it."""
    settings = state.settings
    return Sequencer(
        database=state.database,
        origin=state.log_origin,
        signers=log_signers(state.keystore, origin=state.log_origin, number=settings.log_key),
        chain_id=state.deployment.chain_id,
        window_ms=int(settings.refusal_window.total_seconds() * 1000),
        every_ms=int(settings.checkpoint_every.total_seconds() * 1000),
    )


class Standing:
    """Whether this process may sign the log; if not, the sentence that says why."""

    fault: str | None = None


@asynccontextmanager
async def running(state: State, *, version: str) -> AsyncIterator[None]:
    """Sequencing while the gateway runs; its start is the first act."""
    sequencer = sequencer_of(state)
    await run_in_threadpool(_started, state, sequencer, version)
    task = asyncio.create_task(_sequence(state, sequencer))
    try:
        yield
    finally:
        await state.singleton(Tallies).close()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _sequence(state: State, sequencer: Sequencer) -> None:
    while True:
        await asyncio.sleep(POLL_S)
        try:
            if await state.database.reads.off_loop(lambda read: due(read, sequencer)):
                await run_in_threadpool(sequencer.step)
                state.singleton(Standing).fault = None
        except TlogError as fault:
            state.singleton(Standing).fault = str(fault)
            log.error("the log of acts is not signed: %s", fault)
            await asyncio.sleep(BROKEN_RETRY_S)
        except Exception as fault:
            log.warning("acts wait for their places: %s", fault)
            await asyncio.sleep(RETRY_S)


def due(read: Snapshot, sequencer: Sequencer) -> bool:
    """Whether a step would do anything; asked without the write lock."""
    at_ms = now_ms()
    before = (at_ms - sequencer.window_ms - GRACE_MS, at_ms - sequencer.every_ms)
    found = read.row(_DUE, *before)
    return (found is not None and bool(found[0])) or _moved(read, at_ms - sequencer.refresh_ms)


def _moved(read: Snapshot, before_ms: int) -> bool:
    """Whether the checkpoint is older than this, and there is a later block to bind."""
    old = read.row(_OLD, before_ms)
    block = None if old is None else final_block(read)
    return old is not None and block is not None and block.number > old[0]


def _started(state: State, sequencer: Sequencer, version: str) -> None:
    with state.database.write() as session:
        record(
            session.connection(),
            "gateway.started",
            actor="gateway",
            version=version,
            chain_id=state.deployment.chain_id,
            database=session.get_bind().dialect.name,
            deployment=state.deployment.genesis_hash,
            log_key=sequencer.signers[0].verifier.vkey,
            witnesses=len(state.settings.log_witnesses),
            window_s=sequencer.window_ms // 1000,
        )
