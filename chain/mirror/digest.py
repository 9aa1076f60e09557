"""One number for the whole mirror: equal exactly when every row is.

Each table is read in the order of its key and hashed row by row, so neither the order in which rows came nor the
ranges in which they were read matter. Left out is what belongs to one run and not to the chain: the numbers of
entries and which numbering that is, the head that was seen, and when a row was written.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import Column, Connection, String, Table, collate, select

from chain.mirror.models import MIRROR_TABLES, Entry, MirrorCheckpoint
from chain.mirror.queries.checkpoint import checkpoint
from chain.storage.columns import table_of
from chain.storage.looks import looking

ROWS_PAGE: Final = 2_000
LEFT_OUT: Final[Mapping[str, frozenset[str]]] = {
    table_of(MirrorCheckpoint).name: frozenset(
        {
            "generation",
            "head_number",
            "safe_number",
            "final_number",
            "history_from",
            "state",
            "reason",
            "updated_at_ms",
        }
    ),
    table_of(Entry).name: frozenset({"seq"}),
}
ORDER: Final[Mapping[str, tuple[str, ...]]] = {
    table_of(Entry).name: ("block_number", "log_index", "token", "account"),
}


@dataclass(frozen=True, slots=True)
class TableDigest:
    """SHA-256 of a table's rows in the order of their keys, and how many there are."""

    sha256: str
    rows: int


@dataclass(frozen=True, slots=True)
class Digest:
    """Of the mirror at one block. `sha256` covers the tables' digests by name."""

    block_number: int | None
    block_hash: str | None
    sha256: str
    tables: Mapping[str, TableDigest]


def digest(connection: Connection) -> Digest:
    """Reads every row once, in bounded memory; the connection must see one moment (chain.storage.database.snapshot)."""
    at = checkpoint(looking(connection))
    # SQLAlchemy's names are a kind of str that JSON writers do not take for a key.
    tables = {str(table.name): of_table(connection, table) for table in map(table_of, MIRROR_TABLES)}
    told = "".join(f"{name} {tables[name].rows} {tables[name].sha256}\n" for name in sorted(tables))
    return Digest(
        block_number=at.block_number if at else None,
        block_hash=at.block_hash if at else None,
        sha256=hashlib.sha256(told.encode()).hexdigest(),
        tables=tables,
    )


def of_table(connection: Connection, table: Table) -> TableDigest:
    """One table's digest: each row as JSON with sorted keys, on a line of its own."""
    sha256, count = hashlib.sha256(), 0
    for row in _rows(connection, table):
        sha256.update(orjson.dumps(row, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE))
        count += 1
    return TableDigest(sha256.hexdigest(), count)


def _rows(connection: Connection, table: Table) -> Iterator[dict[str, Any]]:
    left_out = LEFT_OUT.get(table.name, frozenset())
    columns = [column for column in table.columns if column.name not in left_out]
    names = ORDER.get(table.name) or tuple(column.name for column in table.primary_key.columns)
    query = select(*columns).order_by(*(_ordered(connection, table.c[name]) for name in names))
    found = connection.execution_options(yield_per=ROWS_PAGE).execute(query)
    for row in found.mappings():
        yield dict(row)


def _ordered(connection: Connection, column: Column[Any]) -> Any:
    """Text in the order of its bytes, whatever the database's language."""
    if connection.dialect.name == "postgresql" and isinstance(column.type, String):
        return collate(column, "C")
    return column
