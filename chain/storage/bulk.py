"""Many rows of one table at once, past the parts of SQLAlchemy that handle one row at a time."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, Final

import orjson
from sqlalchemy import JSON, Connection, Table

Row = dict[str, Any]

# Far below what a statement may have of values: 32,766 on SQLite, 65,535 on PostgreSQL.
ROWS_MAX: Final = 1_000

PLACE: Final = {"sqlite": "?", "postgresql": "%s"}


def indexed_by(connection: Connection, name: str) -> str:
    """Names the index that a statement shall use, where the dialect has words for it (SQLite)."""
    return f"INDEXED BY {name}" if connection.dialect.name == "sqlite" else ""


def insert(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Inserts rows that all have the same columns."""
    _write(connection, table, rows, replace=False)


def insert_missing(
    connection: Connection, table: Table, names: tuple[str, ...], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Inserts rows of these columns, none of them a document; those whose primary key is there already are left out."""
    if rows:
        statement = f"{_statement(table, names, connection.dialect.name, False)} ON CONFLICT DO NOTHING"
        connection.exec_driver_sql(statement, list(rows))


def replace(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Inserts rows, or replaces those with the same primary key. Rows name every column."""
    _write(connection, table, rows, replace=True)


def insert_returning(
    connection: Connection, table: Table, rows: Sequence[Row], names: tuple[str, ...]
) -> list[tuple[Any, ...]]:
    """Inserts rows that all have the same columns, in one statement for at most ROWS_MAX of them; gives columns of what
    was made, in no order."""
    made: list[tuple[Any, ...]] = []
    for start in range(0, len(rows), ROWS_MAX):
        chosen = rows[start : start + ROWS_MAX]
        columns = tuple(chosen[0])
        documents = {name for name in columns if isinstance(table.c[name].type, JSON)}
        statement = _many(table, columns, connection.dialect.name, len(chosen), names)
        if documents:
            chosen = [row | {name: _dumps(row[name]) for name in documents if row[name] is not None} for row in chosen]
        values = tuple(chain.from_iterable(map(itemgetter(*columns), chosen)))
        made += map(tuple, connection.exec_driver_sql(statement, values))
    return made


@lru_cache(256)
def _many(table: Table, columns: tuple[str, ...], dialect: str, count: int, names: tuple[str, ...]) -> str:
    listed = ", ".join(f'"{name}"' for name in columns)
    one = f"({', '.join([PLACE[dialect]] * len(columns))})"
    wanted = ", ".join(f'"{name}"' for name in names)
    # Every name here is one of our own tables' or columns'; values only ever go by place.
    return f'INSERT INTO "{table.name}" ({listed}) VALUES {", ".join([one] * count)} RETURNING {wanted}'  # noqa: S608


def _write(connection: Connection, table: Table, rows: Sequence[Row], *, replace: bool) -> None:
    if not rows:
        return
    names = tuple(rows[0])
    assert len(names) > 1, "a table of one column needs no help"
    documents = [name for name in names if isinstance(table.c[name].type, JSON)]
    statement = _statement(table, names, connection.dialect.name, replace)
    if documents:
        # Absent is SQL NULL; keys are sorted, so that equal documents are equal text.
        rows = [row | {name: _dumps(row[name]) for name in documents if row[name] is not None} for row in rows]
    connection.exec_driver_sql(statement, list(map(itemgetter(*names), rows)))


@lru_cache(256)
def _statement(table: Table, names: tuple[str, ...], dialect: str, replace: bool) -> str:
    columns = ", ".join(f'"{name}"' for name in names)
    places = ", ".join([PLACE[dialect]] * len(names))
    # Every name here is one of our own tables' or columns'; values only ever go by place.
    statement = f'INSERT INTO "{table.name}" ({columns}) VALUES ({places})'  # noqa: S608
    if not replace:
        return statement
    keys = [column.name for column in table.primary_key.columns]
    changes = ", ".join(f'"{name}" = excluded."{name}"' for name in names if name not in keys)
    same = ", ".join(f'"{name}"' for name in keys)
    return f"{statement} ON CONFLICT ({same}) DO UPDATE SET {changes}"


def _dumps(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
