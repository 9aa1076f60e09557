"""The live stream: server-sent events from the mirror's own rows.

One task a process looks for new blocks and entries and wakes the streams that they concern; each stream then
reads from its own cursor. Nothing is handed over that could be lost: a stream that sleeps, or resumes with
Last-Event-ID, reads what it missed. Streams are bounded, for all and for each member.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.channels import history
from api.channels import view as views
from api.channels.as_of import Moment, moment
from api.channels.errors import CursorMalformed, StreamsTooMany, ViewUnavailable
from api.database import Snapshot
from api.decisions.catalogue import Catalogues
from api.identity.current import MemberCaller
from api.log import log
from api.state import State, state_of

ENTRIES_ROUND_MAX = 200
SEEN_MAX = 5_000
BLOCK_PERIOD_S = 1.0
FAULT_PAUSE_S = 1.0
_event_id = re.compile(r"(0|[1-9][0-9]{0,18})\Z", re.ASCII)

_HEAD = "SELECT COALESCE(MAX(seq), 0) FROM entry"
_NEW = "SELECT seq, account FROM entry WHERE seq > ? ORDER BY seq LIMIT ?"
_ASKED = "SELECT COALESCE(MAX(id), 0) FROM operation"
_NEW_ASKED = "SELECT id, lane FROM operation WHERE id > ? ORDER BY id LIMIT ?"
_REORG = "SELECT COALESCE(MAX(id), 0) FROM mirror_reorg"
_LAST_OF = "SELECT COALESCE(MAX(seq), 0) FROM entry WHERE account = ?"


@dataclass(frozen=True, slots=True)
class Seen:
    """How far the hub has looked: the newest entry, operation and rollback."""

    entry: int
    operation: int
    reorg: int


class Subscriber:
    """One open stream: what woke it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.wake = asyncio.Event()
        self.changed = False


class Hub:
    """The streams of this process and the one task that wakes them."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._by_address: dict[str, set[Subscriber]] = {}
        self._count = 0
        self._wanted = asyncio.Event()
        self.moment: Moment | None = None
        self._seen: Seen | None = None

    def join(self, address: str) -> Subscriber:
        """A new stream, or StreamsTooMany."""
        settings = self._state.settings
        mine = self._by_address.setdefault(address, set())
        if self._count >= settings.streams_max or len(mine) >= settings.streams_per_member_max:
            if not mine:
                del self._by_address[address]
            raise StreamsTooMany("Too many live streams are open; close one or try again in a moment.")
        subscriber = Subscriber(address)
        mine.add(subscriber)
        self._count += 1
        self._wanted.set()
        return subscriber

    def leave(self, subscriber: Subscriber) -> None:
        mine = self._by_address.get(subscriber.address, set())
        if subscriber in mine:
            mine.discard(subscriber)
            self._count -= 1
        if not mine:
            self._by_address.pop(subscriber.address, None)
        if self._count == 0:
            self._wanted.clear()

    def wake_all(self, *, changed: bool) -> None:
        for subscribers in self._by_address.values():
            for subscriber in subscribers:
                subscriber.changed = subscriber.changed or changed
                subscriber.wake.set()

    async def run(self) -> None:
        """Looks for news while anyone listens; a database that is away for a moment is waited for."""
        state = self._state
        period_s = state.settings.stream_poll.total_seconds()
        while not state.stopping.is_set():
            if self._count == 0:
                self._seen = None
                await self._wanted.wait()
            try:
                self._seen = await state.database.reads.off_loop(self._look)
            except ViewUnavailable:
                pass
            except Exception as fault:
                log.warning("the stream's look at the database failed: %s", fault)
                await asyncio.sleep(FAULT_PAUSE_S)
            await asyncio.sleep(period_s)

    def _look(self, read: Snapshot) -> Seen:
        """One look: wakes whom it concerns; gives how far it saw."""
        self._note(moment(read))
        seen, reorg = self._seen, _number(read, _REORG)
        if seen is None:
            # Streams that joined before this look read from their own cursors.
            self.wake_all(changed=True)
            return Seen(_number(read, _HEAD), _number(read, _ASKED), reorg)
        entries = read.rows(_NEW, seen.entry, SEEN_MAX)
        asked = read.rows(_NEW_ASKED, seen.operation, SEEN_MAX)
        for _, account in (*entries, *asked):
            for subscriber in self._by_address.get(account, ()):
                subscriber.changed = True
                subscriber.wake.set()
        if reorg > seen.reorg:
            self.wake_all(changed=True)
        return Seen(entries[-1][0] if entries else seen.entry, asked[-1][0] if asked else seen.operation, reorg)

    def _note(self, found: Moment) -> None:
        before, self.moment = self.moment, found
        if before is None or before.block_hash != found.block_hash:
            self.wake_all(changed=False)


def _number(read: Snapshot, sql: str, *parameters: Any) -> int:
    row = read.row(sql, *parameters)
    return 0 if row is None else int(row[0])


@asynccontextmanager
async def hub_running(state: State) -> AsyncIterator[Hub]:
    """The hub while the gateway runs."""
    hub = Hub(state)
    task = asyncio.create_task(hub.run())
    try:
        yield hub
    finally:
        state.stopping.set()
        hub.wake_all(changed=False)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def open_stream(request: Request, *, caller: MemberCaller, last_event_id: str | None) -> Response:
    """The member's stream, from the event after `last_event_id` or from now."""
    state = state_of(request)
    cursor = None
    if last_event_id:
        if not _event_id.match(last_event_id):
            raise CursorMalformed("Last-Event-ID is the id of an event of ours.", cursor=last_event_id[:40])
        cursor = min(int(last_event_id), history.SEQ_END)
    await state.database.reads.off_loop(moment)  # ViewUnavailable now, as a document, rather than in the stream.
    return StreamAnswer(state, request.app.state.hub, caller, cursor)


class StreamAnswer(Response):
    """An event stream that ends when the caller goes or the gateway stops."""

    media_type = "text/event-stream"

    def __init__(self, state: State, hub: Hub, caller: MemberCaller, cursor: int | None) -> None:
        super().__init__(media_type=self.media_type, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._state = state
        self._hub = hub
        self._caller = caller
        self._cursor = cursor
        self._subscriber = hub.join(caller.address)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(_gone(receive))
        sending = asyncio.create_task(self._send(send))
        try:
            await asyncio.wait({gone, sending}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            self._hub.leave(self._subscriber)
            for task in (gone, sending):
                task.cancel()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        subscriber, stopping = self._subscriber, self._state.stopping
        heartbeat_s = self._state.settings.heartbeat.total_seconds()
        loop = asyncio.get_running_loop()
        subscriber.changed = True
        block_at = 0.0
        block_hash = ""
        while not stopping.is_set():
            parts: list[bytes] = []
            if subscriber.changed:
                subscriber.changed = False
                parts, block_hash = await self._state.database.reads.off_loop(self._news)
                block_at = loop.time()
            elif (
                (found := self._hub.moment) is not None
                and found.block_hash != block_hash
                and loop.time() - block_at >= BLOCK_PERIOD_S
            ):
                parts = [_event("block", found.told(self._state))]
                block_hash, block_at = found.block_hash, loop.time()
            if parts:
                await send({"type": "http.response.body", "body": b"".join(parts), "more_body": True})
            if not subscriber.wake.is_set():
                try:
                    async with asyncio.timeout(heartbeat_s):
                        await subscriber.wake.wait()
                except TimeoutError:
                    # Nothing new is news too: the view is as fresh as the mirror's last look at the chain.
                    found = self._hub.moment
                    beat = b": ping\n\n" if found is None else _event("block", found.told(self._state))
                    await send({"type": "http.response.body", "body": beat, "more_body": True})
            subscriber.wake.clear()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _news(self, read: Snapshot) -> tuple[list[bytes], str]:
        """New entries since the cursor, then the view that they lead to; and the block of it."""
        catalogue = self._state.keep(Catalogues).newest(read)
        as_of = moment(read)
        address = self._caller.address
        if self._cursor is None:
            self._cursor = _number(read, _LAST_OF, address)
        rows = history.after(read, address=address, seq=self._cursor, limit=ENTRIES_ROUND_MAX)
        parts = []
        for row in rows:
            entry = history.told_entry(read, catalogue=catalogue, as_of=as_of, address=address, row=row)
            if entry is not None:
                parts.append(_event("entry", entry, event_id=entry["id"]))
        if rows:
            self._cursor = rows[-1][0]
        if len(rows) == ENTRIES_ROUND_MAX:
            # More is waiting: the view follows the last of it.
            self._subscriber.changed = True
            self._subscriber.wake.set()
            return parts, ""
        told = views.member_view(
            read,
            state=self._state,
            catalogue=catalogue,
            member_id=self._caller.member_id,
            address=address,
            only=None,
        )
        parts.append(_event("view", told, event_id=str(self._cursor)))
        return parts, as_of.block_hash


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _event(name: str, data: dict[str, Any], *, event_id: str | None = None) -> bytes:
    head = f"id: {event_id}\nevent: {name}\ndata: " if event_id is not None else f"event: {name}\ndata: "
    return head.encode() + orjson.dumps(data) + b"\n\n"
