"""Who must be woken: one task a process looks for new rows and wakes the streams that they concern.

Nothing is handed over that could be lost: a woken stream reads from its own place. Entries and reorgs have one writer
at a time (chain.mirror.checkpoint.require), so their numbers appear in order; operations have many and are followed by
api.kit.following. Streams are bounded, for all and for each member.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from api.kit.container import State
from api.kit.database import Snapshot
from api.kit.following import Followed, Position
from api.kit.log import log
from api.views.as_of import moment
from api.views.errors import StreamsTooMany, ViewUnavailable
from chain.base.scalars import Address
from chain.mirror.queries import entries, reorgs
from chain.mirror.queries.checkpoint import Checkpoint
from chain.mirror.queries.entries import Whose
from chain.storage.looks import Row

SEEN_MAX = 5_000
FAULT_PAUSE_S = 1.0

_ASKED = Followed("operation", "id, ordering_key")


@dataclass(frozen=True, slots=True)
class News:
    """One look at the database: where the mirror is, and what is new since the look before.

    entries, asked: (number, account) of new entries and operations. everyone: who is concerned cannot be told. The
    numbers say how far was looked.
    """

    moment: Checkpoint
    entries: Sequence[Whose]
    asked: Sequence[Row]
    everyone: bool
    entry_last: int
    asked_at: Position
    reorg_last: int


class Subscriber:
    """One open stream: what woke it. changed: there is something to look at; afresh: and to tell whatever it is.

    addresses: those of the person, of which the first counts for the bound.
    """

    def __init__(self, addresses: Sequence[Address]) -> None:
        self.addresses = addresses
        self.wake = asyncio.Event()
        self.changed = True
        self.afresh = False

    def tell(self, *, changed: bool, afresh: bool = False) -> None:
        self.changed = self.changed or changed
        self.afresh = self.afresh or afresh
        self.wake.set()


class Hub:
    """The streams of this process and the one task that wakes them."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._by_address: dict[str, set[Subscriber]] = {}
        self._count = 0
        self._wanted = asyncio.Event()
        self._news: News | None = None

    @property
    def moment(self) -> Checkpoint | None:
        """Where the mirror was at the last look; None before the first, for which every stream waits."""
        return None if self._news is None else self._news.moment

    def join(self, *addresses: Address) -> Subscriber:
        """A new stream, or StreamsTooMany."""
        settings = self._state.settings
        mine = self._by_address.get(addresses[0], set())
        if self._count >= settings.streams_max or len(mine) >= settings.streams_per_member_max:
            raise StreamsTooMany("Too many live streams are open; close one or try again in a moment.")
        subscriber = Subscriber(addresses)
        for address in addresses:
            self._by_address.setdefault(address, set()).add(subscriber)
        self._count += 1
        self._wanted.set()
        return subscriber

    def leave(self, subscriber: Subscriber) -> None:
        if subscriber in self._by_address.get(subscriber.addresses[0], ()):
            self._count -= 1
        for address in subscriber.addresses:
            mine = self._by_address.get(address, set())
            mine.discard(subscriber)
            if not mine:
                self._by_address.pop(address, None)
        if self._count == 0:
            self._wanted.clear()

    def wake_all(self, *, changed: bool, afresh: bool = False) -> None:
        for subscribers in self._by_address.values():
            for subscriber in subscribers:
                subscriber.tell(changed=changed, afresh=afresh)

    async def run(self) -> None:
        """Looks for news while anyone listens; a database that is away for a moment is waited for."""
        state = self._state
        period_s = state.settings.stream_poll.total_seconds()
        while not state.stopping.is_set():
            if self._count == 0:
                self._news = None
                await self._wanted.wait()
            before = self._news
            try:
                news = await state.database.reads.off_loop(lambda read, before=before: look(read, before))  # type: ignore[misc]
            except ViewUnavailable:
                pass
            except Exception as fault:
                log.warning("the stream's look at the database failed: %s", fault)
                await asyncio.sleep(FAULT_PAUSE_S)
            else:
                self._news = news
                self._tell(before, news)
            await asyncio.sleep(period_s)

    def _tell(self, before: News | None, news: News) -> None:
        """Wakes whom it concerns; on the loop's own thread."""
        if before is None:
            # Nobody has told anything yet: what comes after this look, the next one sees.
            self.wake_all(changed=False)
            return
        undone = news.reorg_last > before.reorg_last or news.moment.generation != before.moment.generation
        if undone or news.everyone:
            self.wake_all(changed=True, afresh=undone)
            return
        for _, account in (*news.entries, *news.asked):
            for subscriber in self._by_address.get(account, ()):
                subscriber.tell(changed=True)
        if news.moment.block_hash != before.moment.block_hash:
            self.wake_all(changed=False)


def look(read: Snapshot, before: News | None) -> News:
    """What is new since `before`; at the first look, only how far there is to see."""
    now = moment(read)
    reorg_last = reorgs.last(read)
    seen = _ASKED.look(read, None if before is None else before.asked_at, SEEN_MAX)
    if before is None or now.generation != before.moment.generation:
        # A mirror that was built anew concerns everybody, and its numbers are others.
        return News(now, (), seen.rows, True, entries.last(read), seen.position, reorg_last)
    fresh = entries.whose(read, after=before.entry_last, limit=SEEN_MAX)
    return News(
        moment=now,
        entries=fresh,
        asked=seen.rows,
        everyone=seen.everyone,
        entry_last=fresh[-1].seq if fresh else before.entry_last,
        asked_at=seen.position,
        reorg_last=reorg_last,
    )


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
