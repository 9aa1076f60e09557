"""The mirror answers for any block since the deployment, as the chain answered then, and says where it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text

from chain.base.errors import HistoryNotAvailable
from chain.mirror import history
from chain.mirror.loop import Mirror
from chain.mirror.rebuild import forget
from chain.mirror.settings import MirrorSettings
from chain.node.rpc import Rpc
from chain.storage.database import reading, snapshot, writing
from tests.chain.following import follow
from tests.support.scripted_node.brands import BRAND_ID, Brand
from tests.support.scripted_node.node import ScriptedNode
from tests.support.scripted_node.tokens import REPLACEMENTS
from tests.support.scripted_node.truth import truth

SETTINGS = MirrorSettings(poll_s=0.01, range_blocks_max=16, undo_blocks_max=40, behind_grace_s=0.0)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def database_url(request: pytest.FixtureRequest, tmp_path: object) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql"))
    return f"sqlite:///{tmp_path}/moa.db"


@pytest.fixture
def node() -> Iterator[ScriptedNode]:
    with ScriptedNode(seed=8) as running:
        yield running


@pytest.fixture
def brand(node: ScriptedNode) -> Brand:
    return Brand(node, members=8)


@pytest.fixture
def rpc(node: ScriptedNode) -> Iterator[Rpc]:
    opened = Rpc(node.url, timeout_s=10.0)
    yield opened
    opened.close()


@pytest.fixture
def mirror(engine: Engine, rpc: Rpc, brand: Brand) -> Mirror:
    return Mirror(engine, rpc, brand.deployment, SETTINGS)


def check_every_block(engine: Engine, brand: Brand) -> None:
    """Balances, supply, times and hashes of every block there ever was on the present chain."""
    with snapshot(engine) as connection:
        for block in brand.chain.blocks:
            known = truth(brand.chain, brand.token, at=block.number)
            balances = known.balances(brand.token)
            at = history.moment(connection, block.number)
            assert (at.hash, at.time) == (block.hash, block.timestamp)
            found = {account: words[0] >> 48 for account, words in history.accounts(connection, brand.token, at.number)}
            assert {account: points for account, points in found.items() if points} == balances
            supply = history.supply(connection, brand.token, block.number)
            assert supply.live == supply.minted - supply.burnt == sum(balances.values())
            for account in brand.accounts:
                points = history.points_of(connection, brand.token, account, block.number)
                assert points == balances.get(account, 0)


def test_a_block_before_the_start_or_after_the_tip_is_not_answered_with_nothing(
    brand: Brand, mirror: Mirror, engine: Engine
) -> None:
    """SPEC 8.18"""
    asked: list[Any] = [
        lambda c, block: history.moment(c, block),
        lambda c, block: history.points_of(c, brand.token, brand.accounts[0], block),
        lambda c, block: history.words_of(c, brand.token, brand.accounts[0], block),
        lambda c, block: list(history.accounts(c, brand.token, block)),
        lambda c, block: history.supply(c, brand.token, block),
        lambda c, block: history.holds(c, block),
        lambda c, block: history.rules_in_force(c, block),
        lambda c, block: history.last_entry(c, block),
    ]
    with reading(engine) as connection:
        for ask in asked:
            with pytest.raises(HistoryNotAvailable, match="none yet"):
                ask(connection, 1)
    brand.mine(5, 2)
    follow(mirror)
    last = brand.chain.head.number
    with reading(engine) as connection:
        for ask in asked:
            for block in (-1, last + 1):
                with pytest.raises(HistoryNotAvailable) as caught:
                    ask(connection, block)
                assert (caught.value.asked, caught.value.from_block, caught.value.to_block) == (block, 0, last)


def test_where_history_was_taken_away_it_says_so(brand: Brand, mirror: Mirror, engine: Engine) -> None:
    """SPEC 8.18"""
    brand.mine(5, 2)
    follow(mirror)
    with writing(engine) as connection:
        connection.execute(text("UPDATE mirror_checkpoint SET history_from = 3"))

    with reading(engine) as connection:
        assert history.span(connection).first.number == 3
        with pytest.raises(HistoryNotAvailable):
            history.points_of(connection, brand.token, brand.accounts[0], 2)
        with pytest.raises(HistoryNotAvailable):
            history.block_at(connection, brand.chain.blocks[2].timestamp)


def test_a_second_that_no_block_has_reached_is_not_answered(brand: Brand, mirror: Mirror, engine: Engine) -> None:
    """SPEC 8.18"""
    brand.mine(5, 2)
    follow(mirror)
    first, last = brand.chain.blocks[0], brand.chain.head
    with reading(engine) as connection:
        with pytest.raises(HistoryNotAvailable) as caught:
            history.block_at(connection, first.timestamp - 1)
        assert caught.value.asked_time
        for block in brand.chain.blocks:
            assert history.block_at(connection, block.timestamp).hash == block.hash
            assert history.block_at(connection, block.timestamp + 1).number == block.number
        # The chain's times lie in the past: the mirror has looked since then and found nothing newer.
        assert history.block_at(connection, last.timestamp + 3_600).number == last.number
        with pytest.raises(HistoryNotAvailable):
            history.block_at(connection, 2**40)
    with writing(engine) as connection:
        connection.execute(text("UPDATE mirror_checkpoint SET head_number = head_number + 1, state = 'backfilling'"))
    with reading(engine) as connection, pytest.raises(HistoryNotAvailable):
        history.block_at(connection, last.timestamp + 3_600)


def test_every_block_is_answered_as_it_was(brand: Brand, mirror: Mirror, engine: Engine) -> None:
    """SPEC 8.17"""
    for _ in range(3):
        brand.mine(8, 3)
        follow(mirror)
    check_every_block(engine, brand)


@pytest.mark.parametrize("replacement", REPLACEMENTS)
def test_history_follows_reorgs(brand: Brand, mirror: Mirror, engine: Engine, replacement: str) -> None:
    """SPEC 8.17"""
    brand.mine(12, 3)
    follow(mirror)
    for depth in (1, 4, 9):
        brand.reorg(depth, replacement)
        follow(mirror)
        brand.mine(2, 2)
        follow(mirror)
    check_every_block(engine, brand)


def test_a_rebuilt_mirror_has_the_same_history(brand: Brand, mirror: Mirror, engine: Engine, rpc: Rpc) -> None:
    """SPEC 8.2, 8.17"""
    brand.mine(20, 3)
    follow(mirror)
    forget(engine)
    follow(Mirror(engine, rpc, brand.deployment, SETTINGS))
    check_every_block(engine, brand)


def test_blocks_in_which_nothing_happened_are_kept_too(brand: Brand, mirror: Mirror, engine: Engine) -> None:
    """SPEC 8.19"""
    brand.mine(3, 1)
    brand.chain.mine_empty(40)
    brand.mine(1, 1)
    brand.chain.mine_empty(5)
    follow(mirror)

    with reading(engine) as connection:
        rows = connection.execute(text("SELECT number, hash, time FROM mirror_block ORDER BY number")).all()
    assert [tuple(row) for row in rows] == [(one.number, one.hash, one.timestamp) for one in brand.chain.blocks]


def test_blocks_whose_times_go_backwards_are_answered_by_number(brand: Brand, mirror: Mirror, engine: Engine) -> None:
    """SPEC 8.14, 8.17"""
    brand.mine(3, 2)
    brand.chain.mine([brand.chain.transaction(brand.award(brand.accounts[0], 5, 5))], time=1)
    brand.mine(3, 2)
    follow(mirror)
    with reading(engine) as connection:
        for block in brand.chain.blocks:
            assert history.moment(connection, block.number).time == block.timestamp
        latest = max(brand.chain.blocks, key=lambda block: block.timestamp)
        assert history.block_at(connection, latest.timestamp).hash == latest.hash


def test_a_token_is_there_from_its_invitation_on(brand: Brand, mirror: Mirror, engine: Engine) -> None:
    """SPEC 8.17"""
    follow(mirror)
    with reading(engine) as connection:
        assert history.tokens(connection, 0) == []
        assert [row["brand_id"] for row in history.tokens(connection, 1)] == [str(BRAND_ID)]
        assert history.standings(connection, 1)[0]["status"] == "invited"
        assert history.supply(connection, brand.token, 0).live == 0


def test_the_number_of_the_last_entry_then(brand: Brand, mirror: Mirror, engine: Engine) -> None:
    """SPEC 8.17"""
    brand.mine(6, 2)
    follow(mirror)
    with reading(engine) as connection:
        assert history.last_entry(connection, 1) == 0
        for block in brand.chain.blocks:
            expected = connection.execute(
                text("SELECT COALESCE(MAX(seq), 0) FROM entry WHERE block_number <= :n"), {"n": block.number}
            ).scalar_one()
            assert history.last_entry(connection, block.number) == expected
