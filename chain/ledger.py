"""Rows that change with the chain, read once and written once per commit, with an undo log.

The mirror's append-only tables (events, entries) are rolled back by deleting above a block. For the rows that are
replaced (balances, holds, obligations, ...) the ledger keeps what each row was before a block changed it.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, Table, delete, select, tuple_
from sqlmodel import SQLModel

from chain import bulk
from chain.models import (
    Agreement,
    Balance,
    BrandStanding,
    BrandToken,
    Collateral,
    Hold,
    MirrorUndo,
    Obligation,
    Rule,
    Supply,
    table_of,
)

Row = dict[str, Any]
Key = tuple[Any, ...]

MODELS: Final[tuple[type[SQLModel], ...]] = (
    Balance,
    BrandToken,
    BrandStanding,
    Supply,
    Hold,
    Obligation,
    Collateral,
    Rule,
    Agreement,
)
RELATIONS: Final[Mapping[str, Table]] = {table_of(model).name: table_of(model) for model in MODELS}
KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    name: tuple(column.name for column in table.primary_key.columns) for name, table in RELATIONS.items()
}
KEYS_PER_QUERY_MAX: Final = 400
undo: Final = table_of(MirrorUndo)


class Ledger:
    """The changing rows within one SQL transaction."""

    def __init__(self, connection: Connection):
        self._connection = connection
        self._rows: dict[tuple[str, Key], Row | None] = {}
        self._dirty: set[tuple[str, Key]] = set()
        self._touched: set[tuple[str, Key]] = set()
        self._undo: list[Row] = []
        self._block: int | None = None

    def begin_block(self, number: int, *, undoable: bool) -> None:
        """What is put from here on belongs to this block; undoable: what it replaces is remembered."""
        self._block = number if undoable else None
        self._touched = set()

    def load(self, relation: str, keys: Iterable[Key]) -> None:
        """Reads many rows at once, so that the fold need not ask for each."""
        table, columns = RELATIONS[relation], [RELATIONS[relation].c[name] for name in KEYS[relation]]
        wanted = [key for key in keys if (relation, key) not in self._rows]
        for key in wanted:
            self._rows[relation, key] = None
        for start in range(0, len(wanted), KEYS_PER_QUERY_MAX):
            chosen = wanted[start : start + KEYS_PER_QUERY_MAX]
            where = tuple_(*columns).in_(chosen) if len(columns) > 1 else columns[0].in_([key[0] for key in chosen])
            for row in self._connection.execute(select(table).where(where)).mappings():
                self._rows[relation, tuple(row[name] for name in KEYS[relation])] = dict(row)

    def get(self, relation: str, *key: Any) -> Row | None:
        """The row as it stands now, or None. Change it only by `put`."""
        if (relation, key) not in self._rows:
            self.load(relation, [key])
        return self._rows[relation, key]

    def put(self, relation: str, row: Row) -> None:
        """Replaces the whole row."""
        key = tuple(row[name] for name in KEYS[relation])
        before = self.get(relation, *key)
        place = (relation, key)
        if self._block is not None and place not in self._touched:
            self._touched.add(place)
            self._undo.append({"block_number": self._block, "relation": relation, "key": list(key), "before": before})
        self._rows[place] = row
        self._dirty.add(place)

    def flush(self) -> None:
        """Writes every changed row and the undo log."""
        by_relation: dict[str, list[Row]] = {}
        for relation, key in self._dirty:
            row = self._rows[relation, key]
            assert row is not None, "put gives rows, only a rollback takes them away"
            by_relation.setdefault(relation, []).append(row)
        for relation, rows in by_relation.items():
            bulk.replace(self._connection, RELATIONS[relation], rows)
        bulk.insert(self._connection, undo, self._undo)
        self._dirty.clear()
        self._undo = []


def roll_back(connection: Connection, above_block: int) -> None:
    """Every changed row as it was at the end of the block."""
    rows = connection.execute(
        select(undo.c.relation, undo.c.key, undo.c.before)
        .where(undo.c.block_number > above_block)
        .order_by(undo.c.id.desc())
    )
    oldest = {(relation, tuple(key)): before for relation, key, before in rows}
    for (relation, key), before in oldest.items():
        if before is None:
            table = RELATIONS[relation]
            same = [table.c[name] == value for name, value in zip(KEYS[relation], key, strict=True)]
            connection.execute(delete(table).where(*same))
        else:
            bulk.replace(connection, RELATIONS[relation], [before])
    connection.execute(delete(undo).where(undo.c.block_number > above_block))
