"""Old points and badges mirrored and audited: rows, reports and storage agree, and a row that lies is told."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import SQLModel

import chain.tables  # noqa: F401 - makes the tables known
from chain.base.hashing import keccak
from chain.contracts.deployment import Contract
from chain.devnet.supervisor import Anvil
from chain.mirror import history
from chain.mirror.rebuild import forget
from chain.node.rpc import Rpc
from chain.reports import bundle
from chain.reports.cohorts import cohorts
from chain.reports.datasets import Scope
from chain.reports.movements import movements
from chain.storage.database import engine as make_engine
from chain.storage.database import snapshot, writing
from tests.audit.test_walked_chain import Mirrored, deployed
from tests.differential.world import TwoSides
from tests.replay.test_openings import Claims

pytestmark = pytest.mark.slow

SEED = 31
STEPS = 90


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirrored]:
    """A walk of old points on Anvil, and a mirror of it."""
    folder: Path = tmp_path_factory.mktemp("openings")
    with Anvil(folder / "chain") as node, closing(Rpc(node.url, timeout_s=30.0)) as rpc:
        world = TwoSides(rpc, node.chain_id, anvil=True)
        walk = Claims(world, random.Random(SEED))
        for _ in range(STEPS):
            world.do(walk.next(world.at))
        plain = deployed(world, rpc)
        contracts = dict(plain.contracts)
        for name in ("OpeningBalances", "Badges"):
            address = world.chain.addresses[name]
            code = "0x" + keccak(bytes.fromhex(rpc.call("eth_getCode", address, "latest")[2:])).hex()
            contracts[name] = Contract(name, address, code)
        engine = make_engine(f"sqlite:///{folder}/moa.db")
        with writing(engine) as connection:
            SQLModel.metadata.create_all(connection)
        made = Mirrored(world, rpc, node.url, replace(plain, contracts=contracts), engine)
        made.mirror().catch_up(timeout_s=60)
        yield made
        engine.dispose()


def test_old_points_are_entries_of_their_own_and_the_audit_agrees(opened: Mirrored) -> None:
    """SPEC 12.5, 12.6, 16.12"""
    report = opened.audit()

    assert report.finished
    assert report.found == 0, "\n".join(map(str, report.differences[:10]))
    with snapshot(opened.engine) as connection:
        claims = connection.execute(text("SELECT points, detail FROM entry WHERE kind = 'opening'")).all()
        plain = connection.execute(text("SELECT COUNT(*) FROM entry WHERE kind = 'mint'")).scalar_one()
        badges = connection.execute(text("SELECT COUNT(*) FROM ledger_event WHERE contract = 'Badges'")).scalar_one()
    counted = sum(len(each.claimed) for some in opened.world.ledger.openings.openings.values() for each in some)
    assert len(claims) == counted > 0
    assert plain == 0, "a mint that nothing explains"
    assert badges > 0


def test_rows_of_old_points_read_in_other_ranges_are_the_same(opened: Mirrored) -> None:
    """SPEC 8.2"""
    before = opened.digest()
    forget(opened.engine)

    opened.mirror(range_blocks_max=5).catch_up(timeout_s=60)

    assert opened.digest() == before


def test_reports_and_exports_count_old_points_by_their_own_expiry(opened: Mirrored, tmp_path: Path) -> None:
    """SPEC 15.4, 15.5, 15.10"""
    with snapshot(opened.engine) as connection:
        span = history.span(connection)
        first, last = (history.moment(connection, block.number) for block in (span.first, span.last))
        for token in history.tokens(connection, last.number):
            assert movements(connection, token, first, last).difference == 0
            for cohort in cohorts(connection, token, last):
                assert 0 <= cohort.outstanding <= cohort.entered
        bundle.write(connection, tmp_path / "export", scope=Scope(last.number), format="csv", chain={"id": "1"})

    _, problems = bundle.check(tmp_path / "export")

    assert problems == []


def test_a_row_that_lies_about_old_points_is_told(opened: Mirrored) -> None:
    """SPEC 12.5"""
    with writing(opened.engine) as connection:
        found = connection.execute(text("SELECT block_number, log_index, points FROM entry WHERE kind = 'opening'"))
        block, log, points = found.first() or ()
        where = {"block": block, "log": log}
        change = text("UPDATE entry SET points = :points WHERE block_number = :block AND log_index = :log")
        assert connection.execute(change, {"points": "9", **where}).rowcount == 1

    report = opened.audit()

    with writing(opened.engine) as connection:
        connection.execute(change, {"points": points, **where})
    assert report.found == 1, report.differences
    assert "points" in report.differences[0].what
