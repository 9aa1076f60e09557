"""The mirror's append-only tables beside the proven chain, block by block: events, entries and blocks.

Each is read once, in the order of the chain, over one snapshot; a block's rows are compared with what that block must
have given and then forgotten.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Table

from chain.audit.reading import is_number, read
from chain.base.difference import MIRROR, Difference, Where
from chain.contracts.codec import EventLog
from chain.mirror.models import Entry, LedgerEvent, MirrorBlock
from chain.mirror.rows.projection import TIMELY_KINDS, event_row
from chain.mirror.rows.row_cache import Row
from chain.storage.columns import table_of

ADDED: Final = "row added"
REMOVED: Final = "row removed"
ORDER: Final = "order of entries"
# An entry that nothing but time makes: proven by two headers, by the blooms between, and by the lots before.
FALSE_END: Final = "expiry that never was"
MISSING_END: Final = "expiry missing"
RULE: Final = "12.5"
RULE_OF_ENDS: Final = "12.80"
Found = Callable[[Difference], None]

events: Final = table_of(LedgerEvent)
entries: Final = table_of(Entry)
blocks: Final = table_of(MirrorBlock)
EVENT_KEY: Final = ("block_number", "log_index")
ENTRY_KEY: Final = ("block_number", "log_index", "token", "account")


class Stream:
    """Rows of one table between two blocks, given out block by block in ascending order."""

    def __init__(self, connection: Connection, table: Table, order: Sequence[str], first: int | None):
        rows = read(connection, table, *since(table, first), order=order)
        self._groups: Iterator[tuple[Any, Iterator[Row]]] = groupby(rows, key=lambda row: row["block_number"])
        self._next: tuple[Any, list[Row]] | None = None
        self._advance()

    def before(self, number: int) -> Iterator[Row]:
        """Rows of blocks below this one that nobody took: strays."""
        # Whatever is no number is no block: it is nobody's, and must not hide what comes behind it.
        while self._next is not None and not (is_number(self._next[0]) and self._next[0] >= number):
            yield from self._next[1]
            self._advance()

    def rest(self) -> Iterator[Row]:
        """All rows that nobody took; SQLite puts a block that is a word behind every number."""
        while self._next is not None:
            yield from self._next[1]
            self._advance()

    def of(self, number: int) -> list[Row]:
        """Rows of this block; those of blocks below it must be taken first."""
        if self._next is None or self._next[0] != number:
            return []
        rows = self._next[1]
        self._advance()
        return rows

    def _advance(self) -> None:
        number, rows = next(self._groups, (0, None))
        self._next = None if rows is None else (number, list(rows))


class Histories:
    """Events and entries of the mirror, block by block."""

    def __init__(self, connection: Connection, first: int | None, found: Found):
        """first: rows below it were compared by the audit that this one continues; None: a whole one."""
        self._events = Stream(connection, events, EVENT_KEY, first)
        self._entries = Stream(connection, entries, ENTRY_KEY, first)
        self._found = found
        self._seq = 0
        self.compared = 0

    def block(self, number: int, logs: Sequence[EventLog], made: Sequence[Row]) -> None:
        """The rows of one block, and strays below it."""
        self._strays(number)
        wanted = {(log.block_number, log.log_index): event_row(log) for log in logs}
        self._compare("ledger_event", EVENT_KEY, wanted, self._events.of(number))
        lines = {tuple(row[name] for name in ENTRY_KEY): row for row in made}
        found = self._entries.of(number)
        self._compare("entry", ENTRY_KEY, lines, found, apart=("seq",))
        self._order(list(lines), found)

    def end(self, number: int, mirrored: int) -> int:
        """Strays up to the pinned block `number`, and rows above `mirrored`, the mirror's own last block; how many rows
        lie between the two, which this pin says nothing of."""
        self._strays(number + 1)
        later = 0
        for table, key, stream in (("ledger_event", EVENT_KEY, self._events), ("entry", ENTRY_KEY, self._entries)):
            for row in stream.rest():
                if is_number(row["block_number"]) and row["block_number"] <= mirrored:
                    later += 1
                else:
                    self._found(added(table, tuple(row[name] for name in key), row))
        return later

    def _strays(self, below: int) -> None:
        for table, key, stream in (("ledger_event", EVENT_KEY, self._events), ("entry", ENTRY_KEY, self._entries)):
            for row in stream.before(below):
                self._found(added(table, tuple(row[name] for name in key), row))

    def _compare(
        self, table: str, key: Sequence[str], wanted: dict[Any, Row], rows: Iterable[Row], apart: Sequence[str] = ()
    ) -> None:
        left = dict(wanted)
        for row in rows:
            place = tuple(row[name] for name in key)
            right = left.pop(place, None)
            self.compared += 1
            if right is None:
                self._found(added(table, place, row))
            else:
                for difference in changed(table, place, row, right, apart):
                    self._found(difference)
        for place, right in left.items():
            self._found(removed(table, place, right))

    def _order(self, wanted: list[Any], rows: Sequence[Row]) -> None:
        """Entries are numbered in the order of the chain: within a block, and after all blocks before it."""
        by_number = sorted(rows, key=lambda row: int(row["seq"]))
        keys = [tuple(row[name] for name in ENTRY_KEY) for row in by_number]
        if not keys:
            return
        if set(keys) == set(wanted) and (keys != wanted or by_number[0]["seq"] <= self._seq):
            place = keys[0]
            self._found(
                Difference(
                    kind=MIRROR, where=_where("entry", place), what=ORDER, said=str(by_number[0]["seq"]),
                    right=f"numbers above {self._seq}, in the order of the chain", rule=RULE,
                    look=f"SELECT seq, log_index FROM entry WHERE block_number = {place[0]} ORDER BY seq",  # noqa: S608  (shown, never run)
                )
            )  # fmt: skip
        self._seq = max(self._seq, int(by_number[-1]["seq"]))


def compare_blocks(
    connection: Connection,
    first: int,
    last: int,
    mirrored: int,
    of: Callable[[int], tuple[str, int]],
    found: Found,
    *,
    alone: bool,
) -> int:
    """Every row of mirror_block first..last beside (hash, time) of the proven block; how many there were.

    mirrored: the mirror's own last block; rows above it are strays. alone: so are rows below `first`.
    """
    wanted, count, later = first, 0, 0
    bounds = [] if alone else [blocks.c.number >= first]

    def right(number: int) -> Row:
        hash_, time = of(number)
        return {"number": number, "hash": hash_, "time": time}

    for row in read(connection, blocks, *bounds, order=("number",)):
        number = int(row["number"])
        if number < first or number > mirrored:
            found(added("mirror_block", (number,), row))
            continue
        if number > last:
            later += 1
            continue
        count += 1
        for missing in range(wanted, number):
            found(removed("mirror_block", (missing,), right(missing)))
        for difference in changed("mirror_block", (number,), row, right(number)):
            found(difference)
        wanted = number + 1
    for missing in range(wanted, last + 1):
        found(removed("mirror_block", (missing,), right(missing)))
    if later != mirrored - last:
        # Else a mirror could say that it is far ahead, and call any row one of those blocks.
        found(
            Difference(
                kind=MIRROR, where=Where(table="mirror_block"), what="blocks after the pin", said=str(later),
                right=str(mirrored - last), rule=RULE,
                look=f"SELECT count(*) FROM mirror_block WHERE number > {last}",  # noqa: S608  (shown, never run)
            )
        )  # fmt: skip
    return count


def since(table: Table, first: int | None) -> tuple[ColumnElement[bool], ...]:
    """The condition on rows of block `first` and later; none at all for None: no value is below every bound."""
    return () if first is None else (table.c.block_number >= first,)


def changed(
    table: str, key: tuple[Any, ...], said: Mapping[str, Any], right: Mapping[str, Any], apart: Sequence[str] = ()
) -> Iterator[Difference]:
    """One difference for each column that is not what it must be."""
    for name, value in right.items():
        if name not in apart and not _same(said.get(name), value):
            yield Difference(
                kind=MIRROR, where=_where(table, key), what=name, said=_plain(said.get(name)), right=_plain(value),
                rule=RULE, look=look(table, key),
            )  # fmt: skip


def added(table: str, key: tuple[Any, ...], row: Mapping[str, Any]) -> Difference:
    """A row that the chain does not give."""
    timely = _is_timely(table, row)
    return Difference(
        kind=MIRROR,
        where=_where(table, key),
        what=FALSE_END if timely else ADDED,
        said=_shown(row),
        right=None,
        rule=RULE_OF_ENDS if timely else RULE,
        look=look(table, key),
    )


def removed(table: str, key: tuple[Any, ...], right: Mapping[str, Any]) -> Difference:
    """A row that the chain gives and the table lacks."""
    timely = _is_timely(table, right)
    return Difference(
        kind=MIRROR, where=_where(table, key), what=MISSING_END if timely else REMOVED, said=None, right=_shown(right),
        rule=RULE_OF_ENDS if timely else RULE, look=look(table, key),
    )  # fmt: skip


def _is_timely(table: str, row: Mapping[str, Any]) -> bool:
    return table == entries.name and row.get("kind") in TIMELY_KINDS


def look(table: str, key: Sequence[Any]) -> str:
    """The query that shows the row."""
    names = KEY_NAMES.get(table) or [column.name for column in _TABLES[table].primary_key.columns]
    where = " AND ".join(f"{name} = {value!r}" for name, value in zip(names, key, strict=False))
    return f"SELECT * FROM {table} WHERE {where}"  # noqa: S608  (shown, never run)


def _where(table: str, key: tuple[Any, ...]) -> Where:
    in_block = table in ("ledger_event", "entry", "mirror_block")
    return Where(
        block=key[0] if in_block and is_number(key[0]) else None,
        log_index=key[1] if table in ("ledger_event", "entry") and is_number(key[1]) else None,
        table=table,
        key=tuple(_plain(part) if isinstance(part, bytes) else part for part in key),
    )


def _same(said: Any, right: Any) -> bool:
    """Equal, and of one type: in Python 1, 1.0 and True are equal, in a JSON document they are not."""
    if said != right:
        return False
    if isinstance(right, Mapping):
        return all(_same(said[name], value) for name, value in right.items())
    if isinstance(right, list | tuple):
        return all(_same(one, other) for one, other in zip(said, right, strict=True))
    return isinstance(said, bool) == isinstance(right, bool) and isinstance(said, float) == isinstance(right, float)


def _plain(value: Any) -> Any:
    """A value that JSON can carry: SQLite keeps numbers and bytes in any column."""
    if isinstance(value, bytes):
        return f"bytes 0x{value.hex()}"
    return value if value is None or isinstance(value, bool | str | list | dict) else str(value)


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in row.items()}


KEY_NAMES: Final[Mapping[str, Sequence[str]]] = {"entry": ENTRY_KEY, "ledger_event": EVENT_KEY}
_TABLES: Final[Mapping[str, Table]] = dict(events.metadata.tables)
