"""Columns that SQLite and PostgreSQL understand alike.

uint256 is decimal text (SQLite's integers end at 2^63). Addresses and hashes are lower-case 0x hex. `*_at_ms` is unix
time in milliseconds, `*_time` the block's unix seconds.
"""

from typing import Any, Final

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, Table, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

# SQLite numbers rows only in INTEGER columns, PostgreSQL needs BIGINT to count far.
SERIAL: Final = BigInteger().with_variant(Integer, "sqlite")


DOCUMENT: Final = JSON().with_variant(JSONB, "postgresql")


def serial() -> Any:
    """A primary key that only grows and is never given twice, even after deletions."""
    return Field(default=None, sa_column=Column(SERIAL, primary_key=True, autoincrement=True))


def big(**options: Any) -> Any:
    """A 64-bit integer."""
    return Field(sa_type=BigInteger, **options)


def document(**options: Any) -> Any:
    """A JSON value; absent is SQL NULL, never JSON null."""
    return Field(default=None, sa_type=DOCUMENT.with_variant(JSON(none_as_null=True), "sqlite"), **options)


def table_of(model: type[SQLModel]) -> Table:
    """The table behind a model, for statements without objects."""
    table: Table = model.__table__  # type: ignore[attr-defined]
    return table


def partial(name: str, *columns: str, where: str) -> Index:
    """An index of the rows of which `where` is true. Statements that are to use it say the same words."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))
