"""The edges of holds in the model: each bound is tried at itself, one below and one above."""

import pytest

from chain.model.call import Call
from chain.model.desk import HoldRequest, HoldState
from chain.model.errors import (
    AuthorisationExpired,
    AuthorisationUsed,
    CaptureExceedsHold,
    CaptureStopped,
    ERC20InsufficientBalance,
    HoldOver,
    HoldStateWrong,
    HoldUnknown,
    HoldUntilWrong,
    PointsMissing,
    RefundExceedsCapture,
    RefundOutOfDate,
    RefundOver,
    RefundWindowWrong,
    Refused,
)
from chain.model.ids import nonce_id
from chain.model.ledger import Ledger
from chain.model.token import Back
from tests.model.test_model_ledger import (
    ANYONE,
    DAY,
    HASH,
    HOUR,
    MEMBER,
    OTHER,
    OWNER,
    STAFF,
    START,
    award,
    hold,
    ledger,
)

__all__ = ["ledger"]  # the fixture

AT = START + 20
NOTHING_BACK = Back(0, 0, 0)


@pytest.fixture
def funded(ledger: Ledger) -> Ledger:
    """The member has 100 points of brand 1."""
    award(ledger, 100, START + 10, 1)
    ledger.facts()
    return ledger


def asked(ledger: Ledger, *, points: int = 40, until: int = AT + 9, nonce: int = 1, deadline: int = AT) -> str:
    request = HoldRequest(MEMBER, 1, points, HASH, until, nonce, deadline)
    return ledger.desk.hold(Call(ANYONE, AT), request, MEMBER)


@pytest.mark.parametrize(
    ("wanted", "kind"),
    [
        ({"deadline": AT - 1}, AuthorisationExpired),
        ({"points": 0}, PointsMissing),
        ({"points": 101}, ERC20InsufficientBalance),
        ({"until": AT}, HoldUntilWrong),
        ({"until": AT + 90 * DAY + 1}, HoldUntilWrong),
    ],
)
def test_a_hold_beyond_a_bound_is_refused(funded: Ledger, wanted: dict[str, int], kind: type[Refused]) -> None:
    """SPEC 3.2"""
    with pytest.raises(kind) as refused:
        asked(funded, **wanted)
    if kind is HoldUntilWrong:
        assert refused.value.values() == (wanted["until"], AT + 1, AT + 90 * DAY)
    assert funded.desk.holds == {}


@pytest.mark.parametrize("wanted", [{"deadline": AT}, {"points": 1}, {"points": 100}, {"until": AT + 1}])
def test_a_hold_at_a_bound_is_placed_and_says_all_of_itself(funded: Ledger, wanted: dict[str, int]) -> None:
    """SPEC 3.2, 3.3"""
    hold_id = asked(funded, **wanted)

    found = funded.desk.hold_of(hold_id)
    points = wanted.get("points", 40)
    assert (found.state, found.points, found.captured, found.refunded) == (HoldState.HELD, points, 0, 0)
    assert (found.lots, found.hold_until, found.refund_until) == ({3: points}, wanted.get("until", AT + 9), 0)
    assert funded.desk.held_of(1, MEMBER) == points
    assert (funded.desk.held_of(2, MEMBER), funded.desk.held_of(1, OTHER)) == (0, 0)
    with pytest.raises(AuthorisationUsed):
        asked(funded)


def test_a_hold_may_last_ninety_days(ledger: Ledger) -> None:
    """SPEC 3.2"""
    award(ledger, 100, START + 10, 1)
    assert ledger.desk.hold_of(asked(ledger, until=AT + 90 * DAY)).hold_until == AT + 90 * DAY


def test_a_cancelled_authorisation_holds_nothing_and_serves_nobody(funded: Ledger) -> None:
    """SPEC 1.20, 3.11"""
    funded.desk.cancel_authorisation(Call(MEMBER, AT), 1)

    found = funded.desk.hold_of(nonce_id(MEMBER, 1))
    assert (found.state, found.brand_id, found.points, found.captured, found.refunded) == (
        HoldState.CANCELLED, 0, 0, 0, 0,
    )  # fmt: skip
    assert (found.hold_until, found.refund_until, found.lots) == (0, 0, {})
    with pytest.raises(AuthorisationUsed):
        asked(funded)
    with pytest.raises(AuthorisationUsed):
        funded.desk.cancel_authorisation(Call(MEMBER, AT), 1)
    with pytest.raises(HoldUnknown):
        funded.desk.hold_of(nonce_id(MEMBER, 2))


def test_a_capture_of_the_whole_gives_nothing_back(funded: Ledger) -> None:
    """SPEC 3.6"""
    hold_id = asked(funded)

    assert funded.desk.capture(Call(STAFF, AT + 9), hold_id, 40) == NOTHING_BACK

    found = funded.desk.hold_of(hold_id)
    assert (found.state, found.captured, found.lots) == (HoldState.CAPTURED, 40, {3: 40})
    assert found.refund_until == AT + 9 + 90 * DAY
    assert funded.facts()[-1].values[-3:] == (0, 0, 0)


@pytest.mark.parametrize(
    ("points", "after_s", "kind"), [(0, 1, PointsMissing), (41, 1, CaptureExceedsHold), (40, 10, HoldOver)]
)
def test_a_capture_beyond_a_bound_is_refused(funded: Ledger, points: int, after_s: int, kind: type[Refused]) -> None:
    """SPEC 3.5"""
    hold_id = asked(funded)
    with pytest.raises(kind):
        funded.desk.capture(Call(STAFF, AT + after_s), hold_id, points)
    assert funded.desk.hold_of(hold_id).state == HoldState.HELD


def test_a_stop_lets_captures_end_a_day_later_to_the_second(funded: Ledger) -> None:
    """SPEC 3.18"""
    first, second = asked(funded, until=AT + 9 * DAY), asked(funded, until=AT + 9 * DAY, nonce=2)
    funded.registry.suspend(Call("0x0b", AT + 1), 1)

    funded.desk.capture(Call(STAFF, AT + DAY), first, 40)
    with pytest.raises(CaptureStopped) as stopped:
        funded.desk.capture(Call(STAFF, AT + 1 + DAY), second, 40)
    assert stopped.value.values() == (second, AT + 1 + DAY)


def test_a_refund_has_its_bounds_at_the_second_and_at_the_point(funded: Ledger) -> None:
    """SPEC 3.8, 3.9, 3.16"""
    hold_id = asked(funded)
    desk, last = funded.desk, AT + 1 + 2 * HOUR
    with pytest.raises(HoldStateWrong):
        desk.refund(Call(STAFF, AT), hold_id, 1, 0)
    funded.desk.announce_refund_window(Call(OWNER, START - 7 * DAY), 1, 2 * HOUR)
    desk.capture(Call(STAFF, AT + 1), hold_id, 30)
    for points, before, kind in ((0, 0, PointsMissing), (31, 0, RefundExceedsCapture), (10, 1, RefundOutOfDate)):
        with pytest.raises(kind):
            desk.refund(Call(STAFF, last), hold_id, points, before)
    with pytest.raises(RefundOver):
        desk.refund(Call(STAFF, last + 1), hold_id, 1, 0)

    assert desk.refund(Call(STAFF, last), hold_id, 10, 0) == Back(10, 0, 0)
    assert desk.refund(Call(STAFF, last), hold_id, 20, 10) == Back(20, 0, 0)
    assert (desk.hold_of(hold_id).refunded, desk.hold_of(hold_id).lots) == (30, {})
    with pytest.raises(RefundExceedsCapture):
        desk.refund(Call(STAFF, last), hold_id, 1, 30)


def test_a_refund_window_waits_a_week_and_has_a_longest(funded: Ledger) -> None:
    """SPEC 3.17"""
    desk = funded.desk
    with pytest.raises(RefundWindowWrong):
        desk.announce_refund_window(Call(OWNER, AT), 1, 366 * DAY + 1)
    assert desk.refund_window_of(1, AT) == 90 * DAY

    in_force_at = desk.announce_refund_window(Call(OWNER, AT), 1, 366 * DAY)

    assert in_force_at == AT + 7 * DAY
    assert (desk.refund_window_of(1, in_force_at - 1), desk.refund_window_of(1, in_force_at)) == (90 * DAY, 366 * DAY)
    assert desk.announce_refund_window(Call(OWNER, in_force_at), 1, 0) == in_force_at + 7 * DAY
    assert desk.refund_window_of(1, in_force_at + 7 * DAY - 1) == 366 * DAY
    assert desk.refund_window_of(1, in_force_at + 7 * DAY) == 0
    assert desk.refund_window_of(2, AT) == 90 * DAY


def test_a_release_of_the_till_is_at_once_and_counts_once(funded: Ledger) -> None:
    """SPEC 3.7"""
    hold_id = hold(funded, 100, AT, until=AT + 9)

    assert funded.desk.release(Call(STAFF, AT), hold_id) == Back(100, 0, 0)

    assert funded.desk.hold_of(hold_id).lots == {}
    assert funded.desk.held_of(1, MEMBER) == 0
    for act in (funded.desk.release, lambda call, id: funded.desk.capture(call, id, 1)):
        with pytest.raises(HoldStateWrong):
            act(Call(STAFF, AT), hold_id)


def test_a_payment_is_captured_in_its_second(funded: Ledger) -> None:
    """SPEC 4.12"""
    funded.desk.pay(Call(ANYONE, AT), HASH, 1, MEMBER, 30, HASH)

    found = funded.desk.hold_of(HASH)
    assert (found.state, found.points, found.captured, found.refunded) == (HoldState.CAPTURED, 30, 30, 0)
    assert (found.hold_until, found.refund_until, found.lots) == (AT, AT + 90 * DAY, {3: 30})
    assert funded.desk.held_of(1, MEMBER) == 0
