"""Rows that change with the chain, read once and written once per commit, each with a version per block.

The mirror's append-only tables (events, entries) are rolled back by deleting above a block. For the rows that are
replaced (balances, holds, obligations, ...) the ledger keeps what each row was at the end of every block that
changed it (chain.mirror.rows.row_versions): history as of any block, and the way back.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, Table, select
from sqlmodel import SQLModel

from chain.mirror.models import (
    Agreement,
    Balance,
    BrandStanding,
    BrandToken,
    Collateral,
    Debt,
    Hold,
    Obligation,
    Rule,
    Supply,
    SupplyLots,
)
from chain.mirror.rows import row_versions
from chain.storage import bulk
from chain.storage.columns import table_of

Row = dict[str, Any]
Key = tuple[Any, ...]

MODELS: Final[tuple[type[SQLModel], ...]] = (
    Balance,
    BrandToken,
    BrandStanding,
    Supply,
    Debt,
    Hold,
    Obligation,
    Collateral,
    Rule,
    Agreement,
    SupplyLots,
)
RELATIONS: Final[Mapping[str, Table]] = {table_of(model).name: table_of(model) for model in MODELS}
KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    name: tuple(column.name for column in table.primary_key.columns) for name, table in RELATIONS.items()
}
KEYS_PER_QUERY_MAX: Final = 400


class RowCache:
    """The changing rows within one SQL transaction."""

    def __init__(self, connection: Connection):
        self._connection = connection
        self._rows: dict[tuple[str, Key], Row | None] = {}
        self._dirty: set[tuple[str, Key]] = set()
        self._touched: dict[tuple[str, Key], Row] = {}
        self._versions: list[tuple[str, Key, int, Row]] = []
        self._block = 0

    def begin_block(self, number: int) -> None:
        """What is put from here on belongs to this block."""
        self._end_block()
        self._block = number

    def _end_block(self) -> None:
        self._versions += [(relation, key, self._block, row) for (relation, key), row in self._touched.items()]
        self._touched = {}

    def load(self, relation: str, keys: Iterable[Key]) -> None:
        """Reads many rows at once, so that the fold need not ask for each."""
        wanted = [key for key in keys if (relation, key) not in self._rows]
        for key in wanted:
            self._rows[relation, key] = None
        # Keys that differ in their last column only: SQLite finds these in the index, but scans the table for a list
        # of pairs.
        alike: defaultdict[Key, list[Any]] = defaultdict(list)
        for key in wanted:
            alike[key[:-1]].append(key[-1])
        table, names = RELATIONS[relation], KEYS[relation]
        *firsts, last = (table.c[name] for name in names)
        for first, lasts in alike.items():
            same = [column == value for column, value in zip(firsts, first, strict=True)]
            for start in range(0, len(lasts), KEYS_PER_QUERY_MAX):
                where = (*same, last.in_(lasts[start : start + KEYS_PER_QUERY_MAX]))
                for row in self._connection.execute(select(table).where(*where)).mappings():
                    self._rows[relation, tuple(row[name] for name in names)] = dict(row)

    def get(self, relation: str, *key: Any) -> Row | None:
        """The row as it stands now, or None. Change it only by `put`."""
        if (relation, key) not in self._rows:
            self.load(relation, [key])
        return self._rows[relation, key]

    def known(self, relation: str, *key: Any) -> Row | None:
        """The row as it stands now, if it was read or put before; asks the tables nothing."""
        return self._rows.get((relation, key))

    def put(self, relation: str, row: Row) -> None:
        """Replaces the whole row."""
        place = (relation, tuple(row[name] for name in KEYS[relation]))
        self._rows[place] = self._touched[place] = row
        self._dirty.add(place)

    def flush(self) -> None:
        """Writes every changed row and its versions."""
        self._end_block()
        by_relation: dict[str, list[Row]] = {}
        for relation, key in self._dirty:
            row = self._rows[relation, key]
            assert row is not None, "put gives rows, only a rollback takes them away"
            by_relation.setdefault(relation, []).append(row)
        for relation, rows in by_relation.items():
            bulk.replace(self._connection, RELATIONS[relation], rows)
        row_versions.keep(self._connection, self._versions)
        self._dirty.clear()
        self._versions = []


def roll_back(connection: Connection, above_block: int) -> None:
    """Every changed row as it was at the end of the block; before the events above it are deleted."""
    row_versions.roll_back(connection, above_block, RELATIONS)
