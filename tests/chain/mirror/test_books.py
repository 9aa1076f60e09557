"""The books of each brand, and what shows when they are wrong."""

import pytest
from sqlalchemy import text

from chain.base.errors import AnswerInconsistent
from chain.contracts import lots
from chain.mirror.books import awards_on_chain, books
from chain.storage.database import writing

pytestmark = pytest.mark.slow


def test_the_books_balance_with_held_and_exchanged_points(world):
    """SPEC 8.12"""
    asked, _ = world.hold("ada", 700)
    world.enqueue(world.award("ada", 1000), world.award("bob", 50), asked, world.exchange("ada", 300))
    world.drain()

    found = books(world.rpc, world.engine, world.deployment)

    assert found.balanced
    brands = {slug: next(one for one in found.brands if one.brand == at.id) for slug, at in world.brands.items()}
    assert brands["cdnow"].supply_on_chain == brands["cdnow"].sum_in_mirror == 1500 + 75 - 300
    assert brands["cdnow"].held == 700
    assert brands["hanok"].supply_on_chain == world.balance_on_chain("ada", "hanok") > 0
    assert (awards_on_chain(world.rpc, world.deployment, world.brands["cdnow"].id), brands["cdnow"].drift) == (2, 0)


def test_a_balance_that_was_altered_in_the_mirror_is_named(world):
    """SPEC 8.12"""
    world.enqueue(world.award("ada", 1000), world.award("bob", 50))
    world.drain()
    with writing(world.engine) as connection:
        connection.execute(
            text("UPDATE balance SET lots = :lots WHERE account = :account"),
            {"lots": lots.EMPTY, "account": world.member("bob")},
        )

    found = books(world.rpc, world.engine, world.deployment)

    assert not found.balanced
    cdnow = next(brand for brand in found.brands if brand.brand == world.brands["cdnow"].id)
    assert cdnow.drift == 75
    assert [(one.account, one.on_chain, one.in_mirror) for one in cdnow.differences] == [(world.member("bob"), 75, 0)]


def test_books_of_a_block_that_is_gone_are_not_written(world):
    """SPEC 8.12"""
    world.mirror.catch_up()
    snapshot = world.snapshot()
    world.enqueue(world.award("ada", 1000))
    world.drain()
    world.revert(snapshot)
    world.rpc.call("evm_increaseTime", 3)
    world.mine(5)

    with pytest.raises(AnswerInconsistent):
        books(world.rpc, world.engine, world.deployment)
