"""A database whose rows lie in another order than they were written, and are given in another than they lie.

No answer may change by that (SPEC 9.32). PostgreSQL moves a row whenever it is updated, and reads a table from wherever
another reader is; SQLite mostly gives rows by number, so what has no order looks as if it had one until it has none.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, Table, inspect, text
from sqlmodel import SQLModel

from chain.storage import database

# PostgreSQL reads tables from one end to the other, and joins by hashing: nothing comes in order by luck.
PLANS = ("enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan", "enable_mergejoin", "enable_nestloop")


@contextmanager
def shuffled(engine: Engine, url: str, seed: int) -> Iterator[None]:
    """Rows of all tables lie in an order of the seed; whatever is opened meanwhile gives them in no better one."""
    print(f"shuffled with seed {seed}")
    choice = random.Random(seed)
    with database.writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        else:
            connection.execute(text("PRAGMA defer_foreign_keys = ON"))
            # Those of the tests, which watch what the program writes; PostgreSQL's stand still by the line above.
            for (name,) in connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
                connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
        there = set(inspect(connection).get_table_names())
        for table in SQLModel.metadata.sorted_tables:
            if table.name in there:
                _shuffle(connection, table, choice)
    with _unordered(engine, url):
        yield


def _shuffle(connection: Connection, table: Table, choice: random.Random) -> None:
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    rows = [dict(row) for row in connection.exec_driver_sql(f'SELECT {names} FROM "{table.name}"').mappings()]
    choice.shuffle(rows)
    connection.exec_driver_sql(f'DELETE FROM "{table.name}"')
    # As they are, past the types of the columns: a document is text to SQLite's driver and stays so.
    postgres = connection.dialect.name == "postgresql"
    places = ", ".join("%s" if postgres else "?" for _ in table.columns)
    for row in rows:
        values = tuple(_as_it_was(value) if postgres else value for value in row.values())
        connection.exec_driver_sql(f'INSERT INTO "{table.name}" ({names}) VALUES ({places})', values)


def _as_it_was(value: Any) -> Any:
    from psycopg.types.json import Jsonb

    return Jsonb(value) if isinstance(value, dict | list) else value


@contextmanager
def _unordered(engine: Engine, url: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        engine.dispose()
        if engine.dialect.name == "postgresql":
            with engine.connect() as connection:
                name = connection.exec_driver_sql("SELECT current_database()").scalar_one()
                for plan in PLANS:
                    connection.exec_driver_sql(f'ALTER DATABASE "{name}" SET {plan} = off')
                connection.commit()
        else:
            real = sqlite3.connect

            def reversing(*given: Any, **named: Any) -> sqlite3.Connection:
                made = real(*given, **named)
                made.execute("PRAGMA reverse_unordered_selects = ON")
                return made

            for module in (sqlite3, sqlite3.dbapi2):
                patch.setattr(module, "connect", reversing)
        engine.dispose()
        yield
        engine.dispose()
