"""Brings the database to the newest schema; run at every start, does nothing when there is nothing to do."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, event, make_url, text

from chain.storage import database

FOLDER = Path(__file__).with_name("migrations")
# Two processes that start at once: one migrates, the other waits for it here.
# Not the leader's (chain.worker.leader), which a worker holds for as long as it leads: "moam" in ASCII.
POSTGRES_LOCK = 0x6D6F616D


class DatabaseOutdated(Exception):
    """The database has another schema than this program."""


def run(url: str) -> None:
    """Migrates to the newest schema, in one transaction."""
    engine = database.engine(url)
    if engine.dialect.name == "sqlite":
        # SQLite changes a table by making it anew, and what refers to it must not mind (its own manual's way).
        event.listen(engine, "connect", _without_references)
    try:
        with _alone(url), database.writer(engine).begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": POSTGRES_LOCK})
                connection.execute(text("SET LOCAL lock_timeout = '5s'"))
            command.upgrade(configured(connection), "head")
            if connection.dialect.name == "sqlite":
                dangling = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
                if dangling is not None:
                    raise DatabaseOutdated(f"A row of {dangling[0]} refers to no row of {dangling[2]}.")
    finally:
        engine.dispose()


def _without_references(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA foreign_keys = OFF")


@contextmanager
def _alone(url: str) -> Iterator[None]:
    """Keeps a second process from a new SQLite file: its change to WAL mode would not wait but fail."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        yield
        return
    with Path(parsed.database + ".migrating").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
        _close_to_the_world(parsed.database)


def _close_to_the_world(database: str) -> None:
    """Takes from all others what an older version left open to them: every key's hash and every member is in there."""
    for name in (database, f"{database}-wal", f"{database}-shm", f"{database}.migrating"):
        with suppress(OSError):
            mode = os.stat(name).st_mode
            if mode & 0o007:
                os.chmod(name, mode & 0o770)


def refuse_outdated(engine: Engine) -> str:
    """The schema's revision, or DatabaseOutdated when it is not the newest."""
    wanted = newest()
    with engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    if found != wanted:
        raise DatabaseOutdated(f"The database is at revision {found}, this program needs {wanted}; restart it.")
    return str(found)


def newest() -> str:
    """The revision that this program needs."""
    return str(ScriptDirectory.from_config(configured(None)).get_current_head())


def configured(connection: Connection | None) -> Config:
    """Alembic on our folder and connection; it reads no ini file."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    return config
