"""Do the books balance? What the mirror holds now, at once; what the chain itself says, compared beside it.

Nobody who asks waits for the node, and nobody can make it work by asking: one comparison at a time, at most one for a
block, with pauses in which others have the node, and none soon after the last one.
"""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass, field
from typing import Final

from starlette.concurrency import run_in_threadpool

from api.kit.addresses import checksum
from api.kit.clock import now_ms, rfc3339
from api.kit.container import State
from api.kit.database import Snapshot
from api.kit.log import log
from api.views.as_of import moment, to_public
from api.views.schemas import AsOf, Books, BrandBooks
from chain.base.scalars import Address
from chain.contracts import lots
from chain.mirror import books
from chain.mirror.queries import balances
from chain.mirror.queries import supply as supplies
from chain.mirror.queries.brands import all_tokens
from chain.mirror.queries.checkpoint import Checkpoint

# After a comparison the node rests for so many times its duration, and between two of its requests too.
REST_SHARE: Final = 3
REST_S_MIN: Final = 5.0
PAUSE_S_MAX: Final = 5.0
BRANDS_MAX: Final = 1_000
LOTS_MAX: Final = 100_000

_SLUGS = "SELECT CAST(registry_id AS TEXT), slug FROM brand ORDER BY slug LIMIT ?"


class _Ended(Exception):
    """The gateway stops; the comparison is given up."""


@dataclass
class Ledgered:
    """The newest comparison, when it ended and how long it took; and the one that is under way."""

    found: books.Books | None = None
    compared_at_ms: int = 0
    ended_at_s: float = float("-inf")
    took_s: float = 0.0
    task: asyncio.Task[None] | None = None
    ending: threading.Event = field(default_factory=threading.Event)

    def may_begin(self, at: Checkpoint) -> bool:
        """Whether the chain's side of this block may be asked for now."""
        if self.task is not None or self.ending.is_set():
            return False
        found = self.found
        if found is not None and (found.block_number, found.block_hash) == (at.block_number, at.block_hash):
            return False
        return time.monotonic() - self.ended_at_s >= max(REST_S_MIN, REST_SHARE * self.took_s)


async def latest(state: State) -> Books:
    """The mirror's side as of now, the newest comparison with the chain beside it; begins the next one if it is due."""
    kept = state.singleton(Ledgered)
    at, told = await state.database.reads.off_loop(lambda read: _told(read, state, kept.found, kept.compared_at_ms))
    if kept.may_begin(at):
        kept.task = asyncio.create_task(_compare(state, kept))
    return told


async def finish(state: State) -> None:
    """Gives up the comparison that is under way; to be called when the gateway stops."""
    kept = state.singleton(Ledgered)
    kept.ending.set()
    if kept.task is not None:
        await kept.task


async def _compare(state: State, kept: Ledgered) -> None:
    began = time.monotonic()
    try:
        kept.found = await run_in_threadpool(_compared, state, kept.ending)
        kept.compared_at_ms = now_ms()
    except _Ended:
        pass
    except Exception as fault:
        log.warning("the books could not be compared, and are later: %s", fault)
    finally:
        kept.ended_at_s = time.monotonic()
        kept.took_s = kept.ended_at_s - began
        kept.task = None


def _compared(state: State, ending: threading.Event) -> books.Books:
    def between(took_s: float) -> None:
        if ending.wait(min(PAUSE_S_MAX, REST_SHARE * took_s)):
            raise _Ended

    rpc = state.node.patient(state.settings.books_timeout.total_seconds())
    try:
        return books.books(rpc, state.database.engine, state.deployment, between=between)
    finally:
        rpc.close()


def _told(read: Snapshot, state: State, found: books.Books | None, compared_at_ms: int) -> tuple[Checkpoint, Books]:
    at = moment(read)
    supply: dict[str, list[tuple[int, int]]] = {}
    for lot in supplies.by_expiry(read, limit=LOTS_MAX):
        supply.setdefault(lot.token, []).append((lot.expiry_epoch, int(lot.points)))
    held = dict(balances.lots_of(read, account=_desk(state), limit=BRANDS_MAX))
    slugs: dict[str, str] = {str(brand_id): slug for brand_id, slug in read.rows(_SLUGS, BRANDS_MAX)}
    named = [(slugs[token.brand_id], token) for token in all_tokens(read, limit=BRANDS_MAX) if token.brand_id in slugs]
    compared = {} if found is None else {line.token: line for line in found.brands}
    brands = []
    for slug, token in sorted(named):
        epoch = token.clock.epoch(at.block_time)
        line, words = compared.get(token.token), held.get(token.token)
        brands.append(
            BrandBooks(
                brand=slug,
                token=checksum(token.token),
                decimals=token.decimals,
                supply_in_mirror=str(sum(points for expiry, points in supply.get(token.token, ()) if expiry > epoch)),
                held="0" if words is None else str(lots.spendable(words, token.clock, at.block_time)),
                supply_on_chain=None if line is None else str(line.supply_on_chain),
                sum_on_chain=None if line is None else str(line.sum_on_chain),
                sum_in_mirror=None if line is None else str(line.sum_in_mirror),
                drift=None if line is None else str(line.drift),
            )
        )
    told = Books(
        as_of=AsOf(**to_public(at, state)),
        balanced=None if found is None else found.balanced,
        block_number=None if found is None else found.block_number,
        block_hash=None if found is None else found.block_hash,
        compared_at=None if found is None else rfc3339(compared_at_ms),
        brands=brands,
    )
    return at, told


def _desk(state: State) -> Address:
    return state.deployment.address("RedemptionDesk")
