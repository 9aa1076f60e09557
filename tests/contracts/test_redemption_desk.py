"""RedemptionDesk: holds, and how they end."""

import pytest

from tests.contracts.world import (
    CANCELLED,
    CAPTURED,
    DAY,
    FOREVER,
    HELD,
    OWNER,
    RELEASED,
    TILL,
    at,
    award,
    hold,
    hold_request,
    invite,
    later,
    now,
    publish,
    refused,
    sign,
)


def lots(token, account) -> dict[int, int]:
    return {lot[0]: lot[2] for lot in token.lotsOf(account)}


@pytest.fixture
def older(world, member):
    """The member has 100 points of one day and 50 of the next; gives the older lot's expiry epoch."""
    token = world.cafe.token
    at(token.origin() + ((now() - token.origin()) // DAY + 1) * DAY)
    award(world, world.cafe, member, 100)
    later(DAY)
    award(world, world.cafe, member, 50)
    return min(lots(token, member.address))


def promise(world, hold_id) -> tuple[int, int, int, int]:
    """State, points, captured, refunded."""
    _, _, state, points, captured, refunded, *_ = world.desk.holdOf(hold_id)
    return state, points, captured, refunded


# Placing


def test_a_hold_needs_the_members_own_word(world, member, other, third_party, older):
    """SPEC 3.1, 3.2, 6.11"""
    request = hold_request(world.cafe, member, 10)
    dearer = hold_request(world.cafe, member, 11)
    for signature in (
        sign(other, world.desk, "Hold", *request),
        sign(member, world.desk, "Hold", *dearer),
        sign(member, world.exchange, "Hold", *request),
        b"",
    ):
        with refused("SignatureInvalid", member):
            world.desk.hold.call(request, signature, {"from": third_party})
    for till in (world.cafe.till, world.operator):
        with refused("SignatureInvalid", member):
            world.desk.hold.call(request, b"", {"from": till})


def test_a_hold_has_bounds(world, member, third_party, older):
    """SPEC 3.2"""
    for refusal, values, request in (
        ("AuthorisationExpired", (), hold_request(world.cafe, member, 10, deadline=now() - 1)),
        ("PointsMissing", (), hold_request(world.cafe, member, 0)),
        ("HoldUntilWrong", (now(), now() + 1, now() + 90 * DAY), hold_request(world.cafe, member, 10, until=now())),
        ("HoldUntilWrong", (), hold_request(world.cafe, member, 10, until=now() + 90 * DAY + 1)),
        ("ERC20InsufficientBalance", (member, 150, 151), hold_request(world.cafe, member, 151)),
    ):
        with refused(refusal, *values):
            world.desk.hold.call(request, sign(member, world.desk, "Hold", *request), {"from": third_party})
    unknown = (member.address, 77, 10, b"\7" * 32, now() + 5, 1, FOREVER)
    with refused("BrandUnknown", 77):
        world.desk.hold.call(unknown, sign(member, world.desk, "Hold", *unknown), {"from": third_party})


def test_an_authorisation_counts_once(world, member, third_party, older):
    """SPEC 1.19"""
    hold(world, world.cafe, member, 10, nonce=5)
    request = hold_request(world.cafe, member, 10, nonce=5)
    with refused("AuthorisationUsed", member, 5):
        world.desk.hold.call(request, sign(member, world.desk, "Hold", *request), {"from": third_party})
    assert world.desk.isNonceUsed(member.address, 5)


def test_a_cancelled_authorisation_is_void(world, third_party, older):
    """SPEC 1.20, 3.11"""
    award(world, world.cafe, third_party, 100)
    world.desk.cancelAuthorisation(3, {"from": third_party})

    hold_id = world.desk.holdIdOf(third_party, 3)
    with refused("AuthorisationUsed", third_party, 3):
        world.desk.hold.call(hold_request(world.cafe, third_party, 10, nonce=3), b"", {"from": third_party})
    with refused("HoldStateWrong", hold_id, CANCELLED):
        world.desk.release.call(hold_id, {"from": third_party})
    with refused("RoleMissing"):
        world.desk.capture.call(hold_id, 1, {"from": third_party})


def test_held_points_are_shown_apart_and_cannot_be_spent_twice(world, member, third_party, older):
    """SPEC 3.3, 3.4, 3.12"""
    token = world.cafe.token
    hold(world, world.cafe, member, 120)

    assert token.balanceOf(member.address) == 30
    assert world.desk.heldOf(world.cafe.id, member.address) == 120
    assert token.totalSupply() == 150
    assert lots(token, world.desk.address) == {older: 100, older + 1: 20}
    request = hold_request(world.cafe, member, 31, nonce=2)
    with refused("ERC20InsufficientBalance", member, 30, 31):
        world.desk.hold.call(request, sign(member, world.desk, "Hold", *request), {"from": third_party})


def test_a_member_with_ether_holds_without_a_signature(world, third_party):
    """SPEC 1.19"""
    award(world, world.cafe, third_party, 100)
    request = hold_request(world.cafe, third_party, 40)
    world.desk.hold(request, b"", {"from": third_party})

    assert world.cafe.token.balanceOf(third_party) == 60


# Capturing


def test_only_the_till_captures_and_refunds(world, member, third_party, older):
    """SPEC 3.5, 3.8"""
    hold_id = hold(world, world.cafe, member, 10)
    for caller in (third_party, world.shop.till, world.operator):
        with refused("RoleMissing", caller, world.cafe.role(TILL)):
            world.desk.capture.call(hold_id, 1, {"from": caller})
        with refused("RoleMissing", caller, world.cafe.role(TILL)):
            world.desk.refund.call(hold_id, 1, 0, {"from": caller})
    with refused("HoldUnknown"):
        world.desk.capture.call(b"\1" * 32, 1, {"from": world.cafe.till})


def test_a_capture_is_at_most_the_hold_and_happens_once(world, member, older):
    """SPEC 3.5, 3.6"""
    till = {"from": world.cafe.till}
    hold_id = hold(world, world.cafe, member, 10)
    with refused("CaptureExceedsHold", 11, 10):
        world.desk.capture.call(hold_id, 11, till)
    with refused("PointsMissing"):
        world.desk.capture.call(hold_id, 0, till)

    world.desk.capture(hold_id, 10, till)

    assert promise(world, hold_id) == (CAPTURED, 10, 10, 0)
    with refused("HoldStateWrong", hold_id, CAPTURED):
        world.desk.capture.call(hold_id, 1, till)
    with refused("HoldStateWrong", hold_id, CAPTURED):
        world.desk.release.call(hold_id, till)


def test_a_part_is_captured_oldest_first_and_the_rest_comes_back(world, member, older):
    """SPEC 3.6, 3.13"""
    token = world.cafe.token
    hold_id = hold(world, world.cafe, member, 130)

    tx = world.desk.capture(hold_id, 110, {"from": world.cafe.till})

    assert lots(token, member.address) == {older + 1: 40}
    assert token.totalSupply() == 40
    assert token.balanceOf(world.desk) == world.desk.heldOf(world.cafe.id, member.address) == 0
    event = tx.events["HoldCaptured"]
    assert (event["captured"], event["returned"], event["renewed"], event["lapsed"]) == (110, 20, 0, 0)
    assert [event["value"] for event in tx.events["Transfer"]] == [110, 20]


def test_a_capture_counts_until_the_last_second_and_no_longer(world, member, older):
    """SPEC 3.5"""
    until = now() + 500
    hold_id = hold(world, world.cafe, member, 10, until=until)
    till = {"from": world.cafe.till}
    at(until)
    world.desk.capture.call(hold_id, 10, till)
    later(1)
    with refused("HoldOver", hold_id, until):
        world.desk.capture.call(hold_id, 10, till)


def test_points_that_expire_in_a_hold_are_captured_all_the_same(world, member, older):
    """SPEC 3.4, 3.6"""
    token = world.cafe.token
    hold_id = hold(world, world.cafe, member, 120, until=now() + 30 * DAY)
    at(token.expiresAt(older))
    assert token.balanceOf(world.desk) == 20
    assert token.totalSupply() == 50
    assert world.desk.heldOf(world.cafe.id, member.address) == 120

    tx = world.desk.capture(hold_id, 120, {"from": world.cafe.till})

    assert [event["value"] for event in tx.events["Transfer"]] == [20]
    assert tx.events["HoldCaptured"]["captured"] == 120
    assert token.totalSupply() == token.balanceOf(member.address) == 30


# Releasing


def test_before_the_deadline_only_the_till_releases(world, member, third_party, older):
    """SPEC 3.7"""
    until = now() + 500
    hold_id = hold(world, world.cafe, member, 120, until=until)
    at(until)
    with refused("HoldRunning", hold_id, until):
        world.desk.release.call(hold_id, {"from": third_party})

    tx = world.desk.release(hold_id, {"from": world.cafe.till})

    assert not tx.events["HoldReleased"]["timedOut"] or tx.timestamp > until
    assert lots(world.cafe.token, member.address) == {older: 100, older + 1: 50}


def test_after_the_deadline_anyone_releases_and_the_same_lots_come_back(world, member, third_party, older):
    """SPEC 3.7, 3.13, 6.2"""
    until = now() + 500
    hold_id = hold(world, world.cafe, member, 120, until=until)
    world.registry.stopAll({"from": world.moa_guardian})
    at(until + 1)

    tx = world.desk.release(hold_id, {"from": third_party})

    assert tx.events["HoldReleased"]["timedOut"]
    assert lots(world.cafe.token, member.address) == {older: 100, older + 1: 50}
    assert world.desk.heldOf(world.cafe.id, member.address) == 0
    assert promise(world, hold_id) == (RELEASED, 120, 0, 0)
    with refused("HoldStateWrong", hold_id, RELEASED):
        world.desk.release.call(hold_id, {"from": third_party})


def test_what_expired_in_a_hold_stays_gone_when_it_is_released(world, member, third_party, older):
    """SPEC 3.13, 3.15: the cafe's grace of two days is for its till's acts alone"""
    token = world.cafe.token
    hold_id = hold(world, world.cafe, member, 120, until=now() + HOLD)
    at(token.expiresAt(older) + HOLD)

    tx = world.desk.release(hold_id, {"from": third_party})

    event = tx.events["HoldReleased"]
    live = 20 if tx.timestamp < token.expiresAt(older + 1) else 0
    assert (event["returned"], event["renewed"], event["lapsed"]) == (live, 0, 120 - live)
    assert token.totalSupply() == token.balanceOf(member.address)


HOLD = 12 * 3_600


def test_a_capture_is_too_late_when_a_lots_end_and_grace_have_passed(world, member, older):
    """SPEC 3.5, 3.6"""
    till = {"from": world.cafe.till}
    hold_id = hold(world, world.cafe, member, 120, until=now() + 30 * DAY)
    at(world.cafe.token.expiresAt(older) + 2 * DAY)
    with refused("CaptureTooLate", hold_id, 21, 20):
        world.desk.capture.call(hold_id, 21, till)

    event = world.desk.capture(hold_id, 20, till).events["HoldCaptured"]

    assert (event["captured"], event["returned"], event["renewed"], event["lapsed"]) == (20, 0, 0, 100)


def test_without_grace_expired_points_stay_gone(world, member, third_party):
    """SPEC 3.13"""
    strict = invite(world, "Strict", "STR", world.accounts[4], lifetime=1, grace=0)
    strict.rule = publish(world, strict)
    award(world, strict, member, 100)
    hold_id = hold(world, strict, member, 60, until=now() + DAY)
    later(5 * DAY)

    event = world.desk.release(hold_id, {"from": third_party}).events["HoldReleased"]

    assert (event["returned"], event["renewed"], event["lapsed"]) == (0, 0, 60)
    assert strict.token.totalSupply() == strict.token.balanceOf(member.address) == 0


# Refunding


def test_refunds_are_together_at_most_what_was_captured(world, member, older):
    """SPEC 3.8, 3.9"""
    till = {"from": world.cafe.till}
    hold_id = hold(world, world.cafe, member, 120)
    with refused("HoldStateWrong", hold_id, HELD):
        world.desk.refund.call(hold_id, 1, 0, till)
    world.desk.capture(hold_id, 110, till)
    with refused("RefundExceedsCapture", 111, 110):
        world.desk.refund.call(hold_id, 111, 0, till)
    with refused("PointsMissing"):
        world.desk.refund.call(hold_id, 0, 0, till)

    world.desk.refund(hold_id, 60, 0, till)

    with refused("RefundOutOfDate", 0, 60):
        world.desk.refund.call(hold_id, 50, 0, till)
    with refused("RefundExceedsCapture", 51, 50):
        world.desk.refund.call(hold_id, 51, 60, till)
    world.desk.refund(hold_id, 50, 60, till)
    with refused("RefundExceedsCapture", 1, 0):
        world.desk.refund.call(hold_id, 1, 110, till)
    assert promise(world, hold_id) == (CAPTURED, 120, 110, 110)
    assert world.cafe.token.balanceOf(member.address) == world.cafe.token.totalSupply() == 150


def test_a_refund_gives_the_newest_captured_lots_back_first(world, member, older):
    """SPEC 3.10"""
    token, till = world.cafe.token, {"from": world.cafe.till}
    hold_id = hold(world, world.cafe, member, 140)
    world.desk.capture(hold_id, 140, till)

    world.desk.refund(hold_id, 50, 0, till)
    assert lots(token, member.address) == {older: 10, older + 1: 50}

    world.desk.refund(hold_id, 90, 50, till)
    assert lots(token, member.address) == {older: 100, older + 1: 50}


def test_a_late_refund_follows_the_grace(world, member, older):
    """SPEC 3.14: the cafe's grace is two days, of which the lot lives no second longer"""
    token, till = world.cafe.token, {"from": world.cafe.till}
    hold_id = hold(world, world.cafe, member, 120)
    world.desk.capture(hold_id, 120, till)
    at(token.expiresAt(older) + 60)

    tx = world.desk.refund(hold_id, 120, 0, till)

    event = tx.events["HoldRefunded"]
    assert (event["returned"], event["renewed"], event["lapsed"]) == (20, 100, 0)
    assert [event["value"] for event in tx.events["Transfer"]] == [120]
    assert token.balanceOf(member.address) == token.totalSupply() == 150
    assert lots(token, member.address) == {older + 1: 50, older + 2: 100}


def test_a_refund_comes_within_its_captures_window(world, member, third_party, older):
    """SPEC 3.16, 3.17"""
    till = {"from": world.cafe.till}
    with refused("RoleMissing", third_party, world.cafe.role(OWNER)):
        world.desk.announceRefundWindow.call(world.cafe.id, 5, {"from": third_party})
    with refused("RefundWindowWrong", 366 * DAY + 1, 366 * DAY):
        world.desk.announceRefundWindow.call(world.cafe.id, 366 * DAY + 1, {"from": world.cafe.owner})
    hold_id = hold(world, world.cafe, member, 120)
    tx = world.desk.capture(hold_id, 120, till)
    until = tx.timestamp + 90 * DAY
    assert world.desk.holdOf(hold_id)[7] == until
    at(until + 1)
    with refused("RefundOver", hold_id, until):
        world.desk.refund.call(hold_id, 1, 0, till)


def test_a_stopped_brands_till_captures_for_a_day_and_refunds_nothing(world, member, older):
    """SPEC 3.18, 6.2"""
    till = {"from": world.cafe.till}
    first, second = hold(world, world.cafe, member, 100), hold(world, world.cafe, member, 20, nonce=2)
    world.registry.suspend(world.cafe.id, {"from": world.operator})
    since = now()
    world.registry.stopAll({"from": world.moa_guardian})
    world.desk.capture(first, 70, till)
    with refused("BrandNotIssuing"):
        world.desk.refund.call(first, 30, 0, till)
    at(since + DAY)
    with refused("CaptureStopped", second, since + DAY):
        world.desk.capture.call(second, 1, till)
    world.desk.release(second, till)

    assert world.cafe.token.balanceOf(member.address) == 80


def test_only_the_exchange_pays(world, member, third_party):
    """SPEC 1.23, 4.12, 6.11"""
    with refused("ExchangeOnly", third_party):
        world.desk.pay.call(b"\1" * 32, world.cafe.id, member.address, 1, b"\0" * 32, {"from": third_party})
