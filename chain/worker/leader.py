"""One leader per database. The lock is the kernel's (SQLite) or the server's (PostgreSQL): it dies with its holder."""

import fcntl
import os
import select
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psycopg
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from chain.base.errors import DatabaseUnusable, LeaderElsewhere

# Any constant will do, as long as nothing else in the database uses it: "moa" in ASCII.
ADVISORY_LOCK: Final = 0x6D6F61
# A session that nobody ended, and that is gone all the same (a network), is found out after this time.
ASK_S: Final = 5.0


class Leader:
    """with Leader(engine): ... raises LeaderElsewhere while another process leads, and
    DatabaseUnusable where none ever could."""

    def __init__(self, engine: Engine):
        self._engine = engine
        self._descriptor: int | None = None
        self._connection: Connection | None = None
        self._asked_at = -1e9

    def __enter__(self) -> Self:
        if self._engine.dialect.name == "sqlite":
            self._lock_file()
        else:
            self._lock_server()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        if self._connection is not None:
            # The session goes back to the pool and lives on, so the lock must be given back by name. A session that
            # broke gave it back by itself.
            with suppress(SQLAlchemyError):
                self._connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": ADVISORY_LOCK})
            self._connection.close()
            self._connection = None

    def check(self) -> None:
        """Raises the database's error when the session that holds the lock is gone, and the leadership with it.

        A server that ends a session says so: only when something came, or after ASK_S, it is asked.
        """
        if self._connection is None:
            return
        now = time.monotonic()
        if now - self._asked_at < ASK_S and not self._came():
            return
        self._connection.execute(text("SELECT 1"))
        self._asked_at = now

    def _came(self) -> bool:
        """Whether anything may be read from the session, its end included."""
        assert self._connection is not None
        session = self._connection.connection.driver_connection
        if session is None:
            return True
        try:
            looked = select.poll()
            looked.register(session.fileno(), select.POLLIN)
            return bool(looked.poll(0))
        except (psycopg.Error, ValueError):
            return True

    def _lock_file(self) -> None:
        database = self._engine.url.database
        if not database or database == ":memory:":
            raise DatabaseUnusable("A worker needs a database in a file: sqlite:///file.")
        try:
            # Whichever way leads to the file: a link to a database is the same database.
            self._descriptor = os.open(f"{Path(database).resolve()}.leader", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise DatabaseUnusable(f"Beside the database no file can be made: {error.strerror}.") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            self._descriptor = None
            raise LeaderElsewhere("Another worker leads this database.") from None

    def _lock_server(self) -> None:
        self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        taken = self._connection.execute(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": ADVISORY_LOCK})
        if not taken.scalar_one():
            self._connection.close()
            self._connection = None
            raise LeaderElsewhere("Another worker leads this database.")
