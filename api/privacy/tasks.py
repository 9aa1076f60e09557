"""Beside the requests: who was forgotten is forgotten again where a backup brought them back; what is old goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from sqlalchemy import Table, delete, select
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool

from api.kit.clock import now_ms
from api.kit.container import State
from api.kit.log import log
from api.members.models import Device, RefreshToken
from api.privacy import erasure
from api.privacy.catalogue import labelled
from api.vault.sealing import vault_of
from chain.storage.columns import table_of

PURGE_PERIOD_S: Final = 3_600.0
BATCH_MAX: Final = 5_000
BATCHES_MAX: Final = 1_000


@asynccontextmanager
async def running(state: State) -> AsyncIterator[None]:
    """Before the first request: erasures hold. While the gateway runs: what is kept long enough is purged."""
    back = await run_in_threadpool(erasure.reapply, state, vault_of(state))
    if back:
        log.warning("%d members came back from a backup and were erased again", back)
    task = asyncio.create_task(_purging(state))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def hourly(state: State, *, at_ms: int) -> dict[str, int]:
    """Finishes the erasures of processes that died between the last two steps, then purges."""
    erasure.reapply(state, vault_of(state))
    return purge(state, at_ms=at_ms)


def purge(state: State, *, at_ms: int) -> dict[str, int]:
    """Removes what its label keeps no longer, a bounded number of rows a transaction; table → rows."""
    ends = {(one.table, one.label.since or "", one.label.retention_s) for one in labelled() if one.label.retention_s}
    removed: dict[str, int] = {}
    for table, since, retention_s in sorted(ends, key=lambda one: one[0].name):
        for _ in range(BATCHES_MAX):
            count = state.database.in_write(
                lambda session, t=table, s=since, r=retention_s: _batch(session, t, s, at_ms - int(r or 0) * 1000)  # type: ignore[misc]
            )
            removed[table.name] = removed.get(table.name, 0) + count
            if count < BATCH_MAX:
                break
    return removed


def _batch(session: Session, table: Table, since: str, before_ms: int) -> int:
    keys = list(table.primary_key.columns)
    connection = session.connection()
    old = connection.execute(select(*keys).where(table.c[since] < before_ms).order_by(*keys).limit(BATCH_MAX)).all()
    for row in old:
        if table is table_of(Device):
            token = table_of(RefreshToken)
            connection.execute(delete(token).where(token.c.device_id == row[0]))
        connection.execute(delete(table).where(*(key == value for key, value in zip(keys, row, strict=True))))
    return len(old)


async def _purging(state: State) -> None:
    while True:
        try:
            await run_in_threadpool(hourly, state, at_ms=now_ms())
        except Exception as fault:
            log.warning("what is kept long enough could not be purged, which is tried again: %s", fault)
        await asyncio.sleep(PURGE_PERIOD_S)
