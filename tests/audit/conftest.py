"""One small world for each node, mirrored once for each database; every test gets a copy of that mirror."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlmodel import SQLModel

import chain.tables  # noqa: F401 - makes the tables known
from chain.audit.report import Plan, Report
from chain.audit.run import Audit
from chain.node.rpc import Rpc
from chain.storage.database import engine as make_engine
from chain.storage.database import writing
from tests.audit.small import Small
from tests.support.databases import Postgres
from tests.support.deployed import deployed


class Quiet:
    """A progress that nobody watches."""

    def stage(self, name: str, total: int) -> None:
        pass

    def walked(self, count: int) -> None:
        pass


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Small]]:
    """The small world on a node, by the node's name; told when it is first asked for."""
    made: dict[str, Small] = {}

    with ExitStack() as running:

        def of(node: str) -> Small:
            if node not in made:
                folder = tmp_path_factory.mktemp(f"audit-{node}")
                made[node] = Small(running.enter_context(deployed(node, folder)), folder)
                running.callback(made[node].world.close)
            return made[node]

        yield of


@dataclass
class Books:
    """A small world and a mirror of it that a test may spoil."""

    small: Small
    engine: Engine
    rpcs: list[Rpc] = field(default_factory=list)

    def audit(self, rpc: Callable[[], Rpc] | None = None, pin: str | None = None, **plan: Any) -> Report:
        """An audit of these books; through another way to the node, or by another pin, if given."""
        trusted = bytes.fromhex((pin or self.small.pin)[2:])
        made = rpc or (lambda: Rpc(self.small.chain.node.url, timeout_s=30.0))
        return Audit(made, self.engine, self.small.deployment, Plan(trusted, **plan), Quiet()).run()

    def run(self, *statements: str) -> None:
        """Changes rows behind the mirror's back."""
        with writing(self.engine) as connection:
            for statement in statements:
                assert connection.execute(text(statement)).rowcount, statement

    def one(self, query: str) -> Any:
        """The first row."""
        with writing(self.engine) as connection:
            return connection.execute(text(query)).first()


@pytest.fixture(scope="session")
def mirrored(small: Callable[[str], Small], postgres_server: Postgres) -> Callable[[str], str]:
    """Makes PostgreSQL databases that hold the mirror of a node's small world."""

    def of(node: str) -> str:
        def mirror(url: str) -> None:
            engine = make_engine(url)
            with writing(engine) as connection:
                SQLModel.metadata.create_all(connection)
            world = small(node).world
            world.engine, keep = engine, world.engine
            world.new_mirror().catch_up()
            world.engine = keep
            engine.dispose()

        return postgres_server.copy(f"audit {node}", mirror)

    return of


@pytest.fixture(params=["anvil sqlite", "anvil postgresql", "ganache sqlite", "ganache postgresql"])
def books(request: pytest.FixtureRequest, small: Callable[[str], Small], tmp_path: Path) -> Iterator[Books]:
    """The small world on each node with its mirror in each database."""
    node, database = request.param.split()
    world = small(node)
    if database == "sqlite":
        shutil.copyfile(world.url.removeprefix("sqlite:///"), tmp_path / "moa.db")
        url = f"sqlite:///{tmp_path / 'moa.db'}"
    else:
        url = request.getfixturevalue("mirrored")(node)
    engine = make_engine(url)
    yield Books(world, engine)
    engine.dispose()
    if database != "sqlite":
        request.getfixturevalue("postgres_server").drop(url)


@pytest.fixture(params=["anvil", "ganache"])
def ledger(request: pytest.FixtureRequest, small: Callable[[str], Small], tmp_path: Path) -> Iterator[Books]:
    """The small world on each node with its mirror in SQLite: for lies that no database tells."""
    world = small(request.param)
    shutil.copyfile(world.url.removeprefix("sqlite:///"), tmp_path / "moa.db")
    engine = make_engine(f"sqlite:///{tmp_path / 'moa.db'}")
    yield Books(world, engine)
    engine.dispose()
