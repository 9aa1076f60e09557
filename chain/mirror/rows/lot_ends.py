"""Who has points that end at a second: an index over the balances, so that an end finds its lots without a walk.

A row says that an account came to have points of a lot, and in which block first; whether any are left is in its
balance. Rows are added with the events that name them and are taken away by a rollback only, so they follow from the
chain like everything else. The redemption desk's account and points that never end have none.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

from sqlalchemy import Connection, bindparam, delete, select

from chain.base.scalars import Address
from chain.contracts import lots
from chain.contracts.named_lots import LOTS_CHANGED, NAMES, NamedLots
from chain.mirror.models import BrandToken, LedgerEvent, LotEnd
from chain.storage import bulk
from chain.storage.bulk import PLACE
from chain.storage.columns import table_of

PAGE_ROWS: Final = 2_000
EVENTS_PAGE: Final = 10_000
# Rows that wait for the end of the commit; more of them are written at once.
PENDING_MAX: Final = 20_000
NEVER: Final = 2**63 - 1

table: Final = table_of(LotEnd)
events: Final = table_of(LedgerEvent)
tokens: Final = table_of(BrandToken)


class Place(NamedTuple):
    """A lot of an account, by the second at which it ends: the primary key of the index."""

    expires_at: int
    token: Address
    account: Address


# Before every address.
NOBODY: Final = Address("")
COLUMNS: Final = (*Place._fields, "block_number")

_DROP: Final = delete(table).where(
    table.c.expires_at == bindparam("b_expires_at"),
    table.c.token == bindparam("b_token"),
    table.c.account == bindparam("b_account"),
    table.c.block_number > bindparam("b_above"),
)


class LotEnds(Protocol):
    """The index as the fold needs it."""

    def began(self, place: Place, block_number: int) -> None:
        """An account has points of this lot that it had not before."""

    def passed(self, before: int, now: int) -> Iterator[Sequence[tuple[Place, str | None]]]:
        """Lots whose end lies after the earlier and not after the later of two seconds, in the order of their places,
        page by page; each with the packed lots of its account as they lie in the tables, where there are tables."""


class StoredLotEnds:
    """The index in the tables, within one SQL transaction that begins at second `at` of the chain."""

    def __init__(self, connection: Connection, at: int):
        self._connection = connection
        self._pending: dict[Place, int] = {}
        self._at = at
        # The first end after `at`: as long as no block reaches it, the tables are asked nothing.
        self._next = self._first_after(at)

    def began(self, place: Place, block_number: int) -> None:
        self._pending.setdefault(place, block_number)
        if place.expires_at > self._at:
            self._next = min(self._next, place.expires_at)
        if len(self._pending) >= PENDING_MAX:
            self.flush()

    def passed(self, before: int, now: int) -> Iterator[Sequence[tuple[Place, str | None]]]:
        if before == self._at <= now < self._next:
            self._at = now
            return
        self.flush()
        self._at, self._next = now, self._first_after(now)
        beyond, last = Place(min(before, now) + 1, NOBODY, NOBODY), max(before, now)
        while True:
            page = self._page(beyond, last)
            if page:
                yield page
            if len(page) < PAGE_ROWS:
                return
            beyond = page[-1][0]

    def flush(self) -> None:
        """Writes what began."""
        rows = [(*place, block_number) for place, block_number in self._pending.items()]
        bulk.insert_missing(self._connection, table, COLUMNS, rows)
        self._pending = {}

    def _first_after(self, at: int) -> int:
        found = self._connection.execute(
            select(table.c.expires_at).where(table.c.expires_at > at).order_by(table.c.expires_at).limit(1)
        ).scalar_one_or_none()
        return NEVER if found is None else int(found)

    def _page(self, beyond: Place, last: int) -> list[tuple[Place, str | None]]:
        statement = _page_of(self._connection.dialect.name)
        rows = self._connection.exec_driver_sql(statement, (*beyond, last, PAGE_ROWS))
        return [(Place(expires_at, token, account), words) for expires_at, token, account, words in rows]


@lru_cache(2)
def _page_of(dialect: str) -> str:
    place = PLACE[dialect]
    return (
        "SELECT e.expires_at, e.token, e.account, b.lots FROM lot_end e "  # noqa: S608  (values only go by place)
        "LEFT JOIN balance b ON b.token = e.token AND b.account = e.account "
        f"WHERE (e.expires_at, e.token, e.account) > ({place}, {place}, {place}) AND e.expires_at <= {place} "
        f"ORDER BY e.expires_at, e.token, e.account LIMIT {place}"
    )


class MemoryLotEnds:
    """The index in memory, of an audit."""

    def __init__(self) -> None:
        # In which block each lot of an account began.
        self.blocks: dict[Place, int] = {}
        self._by_end: dict[int, list[Place]] = {}
        self._ends: list[int] = []

    def began(self, place: Place, block_number: int) -> None:
        if place in self.blocks:
            return
        self.blocks[place] = block_number
        if place.expires_at not in self._by_end:
            insort(self._ends, place.expires_at)
            self._by_end[place.expires_at] = []
        self._by_end[place.expires_at].append(place)

    def passed(self, before: int, now: int) -> Iterator[Sequence[tuple[Place, str | None]]]:
        first, last = (bisect_right(self._ends, bound) for bound in (min(before, now), max(before, now)))
        for end in self._ends[first:last]:
            yield [(place, None) for place in sorted(self._by_end[end])]


def roll_back(connection: Connection, above_block: int) -> None:
    """Takes away the rows of lots that began above the block. The events and tokens above it must still be there."""
    clocks = {row.token: lots.clock_of(row) for row in connection.execute(select(tokens))}
    found: set[Place] = set()
    rows = connection.execute(
        select(events.c.address, events.c.name, events.c.args)
        .where(events.c.block_number > above_block, events.c.name.in_(NAMES))
        .order_by(events.c.block_number, events.c.log_index)
        .execution_options(yield_per=EVENTS_PAGE)
    )
    named = NamedLots()
    for token, name, args in rows:
        expiry = named.follow(token, name, args)
        expires_at = clocks[token].expires_at(expiry) if expiry is not None else None
        if expires_at is not None:
            found.add(Place(expires_at, token, args["to"]))
        if name == LOTS_CHANGED:
            found.update(_places(token, args["account"], clocks[token], args["words"]))
    if found:
        values = [
            {"b_expires_at": expires_at, "b_token": token, "b_account": account, "b_above": above_block}
            for expires_at, token, account in sorted(found)
        ]
        connection.execute(_DROP, values)


def _places(token: Address, account: Address, clock: lots.Clock, words: Iterable[str]) -> Iterator[Place]:
    """The lots that an event of changed lots shows points in."""
    for decimal in words:
        for expiry, _ in lots.of_word(int(decimal)):
            expires_at = clock.expires_at(expiry)
            if expires_at is not None:
                yield Place(expires_at, token, account)
