"""Whether anybody queued something since the last look: a hint, so that a relayer with nothing to do can sleep.

SQLite: whoever queues rings a bell beside the database (chain.storage.doorbell); beneath it, the commits of others are
counted (PRAGMA data_version). PostgreSQL is listened to (operations.enqueue notifies). A hint that is missing costs
time, never an operation: the relayer looks all the same after its idle time.
"""

import logging
import select
import sqlite3
import time
from contextlib import suppress
from typing import Any, Final

import psycopg
from sqlalchemy import Engine

from chain.storage.database import BUSY_TIMEOUT_MS, driver_url
from chain.storage.doorbell import Doorbell

log = logging.getLogger(__name__)

CHANNEL: Final = "moa_operation"
CONNECT_TIMEOUT_S: Final = 5
QUEUED: Final = "SELECT 1 FROM operation WHERE state = 'queued' LIMIT 1"
# Where nothing can be listened to, it is asked so often.
POLL_S: Final = 0.04
# A bell that cannot be hung (a file system without pipes) is tried again so often.
HANG_AGAIN_S: Final = 60.0


class Wake:
    """Asked by one thread. Opens its connection at the first question."""

    def __init__(self, engine: Engine):
        self._url = engine.url
        self._on_sqlite = engine.dialect.name == "sqlite"
        self._connection: Any = None
        self._version = 0
        self._bell: Doorbell | None = None
        self._hang_at = -1e9

    def wait(self, timeout_s: float) -> bool:
        """True as soon as something may have been queued since the last question; False when the time is over, or
        sooner."""
        listened = self._listened()
        rang = False
        if listened is None:
            time.sleep(min(timeout_s, POLL_S))
        else:
            looked = select.poll()
            looked.register(listened, select.POLLIN)
            looked.poll(1000 * timeout_s)
            # Nobody rings for a sign of life.
            rang = self._bell is not None and self._bell.heard()
        return self.changed() or rang

    def changed(self) -> bool:
        """True when something may have been queued since the last question, or when nobody can tell."""
        try:
            return self._sqlite() if self._on_sqlite else self._postgresql()
        except (sqlite3.Error, psycopg.Error, OSError) as error:
            # What is wrong with the database, the round that follows finds out and says.
            log.info("the database cannot be listened to: %s", type(error).__name__)
            self._disconnect()
            return True

    def close(self) -> None:
        """Gives the connection back, and takes the ear from the bell."""
        self._disconnect()
        if self._bell is not None:
            self._bell.close()
            self._bell = None

    def _listened(self) -> int | None:
        """What becomes readable when something is queued; None when nothing does."""
        if not self._on_sqlite:
            with suppress(psycopg.Error):
                return None if self._connection is None else int(self._connection.fileno())
            return None
        if self._bell is None and time.monotonic() - self._hang_at >= HANG_AGAIN_S:
            self._hang_at = time.monotonic()
            try:
                self._bell = Doorbell(self._url.database or ":memory:")
            except OSError as error:
                log.info("no bell beside the database: %s", type(error).__name__)
        return None if self._bell is None else self._bell.fileno()

    def _disconnect(self) -> None:
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
