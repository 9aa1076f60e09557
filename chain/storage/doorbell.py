"""A bell beside a SQLite database: whoever committed what another process waits for rings it.

SQLite tells nobody of a commit. A named pipe does: the kernel wakes its reader at once, nobody has to ask, it needs no
port, and only the database's owner may ring. What rings in vain, or is not heard, costs time and nothing else.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, event

# In the info of a driver's connection: what it committed is to be told.
RING: Final = "moa_ring"
SUFFIX: Final = ".bell"
DRAINED_BYTES: Final = 4_096
MODE: Final = 0o600


def path_of(database: str) -> str:
    """Where the bell of a database's file hangs, whichever way leads to the file."""
    return f"{Path(database).resolve()}{SUFFIX}"


def ring_after(connection: Connection) -> None:
    """Rings when the transaction of this connection has ended and the connection is given back."""
    connection.info[RING] = True


def hang(engine: Engine) -> None:
    """From now on the engine's connections ring when they are given back."""
    database = engine.url.database
    if not database or database == ":memory:":
        return
    path = path_of(database)

    def rings(_connection: Any, record: Any) -> None:
        if record.info.pop(RING, False):
            ring(path)

    event.listen(engine, "checkin", rings)


def ring(path: str) -> bool:
    """Whether anybody was there to hear it. Never waits."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        # No bell, or nobody listens.
        return False
    try:
        if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            return False
        # A full pipe has rung long ago.
        with suppress(OSError):
            os.write(descriptor, b"!")
        return True
    finally:
        os.close(descriptor)


class Doorbell:
    """The listener's end. Raises OSError where there can be no such pipe."""

    def __init__(self, database: str):
        path = path_of(database)
        with suppress(FileExistsError):
            os.mkfifo(path, MODE)
        # Open for writing too: without any writer a pipe would be at its end, and be ready for ever.
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        if not stat.S_ISFIFO(os.fstat(self._descriptor).st_mode):
            os.close(self._descriptor)
            raise FileExistsError(f"{path} is no pipe")

    def fileno(self) -> int:
        """What to poll for input."""
        return self._descriptor

    def heard(self) -> bool:
        """Whether it rang since the last time."""
        with suppress(BlockingIOError):
            return bool(os.read(self._descriptor, DRAINED_BYTES))
        return False

    def close(self) -> None:
        """The pipe stays where it is, for the next."""
        os.close(self._descriptor)
