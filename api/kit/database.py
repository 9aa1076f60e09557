"""The database as the gateway uses it: one session per write, prepared reads without a session.

Writes take the write lock at their start (SQLite) and are committed by the edge alone. Reads on the hot
paths go through `Reads`: raw prepared statements inside one read-only snapshot, because a session per read
costs six times the read (shared facts). Both speak SQLite and PostgreSQL.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

import psycopg
from sqlalchemy import inspect, literal, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlmodel import Session, SQLModel
from starlette.concurrency import run_in_threadpool

from chain.storage import database
from chain.storage.looks import Look, Row, for_psycopg

T = TypeVar("T")
STATEMENTS_CACHED = 256
BUSY_TIMEOUT_S = 30.0


class Snapshot(Look, Protocol):
    """One consistent look at the database; parameters are `?` in order."""

    # Whether several may write at once, so that a row may appear after one that has a higher number.
    several_writers: bool

    def horizon(self) -> int:
        """Every transaction below this number had ended when the look began (several writers)."""
        ...

    def mark(self) -> int:
        """A number above that of every transaction that has one by now (several writers)."""
        ...


class _SqliteSnapshot:
    several_writers = False

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute = connection.execute

    def rows(self, sql: str, *parameters: Any) -> Sequence[Row]:
        return self._execute(sql, parameters).fetchall()

    def row(self, sql: str, *parameters: Any) -> Row | None:
        found: Row | None = self._execute(sql, parameters).fetchone()
        return found

    def horizon(self) -> int:
        raise AssertionError("SQLite's writers queue from their first statement on")

    mark = horizon


class _PostgresSnapshot:
    several_writers = True

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def rows(self, sql: str, *parameters: Any) -> Sequence[Row]:
        return self._connection.execute(_dollar(sql), parameters, prepare=True).fetchall()

    def row(self, sql: str, *parameters: Any) -> Row | None:
        found: Row | None = self._connection.execute(_dollar(sql), parameters, prepare=True).fetchone()
        return found

    def horizon(self) -> int:
        return self._xid("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")

    def mark(self) -> int:
        # Takes the next number for this transaction, which changes nothing else.
        return self._xid("SELECT pg_current_xact_id()::text::bigint")

    def _xid(self, sql: str) -> int:
        row = self.row(sql)
        assert row is not None, "a SELECT without FROM gives a row"
        return int(row[0])


_dollars: dict[str, Any] = {}


def _dollar(sql: str) -> Any:
    """psycopg's spelling of a statement; statements are literals of this code, so the cache is bounded."""
    spelt = _dollars.get(sql)
    if spelt is None:
        spelt = _dollars[sql] = for_psycopg(sql).encode()
    return spelt


class Reads:
    """Read-only snapshots on a raw connection per thread."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self._local = threading.local()
        self._opened: list[Any] = []
        self._lock = threading.Lock()
        # SQLite answers from memory in microseconds, cheaper than a change of thread; a server does not.
        self.inline = self._url.get_backend_name() == "sqlite"

    def __call__(self, read: Callable[[Snapshot], T]) -> T:
        """What `read` gives of one consistent look; a lost PostgreSQL connection is opened anew the next time."""
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._open()
        if self.inline:
            connection.execute("BEGIN")
            try:
                return read(_SqliteSnapshot(connection))
            finally:
                connection.execute("COMMIT")
        try:
            answer = read(_PostgresSnapshot(connection))
            connection.rollback()
        except psycopg.OperationalError:
            self._local.connection = None
            connection.close()
            raise
        except BaseException:
            connection.rollback()
            raise
        return answer

    async def off_loop(self, read: Callable[[Snapshot], T]) -> T:
        """The same from a coroutine, without ever blocking the loop on a server's answer."""
        if self.inline:
            return self(read)
        return await run_in_threadpool(self, read)

    def close(self) -> None:
        with self._lock:
            for connection in self._opened:
                connection.close()
            self._opened.clear()
        self._local = threading.local()

    def _open(self) -> Any:
        connection: Any
        if self.inline:
            connection = sqlite3.connect(
                self._url.database or ":memory:",
                timeout=BUSY_TIMEOUT_S,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=STATEMENTS_CACHED,
            )
            connection.execute("PRAGMA query_only = ON")
        else:
            plain = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
            connection = psycopg.connect(plain)
            connection.read_only = True
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with self._lock:
            self._opened.append(connection)
        return connection


def insert_once(session: Session, table: type[SQLModel], values: Mapping[str, Any]) -> bool:
    """Inserts the row unless its key is taken; whether it did. Waits for another's open transaction."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    # A row comes back exactly when it was inserted; the count of rows is not told by every driver.
    statement = insert(inspect(table).local_table).values(dict(values)).on_conflict_do_nothing()
    return session.connection().execute(statement.returning(literal(1))).first() is not None


def lock(session: Session, name: str) -> None:
    """Makes transactions that name the same thing queue up; SQLite's write lock does that for all of them."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})


class Database:
    """What the edge opens: `write()` for one transaction, `reads` for snapshots."""

    def __init__(self, url: str) -> None:
        self.engine = database.engine(url)
        self._writer = database.writer(self.engine)
        self.reads = Reads(url)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction: committed when the block ends, rolled back when it raises."""
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    def in_write(self, effect: Callable[[Session], T]) -> T:
        with self.write() as session:
            return effect(session)

    def close(self) -> None:
        self.reads.close()
        self.engine.dispose()
