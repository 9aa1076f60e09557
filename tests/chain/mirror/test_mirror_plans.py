"""What a step of the mirror and a way back cost must not grow with what lies in the tables: no statement walks one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event

from chain.mirror.loop import Mirror
from chain.mirror.settings import MirrorSettings
from chain.node.rpc import Rpc
from tests.chain.following import follow
from tests.support.scripted_node.brands import Brand
from tests.support.scripted_node.expiring import ExpiringBrand
from tests.support.scripted_node.node import ScriptedNode

GROWING = ("mirror_block", "ledger_event", "entry", "balance", "lot_end", "balance_version", "ledger_version", "hold",
           "operation", "chain_transaction", "chain_transaction_hash")  # fmt: skip


@pytest.fixture
def brand() -> Iterator[Brand]:
    with ScriptedNode(seed=5) as node:
        yield Brand(node, members=30)


@contextmanager
def planned(engine: Engine) -> Iterator[list[str]]:
    """Collects the statements that walk through one of the growing tables, with SQLite's plan for them."""
    walks: list[str] = []

    def plan(_connection: Any, cursor: Any, statement: str, values: Any, _context: Any, many: bool) -> None:
        if not statement.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE", "INSERT", "WITH")):
            return
        asking = cursor.connection.cursor()
        asking.execute(f"EXPLAIN QUERY PLAN {statement}", values[0] if many else values)
        steps = [row[3] for row in asking.fetchall()]
        asking.close()
        if any(step.split()[:2] == ["SCAN", table] for step in steps for table in GROWING):
            walks.append(f"{steps}: {statement[:300]}")

    event.listen(engine, "before_cursor_execute", plan)
    try:
        yield walks
    finally:
        event.remove(engine, "before_cursor_execute", plan)


def test_no_step_and_no_way_back_walks_through_a_table_that_grows(brand: Brand, engine: Engine) -> None:
    """SPEC 8.1, 8.2"""
    settings = MirrorSettings(behind_grace_s=0.0, confirmed_depth=2)
    rpc = Rpc(brand.node.url, timeout_s=5.0)
    brand.mine(10, 6)
    with planned(engine) as walks:
        mirror = Mirror(engine, rpc, brand.deployment, settings)
        follow(mirror)
        brand.reorg(4, "others")
        follow(mirror)
        brand.mine(3, 6)
        follow(mirror)
    rpc.close()

    assert mirror.step() is False
    assert not walks, "\n".join(walks)


def test_neither_ends_of_lots_nor_the_way_back_over_them_walk_through_a_table_that_grows(engine: Engine) -> None:
    """SPEC 8.85"""
    with ScriptedNode(seed=5) as node, planned(engine) as walks:
        rpc = Rpc(node.url, timeout_s=5.0)
        brand = ExpiringBrand(node, lifetime=1, seed=5)
        mirror = Mirror(engine, rpc, brand.deployment, MirrorSettings(behind_grace_s=0.0))
        brand.wander(30)
        follow(mirror)
        brand.take_back(20)
        brand.wander(25)
        follow(mirror)
        with engine.connect() as connection:
            ends = connection.exec_driver_sql(
                "SELECT 1 FROM entry INDEXED BY entry_tx_hash WHERE tx_hash IS NULL"
            ).all()
        rpc.close()

    assert len(ends) > 5
    assert not walks, "\n".join(walks)


def test_a_walk_would_be_seen(engine: Engine) -> None:
    """Negative control: the list of pairs that balances were once looked up by."""
    with planned(engine) as walks, engine.connect() as connection:
        connection.exec_driver_sql("SELECT * FROM balance WHERE (token, account) IN (VALUES ('a', 'b'), ('c', 'd'))")
        connection.exec_driver_sql("SELECT * FROM balance WHERE token = 'a' AND account IN ('b', 'd')")

    assert len(walks) == 1
