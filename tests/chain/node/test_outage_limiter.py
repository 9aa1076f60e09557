"""The ration of a node that is away, by a clock of the test's own."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from chain.base.errors import NodeAway
from chain.node import outage_limiter
from chain.node.outage_limiter import OUTAGE_BURST, OUTAGE_REQUESTS_PER_S, RETRY_AFTER_MAX_S, OutageLimiter


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        monkeypatch.setattr(outage_limiter, "time", SimpleNamespace(monotonic=lambda: self.now, sleep=self.sleep))

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def taken(node: OutageLimiter) -> int:
    """How many requests go at once; the one after them is not waited for."""
    for count in range(1_000):
        try:
            node.turn(wait_max_s=0.0)
        except NodeAway:
            return count
    raise AssertionError("nobody waits")


def test_the_numbers_are_those_of_the_specification() -> None:
    """SPEC 8.32"""
    assert (OUTAGE_BURST, OUTAGE_REQUESTS_PER_S, RETRY_AFTER_MAX_S) == (6, 2, 60)


def test_nobody_waits_while_the_node_answers(clock: Clock) -> None:
    """SPEC 8.32"""
    node = OutageLimiter("node")
    for _ in range(500):
        node.turn(wait_max_s=0.0)
        node.answered()
    assert clock.now == 1_000.0


def test_from_its_first_failure_a_node_gets_six_at_once_and_two_a_second_after_them(clock: Clock) -> None:
    """SPEC 8.32"""
    node = OutageLimiter("node")
    node.failed()
    assert taken(node) == 6
    for _ in range(20):
        node.failed()
    clock.now += 0.49
    assert taken(node) == 0, "more failures give no more"
    clock.now += 0.02
    assert taken(node) == 1
    clock.now += 2.0
    assert taken(node) == 4
    clock.now += 3_600.0
    assert taken(node) == 6, "an hour's quiet is worth no more than the six"


def test_an_hour_of_many_impatient_loops_is_rationed(clock: Clock) -> None:
    """SPEC 8.32"""
    node = OutageLimiter("node")
    node.failed()
    went = 0
    began = clock.now
    while clock.now < began + 3_600:
        went += taken(node)
        node.failed()
        clock.now += 0.3
    assert 2 * 3_600 - 10 <= went <= 6 + 2 * 3_600 + 1


def test_who_would_wait_too_long_is_told_without_a_request_and_who_may_waits(clock: Clock) -> None:
    """SPEC 8.32"""
    node = OutageLimiter("node")
    node.failed()
    assert taken(node) == 6

    with pytest.raises(NodeAway):
        node.turn(wait_max_s=0.4)
    assert clock.now == 1_000.0
    node.turn(wait_max_s=0.6)
    assert clock.now == pytest.approx(1_000.5)


def test_an_answer_ends_the_ration_at_once(clock: Clock) -> None:
    """SPEC 8.32"""
    node = OutageLimiter("node")
    node.failed()
    assert taken(node) == 6
    node.answered()

    for _ in range(100):
        node.turn(wait_max_s=0.0)
    node.failed()
    assert taken(node) == 1, "a node that answers once and fails again is not asked six times anew"


@pytest.mark.parametrize(("told", "closed_s"), [(5.0, 5.0), (60.0, 60.0), (61.0, 60.0), (1e9, 60.0)])
def test_before_the_time_that_it_named_a_node_gets_nothing(clock: Clock, told: float, closed_s: float) -> None:
    """SPEC 8.32"""
    node = OutageLimiter("node")
    node.failed(told)
    clock.now += closed_s - 0.001
    assert taken(node) == 0
    clock.now += 0.002
    assert taken(node) == 6


@pytest.mark.parametrize("told", [0.0, -5.0])
def test_a_time_that_is_over_closes_nothing(clock: Clock, told: float) -> None:
    """SPEC 8.32"""
    node = OutageLimiter("node")
    node.failed(told)
    assert taken(node) == 6


def test_all_who_ask_one_node_share_its_ration() -> None:
    """SPEC 8.32"""
    one, again, other = (
        outage_limiter.limiter_of("here:1"),
        outage_limiter.limiter_of("here:1"),
        outage_limiter.limiter_of("here:2"),
    )
    assert one is again
    assert one is not other


def test_a_node_of_our_own_is_not_rationed(clock: Clock) -> None:
    """SPEC 8.32"""
    node = OutageLimiter("node", rationed=False)
    node.failed(60.0)
    for _ in range(100):
        node.turn(wait_max_s=0.0)
    assert clock.now == 1_000.0
