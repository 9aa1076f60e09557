"""Do the books balance? Asked of the chain itself, by one at a time, and kept for a few seconds for the others."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool

from api.kit.addresses import checksum
from api.kit.container import State
from api.views.as_of import moment
from api.views.errors import ViewUnavailable
from api.views.schemas import Books, BrandBooks
from chain.base.errors import AnswerInconsistent
from chain.mirror import books

BOOKS_LIFE_S = 5.0
DECIMALS = 2


@dataclass
class Ledgered:
    """The newest books and when they were made."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    books: Books | None = None
    made_at_s: float = 0.0


async def latest(state: State) -> Books:
    """The books, at most a few seconds old: a public question must not cost the node a walk each time."""
    kept = state.singleton(Ledgered)
    async with kept.lock:
        found = kept.books
        if found is not None:
            at = await state.database.reads.off_loop(moment)
            young = time.monotonic() - kept.made_at_s <= BOOKS_LIFE_S
            if young or (at.block_number, at.block_hash) == (found.block_number, found.block_hash):
                return found
        # One at a time: whoever asks meanwhile waits here and shares what was made.
        kept.books = await run_in_threadpool(made, state)
        kept.made_at_s = time.monotonic()
        return kept.books


def made(state: State) -> Books:
    """Supply, sum of balances on the chain, sum in the mirror, drift: of each brand, at one block."""
    rpc = state.node.patient(state.settings.books_timeout.total_seconds())
    try:
        found = books.books(rpc, state.database.engine, state.deployment)
    except AnswerInconsistent as fault:
        raise ViewUnavailable(str(fault)) from fault
    finally:
        rpc.close()
    return Books(
        balanced=found.balanced,
        block_number=found.block_number,
        block_hash=found.block_hash,
        brands=[
            BrandBooks(
                brand=line.brand,
                token=checksum(line.token),
                decimals=DECIMALS,
                supply_on_chain=str(line.supply_on_chain),
                sum_on_chain=str(line.sum_on_chain),
                sum_in_mirror=str(line.sum_in_mirror),
                held=str(line.held),
                drift=str(line.drift),
            )
            for line in found.brands
        ],
    )
