"""Following a table by its growing numbers, so that no row is missed although several transactions write at once.

PostgreSQL gives a row its number when it is written, and shows it when its transaction commits: a lower number may
appear after a higher one. So a number that was passed over is a gap that is looked at again until every transaction
has ended that could fill it. Which these are follows from the order of writing: a writer takes the number of its
transaction before the number of a row (operations.enqueue_many), the row that is seen was numbered after both, and
`mark` is taken after that. Once all transactions below the mark have ended (`horizon`), what is not there will
never be. No clock is asked, and nothing is stored that another server, or a restored copy, could understand otherwise.

SQLite's writers queue before they number anything: there are no gaps there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from api.kit.database import Reads, Snapshot
from chain.storage.looks import Row

# More gaps than these are not remembered one by one: until they are decided, news may concern anybody.
GAPS_MAX: Final = 256
# Who wants what is settled looks again so often, with this pause, while writers end: two seconds in all.
LOOKS_MAX: Final = 200
PAUSE_S: Final = 0.01


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers first..last that were passed over; decided once every transaction below `until` has ended."""

    first: int
    last: int
    until: int


@dataclass(frozen=True, slots=True)
class Position:
    """How far was looked. blind_until: below this transaction there may be rows of numbers that nobody remembered."""

    last: int
    gaps: tuple[Gap, ...] = ()
    blind_until: int | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """Rows that were not told before. everyone: there may be others, so that anybody may be concerned."""

    rows: Sequence[Row]
    everyone: bool
    position: Position


@dataclass(frozen=True)
class Followed:
    """A table whose first named column is its number."""

    table: str
    columns: str
    _sql: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        number = self.columns.split(",")[0]
        # Both names are literals of this code.
        shown = f"SELECT {self.columns} FROM {self.table} WHERE {number}"  # noqa: S608
        sql = {
            "last": f"SELECT COALESCE(MAX({number}), 0) FROM {self.table}",  # noqa: S608
            "after": f"{shown} > ? ORDER BY {number} LIMIT ?",
            "between": f"{shown} BETWEEN ? AND ? ORDER BY {number} LIMIT ?",
        }
        object.__setattr__(self, "_sql", sql)

    def last(self, read: Snapshot) -> int:
        """The highest number that is shown."""
        row = read.row(self._sql["last"])
        return 0 if row is None else int(row[0])

    async def settled(self, reads: Reads) -> int | None:
        """The highest number that is shown now, once no lower one can appear any more; None while that takes long."""
        last, mark = await reads.off_loop(self._marked)
        for _ in range(LOOKS_MAX):
            if mark is None or await reads.off_loop(lambda read: read.horizon()) >= mark:
                return last
            await asyncio.sleep(PAUSE_S)
        return None

    def _marked(self, read: Snapshot) -> tuple[int, int | None]:
        return self.last(read), read.mark() if read.several_writers else None

    def look(self, read: Snapshot, position: Position | None, rows_max: int) -> Seen:
        """What is new since the position; without one, only where there is to begin."""
        if position is None:
            begin = Position(self.last(read), (), read.mark() if read.several_writers else None)
            return Seen((), True, begin)
        late, gaps = self._late(read, position, rows_max)
        rows = read.rows(self._sql["after"], position.last, rows_max)
        last = int(rows[-1][0]) if rows else position.last
        blind_until = position.blind_until
        everyone = blind_until is not None
        if read.several_writers:
            if blind_until is not None and read.horizon() >= blind_until:
                blind_until = None
            passed = list(_passed([position.last, *(int(row[0]) for row in rows)]))
            if passed:
                mark = read.mark()
                gaps += [Gap(first, end, mark) for first, end in passed]
            if len(gaps) > GAPS_MAX:
                gaps, blind_until, everyone = [], max(gap.until for gap in gaps), True
        return Seen([*late, *rows], everyone, Position(last, tuple(gaps), blind_until))

    def _late(self, read: Snapshot, position: Position, rows_max: int) -> tuple[list[Row], list[Gap]]:
        """Rows that appeared in gaps, and the gaps that are left."""
        late: list[Row] = []
        left: list[Gap] = []
        horizon = read.horizon() if position.gaps else 0
        for gap in position.gaps:
            found = read.rows(self._sql["between"], gap.first, gap.last, rows_max)
            late += found
            decided = horizon >= gap.until
            if decided and len(found) < rows_max:
                continue
            first = int(found[-1][0]) + 1 if decided else gap.first
            numbers = [first - 1, *(int(row[0]) for row in found if row[0] >= first), gap.last + 1]
            left += [Gap(start, end, gap.until) for start, end in _passed(numbers)]
        return late, left


def _passed(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The first and last of what lies between neighbours of a rising row of numbers."""
    return ((one + 1, next_ - 1) for one, next_ in pairwise(numbers) if next_ - one > 1)
