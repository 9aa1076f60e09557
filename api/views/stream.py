"""The live stream: server-sent events from the mirror's own rows, resumed by Last-Event-ID."""

from __future__ import annotations

import asyncio
import math
import re
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.auth.callers import MemberCaller
from api.kit.clock import now_ms
from api.kit.container import State, state_of
from api.kit.database import Snapshot
from api.members import sessions
from api.programmes.catalogue import Catalogues
from api.views import cursors, history
from api.views import member_view as views
from api.views.as_of import moment, to_public
from api.views.cursors import Cursor
from api.views.errors import CursorExpired, ViewUnavailable
from api.views.hub import Hub
from chain.mirror.queries import entries
from chain.mirror.queries.checkpoint import Checkpoint

ENTRIES_ROUND_MAX = 200
BLOCK_PERIOD_S = 1.0
PING = b": ping\n\n"
NOT_OURS = "Last-Event-ID is the id of an event of ours."
# Ids of before generations were numbers alone: whoever has one is told to read anew.
_number = re.compile(r"[0-9]{1,19}\Z", re.ASCII)


async def open_stream(request: Request, *, caller: MemberCaller, last_event_id: str | None) -> Response:
    """The member's stream, from the event after `last_event_id` or from now."""
    state = state_of(request)
    cursor = None
    if last_event_id:
        bare = _number.match(last_event_id)
        cursor = Cursor("", last_event_id) if bare else cursors.read(last_event_id, sentence=NOT_OURS)
        if not bare:
            cursor.number()
    await state.database.reads.off_loop(moment)  # ViewUnavailable now, as a document, rather than in the stream.
    return StreamAnswer(state, request.app.state.hub, caller, cursor)


@dataclass(frozen=True, slots=True)
class Place:
    """The entry up to which a stream has told, in the generation of that entry's number."""

    generation: str
    seq: int


@dataclass(frozen=True, slots=True)
class Round:
    """What one round found: events, the place after them, where the mirror was.

    view: the event of the view, and shown what it says but for its block; empty when entries are left (more).
    next_end_s: the second at which points of the view end, with or without a block. None: never, or not looked at.
    """

    events: bytes
    place: Place
    as_of: Checkpoint
    view: bytes = b""
    shown: bytes = b""
    more: bool = False
    next_end_s: int | None = None


class StreamAnswer(Response):
    """An event stream that ends when the caller goes, the session is over or the gateway stops."""

    media_type = "text/event-stream"

    def __init__(self, state: State, hub: Hub, caller: MemberCaller, cursor: Cursor | None) -> None:
        super().__init__(media_type=self.media_type, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._state = state
        self._hub = hub
        self._caller = caller
        self._asked = cursor
        self._place: Place | None = None
        self._subscriber = hub.join(*caller.addresses)

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
        subscriber, reads, loop = self._subscriber, self._state.database.reads, asyncio.get_running_loop()
        heartbeat_s = self._state.settings.heartbeat.total_seconds()
        block_at, block_hash, shown = 0.0, "", b""
        next_end_s: int | None = None
        while not self._state.stopping.is_set() and await reads.off_loop(self._is_open):
            events, at = b"", self._hub.moment
            # Never before the hub's first look: what comes between that look and this one's, the hub's next look tells.
            if subscriber.changed and at is not None:
                afresh = subscriber.afresh
                subscriber.changed = subscriber.afresh = False
                try:
                    told = await reads.off_loop(self._round)
                except ViewUnavailable:
                    # The mirror is being built anew; the hub wakes everybody when its first block is there.
                    subscriber.changed, subscriber.afresh, next_end_s = True, afresh, None
                else:
                    self._place, next_end_s = told.place, told.next_end_s
                    if told.more:
                        subscriber.tell(changed=True, afresh=afresh)
                    if told.events or afresh or told.shown != shown:
                        events, shown = told.events + told.view, told.shown
                    elif told.as_of.block_hash != block_hash and loop.time() - block_at >= BLOCK_PERIOD_S:
                        # Woken for what the view told before says already.
                        events = _event("block", to_public(told.as_of, self._state))
                    if events:
                        block_hash, block_at = told.as_of.block_hash if not told.more else "", loop.time()
            elif at is not None and at.block_hash != block_hash and loop.time() - block_at >= BLOCK_PERIOD_S:
                events, block_hash, block_at = _event("block", to_public(at, self._state)), at.block_hash, loop.time()
            if events:
                await _body(send, events)
            woken = await _woken(subscriber.wake, min(heartbeat_s, _left_s(next_end_s)))
            if _left_s(next_end_s) == 0.0:
                # Points ended, whether a block came or not: the view is another one.
                subscriber.changed = True
            elif not woken:
                # Nothing new is news too: the view is as fresh as the mirror's last look at the chain.
                at = self._hub.moment
                await _body(send, PING if at is None else _event("block", to_public(at, self._state)))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _is_open(self, read: Snapshot) -> bool:
        """Whether the session is not over, and its member is still the same person: a merge is read anew."""
        who = sessions.person_of(read, self._caller.session_id, at_ms=now_ms())
        return who == (self._caller.member_id, len(self._caller.others))

    def _round(self, read: Snapshot) -> Round:
        """New entries since the place, then the view that they lead to; a reset before them where it is no place."""
        catalogue, as_of = self._state.singleton(Catalogues).newest(read), moment(read)
        addresses = self._caller.addresses
        events = []
        seq = self._known(read, as_of)
        if seq is None:
            seq = history.last(read, accounts=addresses)
            if self._asked is not None or self._place is not None:
                told = {"error": CursorExpired.__name__, "detail": cursors.AGAIN}
                events.append(_event("reset", told, event_id=cursors.told(as_of, seq)))
        rows = history.after(read, accounts=addresses, seq=seq, limit=ENTRIES_ROUND_MAX)
        for row in rows:
            seq = row.seq
            entry = history.entry_to_public(read, catalogue=catalogue, as_of=as_of, entry=row)
            if entry is not None:
                events.append(_event("entry", entry, event_id=cursors.told(as_of, seq)))
        place = Place(as_of.generation, seq)
        if len(rows) == ENTRIES_ROUND_MAX:
            return Round(b"".join(events), place, as_of, more=True)
        view = views.member_view(
            read,
            state=self._state,
            catalogue=catalogue,
            member_ids=self._caller.member_ids,
            addresses=addresses,
            only=None,
        )
        return Round(
            b"".join(events),
            place,
            as_of,
            view=_event("view", view, event_id=cursors.told(as_of, seq)),
            shown=orjson.dumps({name: value for name, value in view.items() if name != "as_of"}),
            next_end_s=views.next_end_s(view),
        )

    def _known(self, read: Snapshot, as_of: Checkpoint) -> int | None:
        """The entry up to which was told, or that the caller asked for; None where the mirror has no such place."""
        if self._place is not None:
            return self._place.seq if self._place.generation == as_of.generation else None
        if self._asked is None or self._asked.generation != as_of.generation:
            return None
        asked = self._asked.number()
        return asked if asked <= entries.last(read) else None


def _left_s(second: int | None) -> float:
    """How long until a second of the clock; for ever when there is none."""
    return math.inf if second is None else max(0, second * 1000 - now_ms()) / 1000


async def _woken(wake: asyncio.Event, within_s: float) -> bool:
    """Whether something woke the stream in time; it may sleep again after."""
    try:
        async with asyncio.timeout(within_s):
            await wake.wait()
    except TimeoutError:
        return False
    wake.clear()
    return True


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _body(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


def _event(name: str, data: dict[str, Any], *, event_id: str | None = None) -> bytes:
    head = f"id: {event_id}\nevent: {name}\ndata: " if event_id is not None else f"event: {name}\ndata: "
    return head.encode() + orjson.dumps(data) + b"\n\n"
