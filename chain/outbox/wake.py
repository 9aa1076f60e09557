"""Whether anybody wrote to the database since the last look: a hint that there may be something in the queue.

It costs next to nothing to ask, so that a relayer with nothing to do can ask often and look seldom. SQLite counts the
commits of others (PRAGMA data_version); PostgreSQL is listened to (operations.enqueue notifies). A hint that is missing
costs time, never an operation: the relayer looks all the same after its idle time.
"""

import logging
import select
import sqlite3
from contextlib import suppress
from typing import Any, Final

import psycopg
from sqlalchemy import Engine

from chain.storage.database import BUSY_TIMEOUT_MS, driver_url

log = logging.getLogger(__name__)

CHANNEL: Final = "moa_operation"
CONNECT_TIMEOUT_S: Final = 5
QUEUED: Final = "SELECT 1 FROM operation WHERE state = 'queued' LIMIT 1"


class Wake:
    """Asked by one thread. Opens its connection at the first question."""

    def __init__(self, engine: Engine):
        self._url = engine.url
        self._connection: Any = None
        self._version = 0

    def changed(self) -> bool:
        """True when something may have been queued since the last question, or when nobody can tell."""
        try:
            if self._url.get_backend_name() == "sqlite":
                return self._sqlite()
            return self._postgresql()
        except (sqlite3.Error, psycopg.Error, OSError) as error:
            # What is wrong with the database, the round that follows finds out and says.
            log.info("the database cannot be listened to: %s", type(error).__name__)
            self.close()
            return True

    def close(self) -> None:
        """Gives the connection back."""
        if self._connection is not None:
            with suppress(sqlite3.Error, psycopg.Error, OSError):
                self._connection.close()
            self._connection = None

    def _sqlite(self) -> bool:
        if self._connection is None:
            self._connection = sqlite3.connect(
                self._url.database or ":memory:", timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None
            )
            self._version = -1
        before, self._version = self._version, self._connection.execute("PRAGMA data_version").fetchone()[0]
        # Most commits are signs of life, our own among them.
        return before != self._version and self._connection.execute(QUEUED).fetchone() is not None

    def _postgresql(self) -> bool:
        if self._connection is None:
            plain = driver_url(self._url.render_as_string(hide_password=False)).set(drivername="postgresql")
            self._connection = psycopg.connect(
                plain.render_as_string(hide_password=False), autocommit=True, connect_timeout=CONNECT_TIMEOUT_S
            )
            self._connection.execute(f"LISTEN {CHANNEL}")
            return True
        looked = select.poll()
        looked.register(self._connection.fileno(), select.POLLIN)
        readable = bool(looked.poll(0))
        # Whatever came is read: notices, or the end of the connection, which raises.
        if readable:
            list(self._connection.notifies(timeout=0))
        return readable
