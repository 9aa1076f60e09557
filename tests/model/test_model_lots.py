"""Lots and the calendar of the model, for all values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.model import lots as lot
from chain.model.clock import FOREVER, Clock
from chain.model.errors import EpochOutOfRange

DAY = 86_400
CLOCK = Clock(origin=1_000_000, epoch_s=DAY, lifetime_epochs=15, grace_s=3 * DAY)
epochs = st.integers(0, 300_000)


@st.composite
def windows(draw: st.DrawFn) -> tuple[int, lot.Lots]:
    """An epoch and live lots in it."""
    epoch = draw(epochs)
    ages = draw(st.dictionaries(st.integers(1, 16), st.integers(1, lot.LOT_POINTS_MAX), max_size=16))
    return epoch, {epoch + age: points for age, points in sorted(ages.items())}


@given(windows())
def test_four_words_hold_sixteen_lots_and_give_them_back(window: tuple[int, lot.Lots]) -> None:
    """SPEC 1.7"""
    _, lots = window

    assert lot.unpacked(lot.packed(lots)) == lots


@given(windows(), st.data())
def test_oldest_and_newest_take_from_their_ends_and_leave_the_rest(
    window: tuple[int, lot.Lots], data: st.DataObject
) -> None:
    """SPEC 1.8, 3.10"""
    _, lots = window
    points = data.draw(st.integers(0, lot.total(lots)))

    first, rest = lot.oldest(lots, points), lot.newest(lots, lot.total(lots) - points)

    assert lot.total(first) == points
    assert lot.plus(first, rest) == lots
    assert not first or not rest or max(first) <= min(rest)
    assert lot.minus(lots, first) == rest


@given(st.integers(0, 10**9))
def test_a_lot_lives_at_least_its_lifetime_and_less_than_an_epoch_longer(later: int) -> None:
    """SPEC 1.4, 1.5"""
    at = CLOCK.origin + later

    gone_at = CLOCK.expires_at(CLOCK.expiry_of_mint(at))

    assert 15 * DAY < gone_at - at <= 16 * DAY
    assert CLOCK.epoch(gone_at - 1) < CLOCK.expiry_of_mint(at) == CLOCK.epoch(gone_at)


@given(st.integers(0, 10**9), st.integers(1, 10**4))
def test_a_lot_is_in_time_until_its_end_and_the_grace_to_the_second(later: int, expiry: int) -> None:
    """SPEC 3.5"""
    at = CLOCK.origin + later

    assert (expiry > CLOCK.too_late(at)) == (at < CLOCK.expires_at(expiry) + CLOCK.grace_s)


def test_a_standing_clock_never_moves() -> None:
    """SPEC 1.3, 1.5"""
    clock = Clock(origin=5, epoch_s=DAY, lifetime_epochs=0, grace_s=0)

    assert clock.epoch(10**12) == 0
    assert clock.expiry_of_mint(10**12) == 1
    assert clock.expires_at(1) == FOREVER


def test_a_clock_that_has_run_out_refuses() -> None:
    """SPEC 1.10"""
    CLOCK.check(327_679)
    with pytest.raises(EpochOutOfRange):
        CLOCK.check(327_680)


@given(windows(), st.integers(0, 300_020), st.integers(0, DAY - 1))
def test_an_epoch_names_the_points_that_end_with_those_minted_in_it(
    window: tuple[int, lot.Lots], epoch: int, second: int
) -> None:
    """SPEC 1.27"""
    now, lots = window
    at = CLOCK.origin + now * DAY + second
    minted_at = CLOCK.origin + epoch * DAY + second

    assert CLOCK.expiry_of_mint(minted_at) == epoch + CLOCK.validity
    assert CLOCK.is_expired(epoch, at) == (CLOCK.expires_at(epoch + CLOCK.validity) <= at)
    assert not CLOCK.is_expired(epoch, minted_at + CLOCK.epoch_length * (CLOCK.validity - 1))
    assert CLOCK.is_expired(epoch, minted_at + CLOCK.epoch_length * CLOCK.validity)
    valid = range(now + 1 - CLOCK.validity, now + 1)
    assert sum(lots.get(each + CLOCK.validity, 0) for each in valid) == lot.total(lots)


def test_the_epoch_of_points_without_end_does_not_end() -> None:
    """SPEC 1.27"""
    clock = Clock(origin=1_000_000, epoch_s=DAY, lifetime_epochs=0, grace_s=0)

    assert (clock.epoch_length, clock.validity) == (FOREVER, 1)
    assert not clock.is_expired(0, 10**12)
