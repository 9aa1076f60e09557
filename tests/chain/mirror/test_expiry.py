"""Points end without an event: the mirror writes an entry at the first block whose time reaches the end, and no other.

What is true of every block is told by tests/support/scripted_node/expiring.py, account by account, without an index
and without the mirror's code.
"""

from __future__ import annotations

import os
import random
from collections import defaultdict
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from chain.mirror import history
from chain.mirror.digest import digest
from chain.mirror.loop import Mirror
from chain.mirror.rebuild import forget
from chain.mirror.settings import MirrorSettings
from chain.node.rpc import Rpc
from chain.storage.database import snapshot
from tests.chain.following import follow
from tests.support.scripted_node.expiring import EPOCH_S, ExpiringBrand
from tests.support.scripted_node.node import ScriptedNode

SETTINGS = MirrorSettings(poll_s=0.01, range_blocks_max=7, undo_blocks_max=60, behind_grace_s=0.0)
SEED = int(os.environ.get("MOA_SEED") or random.SystemRandom().randrange(2**32))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def database_url(request: pytest.FixtureRequest, tmp_path: object) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql"))
    return f"sqlite:///{tmp_path}/moa.db"


@pytest.fixture
def brand(request: pytest.FixtureRequest) -> Iterator[ExpiringBrand]:
    print(f"MOA_SEED={SEED}")
    with ScriptedNode(seed=SEED) as node:
        yield ExpiringBrand(node, lifetime=getattr(request, "param", 1), seed=SEED)


@pytest.fixture
def rpc(brand: ExpiringBrand) -> Iterator[Rpc]:
    opened = Rpc(brand.node.url, timeout_s=10.0)
    yield opened
    opened.close()


@pytest.fixture
def mirror(engine: Engine, rpc: Rpc, brand: ExpiringBrand) -> Mirror:
    return Mirror(engine, rpc, brand.deployment, SETTINGS)


def check(engine: Engine, brand: ExpiringBrand) -> int:
    """Every entry of an end, and every sum at every block; how many ends there were."""
    with snapshot(engine) as connection:
        rows = connection.execute(
            text(
                "SELECT block_number, account, kind, points, tx_hash, log_index, block_hash, block_time, seq, detail"
                " FROM entry ORDER BY block_number, CASE WHEN log_index < 0 THEN -1 ELSE log_index END, seq"
            )
        ).all()
        kinds = {-1: "expire", 1: "expire_undone"}
        found = sorted((row[0], row[1], row[2], row[3]) for row in rows if row[2] in kinds.values())
        right = sorted(
            (number, account, kinds[sign], str(sign * points)) for number, _, account, points, sign in brand.ended()
        )
        assert found == right
        for row in rows:
            block = brand.chain.blocks[row[0]]
            assert (row[6], row[7]) == (block.hash, block.timestamp)
            assert (row[4] is None) == (row[5] < 0) == (row[2] in kinds.values())
        sums: dict[str, int] = defaultdict(int)
        by_block = defaultdict(list)
        for row in rows:
            by_block[row[0]].append(row)
        for block in brand.chain.blocks[1:]:
            for row in by_block[block.number]:
                sums[row[1]] += int(row[3])
            for account in brand.accounts:
                live = brand.live(account, block)
                assert sums[account] == live, (block.number, account)
                assert history.points_of(connection, brand.token, account, block.number) == live
        numbers = [row[8] for row in rows]
        assert numbers == sorted(numbers), "entries are numbered in the order of the chain, ends before the logs"
    return len(right)


def whole(engine: Engine) -> str:
    with snapshot(engine) as connection:
        return digest(connection).sha256


@pytest.mark.parametrize("brand", [1, 14], indirect=True)
def test_the_entries_of_every_account_make_up_its_live_balance_at_every_block(
    brand: ExpiringBrand, mirror: Mirror, engine: Engine
) -> None:
    """SPEC 8.80, 8.81"""
    for _ in range(3):
        brand.wander(15)
        follow(mirror)
    # However long its points live, everything that there is has ended by then.
    brand.pass_to(brand.chain.head.timestamp + 20 * EPOCH_S, count=0)
    follow(mirror)

    assert check(engine, brand) > 5


@pytest.mark.parametrize("brand", [1, 14], indirect=True)
def test_a_reorg_takes_ends_back_and_a_rebuild_writes_the_same(
    brand: ExpiringBrand, mirror: Mirror, engine: Engine, rpc: Rpc
) -> None:
    """SPEC 8.82"""
    brand.wander(20)
    follow(mirror)
    for depth in (1, 4, 17):
        brand.take_back(depth)
        brand.wander(depth + 3)
        follow(mirror)
        check(engine, brand)
    # However long its points live, some have ended by then.
    brand.pass_to(brand.chain.head.timestamp + 20 * EPOCH_S, count=0)
    follow(mirror)
    before = whole(engine)
    for width in (2, 200):
        forget(engine)
        follow(Mirror(engine, rpc, brand.deployment, MirrorSettings(range_blocks_max=width)))
        assert check(engine, brand)
        assert whole(engine) == before


def test_times_that_go_back_bring_points_back_and_the_sums_stay_right(
    brand: ExpiringBrand, mirror: Mirror, engine: Engine
) -> None:
    """SPEC 8.14, 8.83"""
    brand.wander(10)
    for _ in range(4):
        # By less than a lot lives, so that nothing lies beyond the window of SPEC 1.7.
        brand.pass_to(brand.chain.head.timestamp - EPOCH_S - 1, count=0)
        follow(mirror)
        brand.pass_to(brand.chain.head.timestamp + 5, count=0)
        brand.wander(4)
        follow(mirror)
    check(engine, brand)


def test_a_block_one_second_before_the_end_has_no_entry_and_the_block_at_it_has(
    engine: Engine, brand: ExpiringBrand, mirror: Mirror
) -> None:
    """SPEC 8.80"""
    member, end = brand.accounts[0], brand.expires_at(1 + brand.lifetime)
    brand.give(brand.origin + 10, {member: 700})
    brand.pass_to(end - 1, count=0)
    follow(mirror)
    assert check(engine, brand) == 0
    brand.pass_to(end, count=0)
    brand.pass_to(end + 1, count=0)
    follow(mirror)
    assert check(engine, brand) == 1


def test_held_points_that_end_with_the_desk_leave_no_entry(
    engine: Engine, brand: ExpiringBrand, mirror: Mirror
) -> None:
    """SPEC 8.84: the end of the hold says what lapsed."""
    member, end = brand.accounts[0], brand.expires_at(1 + brand.lifetime)
    brand.give(brand.origin + 10, {member: 700})
    brand.hold(brand.origin + 20, member, 500, end + 50)
    brand.pass_to(end + 5, count=0)
    follow(mirror)

    assert check(engine, brand) == 1
    with snapshot(engine) as connection:
        ends = connection.execute(text("SELECT account, points FROM entry WHERE kind = 'expire'")).all()
        assert [tuple(row) for row in ends] == [(member, "-200")]
        assert connection.execute(text("SELECT count(*) FROM lot_end")).scalar_one() == 1


def test_ends_of_many_accounts_are_read_in_pages_and_none_is_missed(
    engine: Engine, rpc: Rpc, brand: ExpiringBrand, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SPEC 8.85"""
    monkeypatch.setattr("chain.mirror.rows.lot_ends.PAGE_ROWS", 3)
    monkeypatch.setattr("chain.mirror.rows.projection.ENTRIES_HELD_MAX", 4)
    monkeypatch.setattr("chain.mirror.rows.lot_ends.PENDING_MAX", 2)
    for count in (1, 3, 6):
        at = brand.chain.head.timestamp + 10
        brand.give(at, {account: 10 + place for place, account in enumerate(brand.accounts[:count])})
        brand.pass_to(at + 17 * EPOCH_S, count=0)
        follow(mirror)
    # Within one range, from its first award to its last end.
    before = whole(engine)
    assert check(engine, brand) == 10
    forget(engine)
    follow(Mirror(engine, rpc, brand.deployment, MirrorSettings(range_blocks_max=200)))
    assert whole(engine) == before
