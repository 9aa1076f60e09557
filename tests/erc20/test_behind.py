"""A node that shows less than it has shown: what was seen is kept and the state says so, until another branch comes."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import pytest

from chain.base.errors import AnswerInconsistent
from chain.erc20 import follower as follower_module
from chain.erc20.follower import FollowerSettings
from tests.erc20.conftest import TOKEN, Books, select, until
from tests.support.scripted_node import faults
from tests.support.scripted_node.node import ScriptedNode
from tests.support.scripted_node.tokens import Traffic

GRACE_S = 300.0
ROWS = "SELECT * FROM erc20_transfers ORDER BY block_number, log_index"


@dataclass
class Clock:
    """Stands in for the module `time` where the follower asks how late it is."""

    now: float = 1_000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(follower_module, "time", made)
    return made


def test_five_minutes_are_what_is_promised() -> None:
    """SPEC 8.15"""
    assert FollowerSettings("http://127.0.0.1:1", "sqlite:///x", TOKEN, 0).behind_grace_s == GRACE_S


@pytest.mark.parametrize("blocks", [1, 12])
def test_a_node_that_lags_takes_nothing_back_for_as_long_as_is_promised(
    follower: Any, books: Books, traffic: Traffic, node: ScriptedNode, clock: Clock, blocks: int
) -> None:
    """SPEC 8.15: before, a lag of more than two seconds took back rows that were on the chain still."""
    traffic.mine(blocks=20, transfers=2)
    mirror = follower(behind_grace_s=GRACE_S)
    mirror.catch_up()
    rows, head = books.transfers(), node.chain.head
    left = node.chain.rewind(blocks).removed
    for second in (0.0, 2.5, 10.0, 299.0):
        clock.now = 1_000.0 + second
        with pytest.raises(AnswerInconsistent, match=f"up to block {head.number} is kept"):
            mirror.step()
        assert (books.transfers(), books.checkpoint()[:2]) == (rows, (head.number, head.hash))
    # Its peers had it all the while: it comes again, and nothing was moved.
    node.chain.restore(left)
    assert not mirror.step()
    books.check()

    # The time counts from when it fell behind, not from the first time that it ever did.
    node.chain.rewind(blocks)
    with pytest.raises(AnswerInconsistent):
        mirror.step()
    clock.now += GRACE_S
    mirror.catch_up()
    books.check()


def test_the_state_says_so_while_it_lasts(
    running: Any, books: Books, traffic: Traffic, node: ScriptedNode, database_url: str, caplog: Any
) -> None:
    """SPEC 8.15, 8.35"""
    caplog.set_level(logging.INFO)
    traffic.mine(blocks=20, transfers=2)
    running(behind_grace_s=GRACE_S)
    until(lambda: books.at_head() and books.checkpoint()[2] == "live")
    rows = select(database_url, ROWS)
    left = node.chain.rewind(3).removed
    until(lambda: books.checkpoint()[2] == "waiting")
    reason = books.checkpoint()[3] or ""
    assert "went back to block 17" in reason
    assert "up to block 20 is kept until it shows another branch, or for 300 s" in reason
    node.chain.restore(left)
    until(lambda: books.checkpoint()[2:] == ("live", None))
    books.check()
    assert select(database_url, ROWS) == rows
    assert "taken back" not in caplog.text


@pytest.mark.parametrize("blocks", [1, 2, 5])
def test_another_branch_is_followed_at_once_however_short_it_is(
    follower: Any, books: Books, traffic: Traffic, node: ScriptedNode, blocks: int
) -> None:
    """SPEC 8.15"""
    traffic.mine(blocks=20, transfers=2)
    mirror = follower(behind_grace_s=GRACE_S)
    mirror.catch_up()
    node.chain.rewind(5)
    with pytest.raises(AnswerInconsistent):
        mirror.step()
    traffic.mine(blocks=blocks, transfers=1)
    mirror.catch_up()
    books.check()


def test_one_of_several_nodes_that_lags_costs_nothing_but_questions(
    follower: Any, books: Books, traffic: Traffic, node: ScriptedNode
) -> None:
    """SPEC 8.15: every second answer is of a node three blocks behind."""
    traffic.mine(blocks=20, transfers=2)
    mirror = follower(behind_grace_s=GRACE_S)
    mirror.catch_up()
    turns = iter(range(1_000_000))
    lag = node.faults.add(faults.behind(3), when=lambda request, methods: next(turns) % 2 == 0)
    for _ in range(12):
        numbers = {row[0] for row in books.transfers()}
        assert numbers == set(range(1, books.checkpoint()[0] + 1))
        traffic.mine(blocks=1, transfers=2)
        for _ in range(4):
            try:
                mirror.step()
            except AnswerInconsistent:
                continue
    lag.clear()
    mirror.catch_up()
    books.check()
    assert lag.hits > 20


def test_a_node_that_is_away_for_long_is_in_the_state_too(
    running: Any, books: Books, traffic: Traffic, node: ScriptedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SPEC 8.35"""
    monkeypatch.setattr(follower_module, "SHOWN_AFTER_S", 0.0)
    traffic.mine(blocks=5, transfers=2)
    running()
    until(lambda: books.at_head() and books.checkpoint()[2] == "live")
    with node.faults.add(faults.bad_gateway()) as outage:
        until(lambda: books.checkpoint()[2] == "waiting")
        assert "127.0.0.1" in (books.checkpoint()[3] or "")
        assert outage.hits
    until(lambda: books.checkpoint()[2:] == ("live", None))
    books.check()
