"""Engines and transactions, the same for SQLite and PostgreSQL.

SQLite: WAL, so that readers never wait; a writer says so at BEGIN (IMMEDIATE), so that two of them queue for
BUSY_TIMEOUT_MS rather than fail in the middle.
"""

import os
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from chain.base.errors import DatabaseUnusable
from chain.storage import doorbell

BUSY_TIMEOUT_MS: Final = 30_000
POOL_SIZE: Final = 8
POOL_OVERFLOW_MAX: Final = 24
CACHE_KIB: Final = 65_536
# SQLite's own 1,000 pages are one commit of the mirror: every one of them would write the database's file too.
CHECKPOINT_PAGES: Final = 4_000
ADDRESSES: Final = "A database's address is sqlite:///file or postgresql://user@host/name; this is neither."


def engine(url: str) -> Engine:
    """An engine for `sqlite:///path` or `postgresql://...`. Transactions read unless `writer` made the engine."""
    parsed = driver_url(url)
    if parsed.get_backend_name() == "sqlite":
        made = create_engine(parsed, json_serializer=_dumps, json_deserializer=orjson.loads)
        event.listen(made, "do_connect", _keep_private)
        event.listen(made, "connect", _prepare_sqlite)
        event.listen(made, "begin", _begin_sqlite)
        doorbell.hang(made)
        return made
    return create_engine(
        parsed,
        json_serializer=_dumps,
        json_deserializer=orjson.loads,
        pool_size=POOL_SIZE,
        max_overflow=POOL_OVERFLOW_MAX,
        pool_pre_ping=True,
    )


def writer(made: Engine) -> Engine:
    """The same engine and pool for transactions that write."""
    return made.execution_options(moa_writes=True)


@contextmanager
def writing(made: Engine) -> Iterator[Connection]:
    """One writing transaction: commits at the end, rolls back on any error."""
    with _turn(made), writer(made).begin() as connection:
        yield connection


# SQLite's own way to wait for another writer is to sleep, ever longer, and look again; threads of one process queue.
_turns: Final[defaultdict[str, threading.RLock]] = defaultdict(threading.RLock)


def _turn(made: Engine) -> AbstractContextManager[Any]:
    if made.dialect.name != "sqlite" or not made.url.database:
        return nullcontext()
    return _turns[made.url.database]


@contextmanager
def reading(made: Engine) -> Iterator[Connection]:
    """One consistent view of the tables."""
    with made.begin() as connection:
        yield connection


@contextmanager
def snapshot(made: Engine) -> Iterator[Connection]:
    """One moment of the tables for as many statements as it takes. SQLite's readers see one anyway."""
    if made.dialect.name == "postgresql":
        made = made.execution_options(isolation_level="REPEATABLE READ")
    with made.begin() as connection:
        yield connection


def driver_url(url: str) -> URL:
    """The address with the driver we use named in it. Raises DatabaseUnusable for any other; it may hold a password, so
    it is not shown."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise DatabaseUnusable(ADDRESSES) from None
    if parsed.get_backend_name() not in ("sqlite", "postgresql", "postgres"):
        raise DatabaseUnusable(ADDRESSES)
    return parsed.set(drivername="postgresql+psycopg") if parsed.drivername in ("postgresql", "postgres") else parsed


def _dumps(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _keep_private(_dialect: Any, _record: Any, arguments: Any, _named: Any) -> None:
    """A new file is for its owner alone; SQLite makes the files beside it like it. One that is there stays as it is."""
    path = str(arguments[0]) if arguments else ""
    if path and not path.startswith((":", "file:")) and not os.path.exists(path):
        with suppress(OSError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver's own BEGIN comes too late and too weak; ours is in _begin_sqlite.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    # FULL: what was acknowledged survives a loss of power, not only of the process.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    # What is erased is overwritten; not every build of SQLite does so by itself.
    cursor.execute("PRAGMA secure_delete = ON")
    cursor.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    cursor.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("moa_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
