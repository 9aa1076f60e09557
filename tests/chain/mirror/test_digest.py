"""Equal chains give equal mirrors: one number says so, whatever way they were read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, text

import chain.tables  # noqa: F401 - makes the tables known
from chain.mirror.digest import Digest, digest
from chain.mirror.loop import Mirror
from chain.mirror.rebuild import forget
from chain.mirror.settings import MirrorSettings
from chain.node.rpc import Rpc
from chain.storage.database import engine as make_engine
from chain.storage.database import snapshot, writing
from tests.chain.following import follow
from tests.support.scripted_node.brands import Brand
from tests.support.scripted_node.node import ScriptedNode

SETTINGS = MirrorSettings(poll_s=0.01, undo_blocks_max=40, behind_grace_s=0.0)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def database_url(request: pytest.FixtureRequest, tmp_path: object) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql"))
    return f"sqlite:///{tmp_path}/moa.db"


@pytest.fixture
def node() -> Iterator[ScriptedNode]:
    with ScriptedNode(seed=9) as running:
        yield running


@pytest.fixture
def brand(node: ScriptedNode) -> Brand:
    return Brand(node, members=8)


@pytest.fixture
def rpc(node: ScriptedNode) -> Iterator[Rpc]:
    opened = Rpc(node.url, timeout_s=10.0)
    yield opened
    opened.close()


def of(engine: Engine) -> Digest:
    with snapshot(engine) as connection:
        return digest(connection)


def changes(statement: str) -> Any:
    return pytest.param(statement, id=statement)


@pytest.mark.parametrize(
    "statement",
    [
        changes("UPDATE balance SET points = '1' WHERE account = (SELECT MIN(account) FROM balance)"),
        changes("UPDATE balance_version SET log_index = 9 WHERE block_number = 2"),
        changes("DELETE FROM entry WHERE seq = (SELECT MAX(seq) FROM entry)"),
        changes("UPDATE ledger_event SET tx_index = 7 WHERE block_number = 2"),
        changes("UPDATE mirror_block SET time = time + 1 WHERE number = 3"),
        changes("UPDATE supply SET minted = '5'"),
        changes("UPDATE brand_token SET symbol = 'X'"),
    ],
)  # fmt: skip
def test_any_row_that_differs_shows(brand: Brand, rpc: Rpc, engine: Engine, statement: str) -> None:
    """SPEC 8.2"""
    brand.mine(6, 3)
    follow(Mirror(engine, rpc, brand.deployment, SETTINGS))
    before = of(engine)
    with writing(engine) as connection:
        assert connection.execute(text(statement)).rowcount >= 1

    after = of(engine)

    assert after.sha256 != before.sha256
    assert [name for name in before.tables if before.tables[name] != after.tables[name]] == [
        statement.replace("DELETE FROM", "UPDATE").split()[1]
    ]


def test_neither_ranges_nor_reorgs_nor_a_rebuild_change_it(brand: Brand, rpc: Rpc, engine: Engine) -> None:
    """SPEC 8.2"""
    mirror = Mirror(engine, rpc, brand.deployment, replace(SETTINGS, range_blocks_max=3))
    brand.mine(14, 3)
    follow(mirror)
    for depth, replacement in ((2, "others"), (7, "moved"), (3, "none")):
        brand.reorg(depth, replacement)
        follow(mirror)
    brand.mine(2, 2)
    follow(mirror)
    before = of(engine)
    assert before.block_hash == brand.chain.head.hash
    assert before.tables["entry"].rows > 20

    for width in (1, 5, 200):
        forget(engine)
        follow(Mirror(engine, rpc, brand.deployment, replace(SETTINGS, range_blocks_max=width)))
        assert of(engine) == before


def test_what_belongs_to_one_run_does_not_count(brand: Brand, rpc: Rpc, engine: Engine) -> None:
    """SPEC 8.2"""
    brand.mine(6, 3)
    follow(Mirror(engine, rpc, brand.deployment, SETTINGS))
    before = of(engine)
    with writing(engine) as connection:
        connection.execute(text("UPDATE mirror_checkpoint SET state = 'stopped', reason = 'x', updated_at_ms = 1"))
        connection.execute(text("UPDATE entry SET seq = seq + 1000000"))

    assert of(engine) == before


def test_an_empty_mirror_has_no_block(engine: Engine) -> None:
    assert of(engine).block_number is None


@pytest.mark.slow
def test_both_databases_have_the_same_digest(brand: Brand, rpc: Rpc, postgresql: str, tmp_path: Any) -> None:
    """SPEC 8.2"""
    from sqlmodel import SQLModel

    found = []
    for url in (f"sqlite:///{tmp_path}/one.db", postgresql):
        engine = make_engine(url)
        with writing(engine) as connection:
            SQLModel.metadata.drop_all(connection)
            SQLModel.metadata.create_all(connection)
        if not found:
            brand.mine(12, 4)
        follow(Mirror(engine, rpc, brand.deployment, SETTINGS))
        found.append(of(engine))
        engine.dispose()

    assert found[0] == found[1]
