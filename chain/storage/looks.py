"""Reading by prepared statements: parameters are `?` in order, on SQLite and PostgreSQL alike.

A look is what a reader of tables asks (chain.mirror.queries): the gateway's own snapshots are looks, and `looking`
makes one of a connection or session, for whoever has its transaction open already.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any, Final, Protocol, TypeVar

import orjson
from sqlalchemy import Connection
from sqlalchemy.orm import Session

T = TypeVar("T")
Row = Sequence[Any]
# Statements are literals of this code, some of them with a number of places; far fewer than this.
STATEMENTS_MAX: Final = 1_024


class Look(Protocol):
    """One consistent view of the tables."""

    def rows(self, sql: str, *parameters: Any) -> Sequence[Row]:
        """All rows, in the statement's own order."""
        ...

    def row(self, sql: str, *parameters: Any) -> Row | None:
        """The first row, or None."""
        ...


class _OfConnection:
    """What an open transaction sees."""

    def __init__(self, connection: Connection):
        self._connection = connection
        self._postgres = connection.dialect.name == "postgresql"

    def rows(self, sql: str, *parameters: Any) -> Sequence[Row]:
        return self._connection.exec_driver_sql(self._spelt(sql), parameters).fetchall()

    def row(self, sql: str, *parameters: Any) -> Row | None:
        return self._connection.exec_driver_sql(self._spelt(sql), parameters).fetchone()

    def _spelt(self, sql: str) -> str:
        return for_psycopg(sql) if self._postgres else sql


def looking(connection: Connection | Session) -> Look:
    """A look of what this transaction sees."""
    return _OfConnection(connection.connection() if isinstance(connection, Session) else connection)


def maker(kind: type[T]) -> Callable[[Row], T]:
    """What makes a NamedTuple of a row that has just its fields: `_make` without its look at the length, which a page
    of many rows would feel."""
    of_any: Any = kind
    return partial(tuple.__new__, of_any)


@lru_cache(STATEMENTS_MAX)
def for_psycopg(sql: str) -> str:
    """psycopg's spelling of a statement."""
    return sql.replace("%", "%%").replace("?", "%s")


def document(value: Any) -> Any:
    """A JSON column as such a read gives it: text on SQLite, already a value on PostgreSQL."""
    return orjson.loads(value) if isinstance(value, str | bytes) else value
