"""What happens too often to be an entry each: refusals, failed sign-ins, looks. Counted by window, durable at once.

Whoever is counted waits until the count is on disk: the answer comes after it, and kill -9 loses nothing that was
answered. All who come while one commit is under way share the next one (group commit), and commits keep a pause
between them, so a flood costs a bounded number of small transactions. One window holds at most GROUPS_MAX different
things of known callers, and NOBODY_GROUPS_MAX of nobody, for each process; what is beyond is counted together.
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import orjson
from sqlalchemy import Connection, text
from starlette.concurrency import run_in_threadpool

from api.audit_log import names
from api.kit.clock import now_ms
from api.kit.container import State
from api.kit.log import log

GROUPS_MAX: Final = 2_000
NOBODY_GROUPS_MAX: Final = 32
FLUSH_PAUSE_S: Final = 0.02
RETRY_S: Final = 1.0
# A caller is not kept longer than this when the database is away; the count stays in memory until it is back.
WAIT_S_MAX: Final = 2.0
CLOSE_S_MAX: Final = 3.0
SEVERAL: Final = "*"

_ADD = text(
    "INSERT INTO act_tally (window_ms, digest, act, actor, subject, detail, count, first_at_ms, last_at_ms)"
    " VALUES (:window_ms, :digest, :act, :actor, :subject, :detail, :count, :first_at_ms, :last_at_ms)"
    " ON CONFLICT (window_ms, digest) DO UPDATE SET count = act_tally.count + excluded.count, last_at_ms = CASE WHEN"
    " excluded.last_at_ms > act_tally.last_at_ms THEN excluded.last_at_ms ELSE act_tally.last_at_ms END"
)


@dataclass(frozen=True, slots=True)
class Group:
    """What is counted together. detail: (field, text) pairs."""

    act: str
    actor: str
    subject: str = ""
    detail: tuple[tuple[str, str], ...] = ()

    def blurred(self) -> Group:
        """What this is counted as when there are too many different ones."""
        several = tuple((name, SEVERAL) for name, _ in self.detail)
        return Group(self.act, self.actor if self.actor == names.NOBODY else SEVERAL, SEVERAL, several)


@dataclass(slots=True)
class Count:
    count: int
    first_at_ms: int
    last_at_ms: int

    def add(self, other: Count) -> None:
        self.count += other.count
        self.first_at_ms = min(self.first_at_ms, other.first_at_ms)
        self.last_at_ms = max(self.last_at_ms, other.last_at_ms)


Counts = dict[tuple[int, Group], Count]


@dataclass
class Tallies:
    """The counts of one process that are not yet on disk, and the task that puts them there."""

    counts: Counts = field(default_factory=dict)
    window_ms: int = 0
    known: set[Group] = field(default_factory=set)
    nobodies: int = 0
    flushed: asyncio.Future[None] | None = None
    task: asyncio.Task[None] | None = None

    async def count(self, state: State, group: Group) -> None:
        """Counts one; returns when it is on disk, or after WAIT_S_MAX."""
        at_ms = now_ms()
        self.put(group, at_ms, int(state.settings.refusal_window.total_seconds() * 1000))
        if self.flushed is None:
            self.flushed = asyncio.get_running_loop().create_future()
        waiting = self.flushed
        if self.task is None or self.task.done():
            self.task = asyncio.create_task(self._flush(state))
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(waiting), WAIT_S_MAX)

    def put(self, group: Group, at_ms: int, period_ms: int) -> None:
        """Adds one to what is not yet on disk. Bounded, however many different ones come."""
        window_ms = at_ms - at_ms % period_ms
        if window_ms != self.window_ms:
            self.window_ms, self.nobodies = window_ms, 0
            self.known.clear()
        if group not in self.known:
            nobody = group.actor == names.NOBODY
            full = self.nobodies >= NOBODY_GROUPS_MAX if nobody else len(self.known) - self.nobodies >= GROUPS_MAX
            if full:
                group = group.blurred()
            else:
                self.known.add(group)
                self.nobodies += nobody
        _merge(self.counts, {(window_ms, group): Count(1, at_ms, at_ms)})

    async def _flush(self, state: State) -> None:
        while self.counts:
            counts, self.counts = self.counts, {}
            flushed, self.flushed = self.flushed, None
            try:
                await run_in_threadpool(write, state, counts)
            except Exception as fault:
                log.warning("%d counts of acts wait for the database: %s", len(counts), fault)
                _merge(self.counts, counts)
                await asyncio.sleep(RETRY_S)
            finally:
                if flushed is not None and not flushed.done():
                    flushed.set_result(None)
            await asyncio.sleep(FLUSH_PAUSE_S)

    async def close(self) -> None:
        """Waits until what is left is on disk; bounded, because the process ends."""
        if self.task is None or self.task.done():
            return
        try:
            await asyncio.wait_for(asyncio.shield(self.task), CLOSE_S_MAX)
        except TimeoutError:
            self.task.cancel()
            log.error("%d counts of acts could not be written before the end", len(self.counts))


def write(state: State, counts: Counts) -> None:
    """One transaction."""
    with state.database.write() as session:
        add(session.connection(), counts)


def add(connection: Connection, counts: Counts) -> None:
    """Adds counts to the tallies, inside the caller's transaction."""
    shown = names.hidden(connection, {name for _, group in counts for name in (group.actor, group.subject)})
    rows = [_row(window_ms, group, count, shown) for (window_ms, group), count in counts.items()]
    # In one order for all processes, so that no two wait for each other.
    connection.execute(_ADD, sorted(rows, key=lambda row: (row["window_ms"], row["digest"])))


def counted(act: str, *, actor: str, count: int, period_ms: int, detail: tuple[tuple[str, str], ...]) -> Counts:
    """One count, for a transaction that knows it (lines of a body that were refused)."""
    at_ms = now_ms()
    return {(at_ms - at_ms % period_ms, Group(act, actor, "", detail)): Count(count, at_ms, at_ms)}


def _row(window_ms: int, group: Group, count: Count, shown: dict[str, str]) -> dict[str, str | int]:
    told = {
        "act": group.act,
        "actor": shown[group.actor],
        "subject": shown[group.subject],
        "detail": orjson.dumps(dict(group.detail), option=orjson.OPT_SORT_KEYS).decode(),
    }
    digest = hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return {
        "window_ms": window_ms,
        "digest": digest,
        **told,
        "count": count.count,
        "first_at_ms": count.first_at_ms,
        "last_at_ms": count.last_at_ms,
    }


def _merge(into: Counts, more: Counts) -> None:
    for key, count in more.items():
        if key in into:
            into[key].add(count)
        else:
            into[key] = count
