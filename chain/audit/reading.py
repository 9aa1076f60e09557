"""Rows of the mirror as they are, also where they are rubbish: an audit must not fall over what it is to find.

SQLite keeps any text in any column, so a JSON column may hold no JSON and a number may be a word. Such a value comes
as its text, and differs from whatever is right.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, Connection, String, Table, select, type_coerce
from sqlalchemy.types import JSON, Boolean

from chain.mirror.rows.row_cache import Row

PAGE_ROWS: Final = 2_000


def read(connection: Connection, table: Table, *where: ColumnElement[bool], order: Sequence[str] = ()) -> Iterator[Row]:
    """Rows of a table, in this order, else in that of their key: the differences that are kept are the same each time.

    A page is held at a time.
    """
    loose = connection.dialect.name == "sqlite"
    columns: list[ColumnElement[Any]] = []
    documents: list[str] = []
    flags: list[str] = []
    for column in table.columns:
        plain = not loose or not isinstance(column.type, JSON | Boolean)
        columns.append(column if plain else type_coerce(column, String).label(column.name))
        if not plain:
            (documents if isinstance(column.type, JSON) else flags).append(column.name)
    query = (
        select(*columns).where(*where).order_by(*(table.c[name] for name in order or table.primary_key.columns.keys()))
    )
    for row in map(dict, connection.execute(query.execution_options(yield_per=PAGE_ROWS)).mappings()):
        for name in documents:
            row[name] = _document(row[name])
        for name in flags:
            row[name] = bool(row[name]) if row[name] in (0, 1) else row[name]
        yield row


def is_number(value: Any) -> bool:
    """Whether a column of numbers holds one."""
    return isinstance(value, int) and not isinstance(value, bool)


def _document(text: Any) -> Any:
    if text is None:
        return None
    try:
        return orjson.loads(text)
    except (orjson.JSONDecodeError, TypeError):
        return text
