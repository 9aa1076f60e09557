"""A fresh database for each episode, its tables made once: a file copied, or a PostgreSQL template."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from sqlmodel import SQLModel

import chain.tables  # noqa: F401 - makes the tables known
from chain.contracts.deployment import Deployment
from chain.mirror import models
from chain.mirror.loop import Mirror
from chain.node.rpc import Rpc
from chain.storage.database import engine
from chain.storage.database import writing as writing_to
from tests.simulation.judging import diary

assert models.MIRROR_TABLES, "the tables are those of chain.mirror.models"


class Databases:
    """`server`: the address of a PostgreSQL server, or nothing. `name` keeps the runs on one server apart."""

    def __init__(self, folder: Path, server: str, name: str):
        self._folder = folder
        self._server = server
        self._name = name
        self._count = 0
        self._template = folder / "template.db"

    def __enter__(self) -> Self:
        self._make(f"sqlite:///{self._template}")
        if self._server:
            self._order(f'CREATE DATABASE "{self._name}"')
            self._make(self._address(self._name))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server:
            self._order(f'DROP DATABASE IF EXISTS "{self._name}" WITH (FORCE)')

    def fill(self, rpc: Rpc, deployment: Deployment) -> None:
        """Mirrors the base into the templates, so that each episode begins there."""
        for url in [f"sqlite:///{self._template}", *([self._address(self._name)] if self._server else [])]:
            made = engine(url)
            Mirror(made, rpc, deployment).catch_up()
            made.dispose()

    def fresh(self, kind: str, folder: Path) -> str:
        """The address of an episode's own database."""
        self._count += 1
        if kind == "postgresql" and self._server:
            name = f"{self._name}_{self._count}"
            self._order(f'CREATE DATABASE "{name}" TEMPLATE "{self._name}"')
            return self._address(name)
        shutil.copy(self._template, folder / "moa.db")
        return f"sqlite:///{folder / 'moa.db'}"

    def forget(self, url: str) -> None:
        """The episode is over."""
        if url.startswith("postgresql"):
            name = url.rsplit("/", 1)[1].split("?")[0]
            self._order(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def empty(self, folder: Path) -> str:
        """A database for a rebuild, tables and nothing in them."""
        url = f"sqlite:///{folder / 'rebuilt.db'}"
        self._make(url)
        return url

    def _make(self, url: str) -> None:
        made = engine(url)
        with writing_to(made) as connection:
            SQLModel.metadata.create_all(connection)
            diary.keep(connection)
        made.dispose()

    def _address(self, name: str) -> str:
        before, _, options = self._server.partition("?")
        return f"{before.rsplit('/', 1)[0]}/{name}" + (f"?{options}" if options else "")

    def _order(self, statement: str) -> None:
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(statement.encode())
