"""The circuit breaker by itself, on a clock of its own."""

from chain.relayer import circuit_breaker
from chain.relayer.circuit_breaker import CLOSED, HALF_OPEN, NODE, OPEN, REFUSED, CircuitBreaker
from chain.relayer.settings import RelayerSettings


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def made(clock: Clock) -> CircuitBreaker:
    settings = RelayerSettings(breaker_failures_max=3, breaker_pause_s=2.0, breaker_pause_s_max=5.0)
    return CircuitBreaker(settings, clock)


def test_it_opens_only_after_failures_of_one_cause_in_a_row():
    """SPEC 7.21"""
    one = made(Clock())
    for cause in (NODE, REFUSED, NODE, REFUSED):
        one.failed(cause, "no")
    assert one.state == CLOSED
    one.succeeded(NODE)
    one.failed(NODE, "no")
    assert one.state == CLOSED
    one.failed(REFUSED, "the words of the node")
    assert one.state == OPEN
    assert "refused our transactions 3 times in a row, last: the words of the node" in one.why


def test_after_the_pause_it_is_half_open_and_closes_when_what_failed_works_again():
    """SPEC 7.21"""
    clock = Clock()
    one = made(clock)
    for _ in range(3):
        one.failed(NODE, "away")
    assert (one.state, one.wait_s) == (OPEN, 2.0)
    one.succeeded(REFUSED)
    assert one.state == OPEN
    clock.now += 2.0
    assert (one.state, one.wait_s) == (HALF_OPEN, 0.0)
    one.succeeded(NODE)
    assert (one.state, one.why) == (CLOSED, "")


def test_a_probe_that_fails_doubles_the_pause_up_to_its_bound():
    """SPEC 7.21"""
    clock = Clock()
    one = made(clock)
    for _ in range(3):
        one.failed(NODE, "away")
    pauses = []
    for _ in range(3):
        clock.now += one.wait_s
        one.failed(NODE, "still away")
        pauses.append(one.wait_s)
    assert pauses == [4.0, 5.0, 5.0]
    clock.now += 5.0
    one.succeeded(NODE)
    for _ in range(3):
        one.failed(NODE, "away")
    assert one.wait_s == 2.0


def test_every_cause_has_words():
    """SPEC 7.21"""
    assert set(circuit_breaker.CAUSES) == {NODE, REFUSED, circuit_breaker.REVERTED}
