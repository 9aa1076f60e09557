"""The chain changes its mind: the mirror follows to the row, in one transaction, or stops and says so."""

import random
import threading
import time
from typing import Any

import pytest

from chain.base.errors import AnswerInconsistent, ChainReplaced, ReorgTooDeep
from tests.erc20.conftest import TOKEN, UNTIL_S, Books, select, until
from tests.support.scripted_node.chain import Chain
from tests.support.scripted_node.node import ScriptedNode
from tests.support.scripted_node.tokens import REPLACEMENTS, Traffic, mint


@pytest.mark.parametrize("replacement", REPLACEMENTS)
@pytest.mark.parametrize("depth", [1, 2, 17, 100])
def test_a_reorg_is_followed(follower: Any, books: Books, traffic: Traffic, replacement: str, depth: int) -> None:
    """SPEC 8.3, 8.35"""
    traffic.mine(blocks=120, transfers=3)
    mirror = follower()
    mirror.catch_up()
    traffic.reorg(depth, replacement)
    mirror.catch_up()
    books.check()


def test_a_reorg_of_the_whole_horizon_is_followed_and_one_block_more_stops(
    follower: Any, books: Books, traffic: Traffic
) -> None:
    """SPEC 8.6"""
    traffic.mine(blocks=60, transfers=2)
    mirror = follower(undo_blocks=20)
    mirror.catch_up()
    traffic.reorg(20, "others")
    mirror.catch_up()
    books.check()

    before = (books.transfers(), books.balances(), books.checkpoint()[:2])
    traffic.reorg(21, "others")
    with pytest.raises(ReorgTooDeep) as caught:
        mirror.run(threading.Event(), None)
    assert books.checkpoint()[2:] == ("stopped", str(caught.value))
    assert (books.transfers(), books.balances(), books.checkpoint()[:2]) == before


def test_a_mirror_that_stopped_goes_on_when_the_chain_came_back(
    follower: Any, books: Books, traffic: Traffic, node: ScriptedNode
) -> None:
    """SPEC 8.6"""
    traffic.mine(blocks=40, transfers=2)
    mirror = follower(undo_blocks=5)
    mirror.catch_up()
    change = traffic.reorg(20, "none")
    with pytest.raises(ReorgTooDeep):
        mirror.run(threading.Event(), None)
    node.chain.restore(change.removed)
    traffic.mine(blocks=2, transfers=2)
    follower(undo_blocks=5).catch_up()
    books.check()


def test_a_reorg_while_it_was_off_is_noticed_at_its_start(follower: Any, books: Books, traffic: Traffic) -> None:
    """SPEC 8.4"""
    traffic.mine(blocks=30, transfers=3)
    follower().catch_up()
    traffic.reorg(9, "others")
    traffic.mine(blocks=40, transfers=3)
    follower().catch_up()
    books.check()


def test_three_reorgs_in_quick_succession(running: Any, books: Books, traffic: Traffic) -> None:
    """SPEC 8.3"""
    traffic.mine(blocks=30, transfers=3)
    running()
    until(books.at_head)
    for depth, replacement in ((3, "others"), (7, "none"), (2, "moved")):
        traffic.reorg(depth, replacement)
    until(books.at_head)
    books.check()


def test_a_chain_that_leaves_and_comes_back(follower: Any, books: Books, traffic: Traffic, node: ScriptedNode) -> None:
    """SPEC 8.3"""
    traffic.mine(blocks=10, transfers=3)
    mirror = follower()
    mirror.catch_up()
    digest = (books.transfers(), books.balances())
    change = traffic.reorg(4, "others")
    mirror.catch_up()
    node.chain.restore(change.removed)
    mirror.catch_up()
    assert (books.transfers(), books.balances()) == digest
    books.check()


def test_a_reorg_below_the_first_block_begins_again(follower: Any, books: Books, traffic: Traffic) -> None:
    """SPEC 8.36"""
    traffic.mine(blocks=30, transfers=2)
    mirror = follower(from_block=20)
    mirror.catch_up()
    traffic.reorg(25, "others")
    mirror.catch_up()
    books.check(from_block=20)


def test_a_chain_that_became_shorter_than_the_first_block(
    follower: Any, books: Books, traffic: Traffic, node: ScriptedNode
) -> None:
    """SPEC 8.36"""
    traffic.mine(blocks=30, transfers=2)
    mirror = follower(from_block=20)
    mirror.catch_up()
    node.chain.rewind(25)
    with pytest.raises(AnswerInconsistent):
        follower(from_block=20, behind_grace_s=5.0).catch_up()
    mirror = follower(from_block=20)
    mirror.catch_up()
    assert books.transfers() == []
    traffic.mine(blocks=40, transfers=2)
    mirror.catch_up()
    books.check(from_block=20)


def test_a_head_that_goes_back_is_taken_for_a_node_that_lags(
    follower: Any, books: Books, traffic: Traffic, node: ScriptedNode
) -> None:
    """SPEC 8.15"""
    traffic.mine(blocks=20, transfers=2)
    mirror = follower(behind_grace_s=60.0)
    mirror.catch_up()
    node.chain.rewind(3)
    for _ in range(3):
        with pytest.raises(AnswerInconsistent):
            mirror.step()
    assert len(books.transfers()) == 40

    mirror = follower()
    mirror.catch_up()
    books.check()


def test_another_chain_in_the_nodes_place_stops_it(
    follower: Any, books: Books, traffic: Traffic, node: ScriptedNode
) -> None:
    """SPEC 8.7"""
    traffic.mine(blocks=5, transfers=2)
    mirror = follower()
    mirror.catch_up()
    other = Chain(seed=77)
    other.mine(*[[mint(TOKEN, "0x" + "11" * 20, 5)]] * 9)
    node.chain.blocks[:] = other.blocks
    with pytest.raises(ChainReplaced):
        mirror.run(threading.Event(), None)
    assert books.checkpoint()[2] == "stopped"
    assert len(books.transfers()) == 10


def test_a_mistake_of_our_own_stops_it_and_the_checkpoint_says_so(
    running: Any, books: Books, traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SPEC 8.35"""
    traffic.mine(blocks=3, transfers=2)
    one = running()
    until(books.at_head)

    def mistake(*_: Any) -> None:
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr(one.follower, "_forward", mistake)
    traffic.mine(blocks=1, transfers=2)
    until(lambda: bool(one.failures))
    assert isinstance(one.failures.pop(), ZeroDivisionError)
    assert books.checkpoint()[2:] == ("stopped", "ZeroDivisionError: of ours")


def test_readers_never_see_a_branch_half_taken_back(
    running: Any, books: Books, traffic: Traffic, database_url: str
) -> None:
    """SPEC 8.35"""
    traffic.mine(blocks=20, transfers=4)
    running()
    until(books.at_head)
    query = (
        "SELECT (SELECT count(*) FROM erc20_transfers),"
        " (SELECT block_number FROM mirror_checkpoint), (SELECT block_hash FROM mirror_checkpoint)"
    )
    for round_ in range(8):
        left, _ = books.node.chain.head, traffic.reorg(1 + round_ % 5, "others", transfers=4)
        hash, end = left.hash, time.monotonic() + UNTIL_S
        # Without a pause: from before the way back until it is done.
        while hash != books.node.chain.head.hash:
            assert time.monotonic() < end, "it did not follow in time"
            ((rows, number, hash),) = select(database_url, query)
            assert rows == number * 4
            assert hash in (left.hash, books.node.chain.head.hash)


@pytest.mark.parametrize("seed", range(4))
def test_random_walks_of_the_chain(follower: Any, books: Books, traffic: Traffic, seed: int) -> None:
    """SPEC 8.3, 8.35"""
    dice = random.Random(seed)
    print("seed", seed)
    mirror = follower(undo_blocks=64)
    for _ in range(25):
        if dice.random() < 0.5:
            traffic.mine(blocks=dice.randrange(1, 30), transfers=dice.randrange(4))
        else:
            depth = dice.randrange(1, 1 + min(60, traffic.chain.head.number)) if traffic.chain.head.number else 0
            if depth:
                traffic.reorg(depth, dice.choice(REPLACEMENTS), transfers=dice.randrange(1, 4))
        if dice.random() < 0.3:
            mirror = follower(undo_blocks=64)
        if dice.random() < 0.8:
            mirror.catch_up()
            books.check()
    mirror.catch_up()
    books.check()
