"""Breakage of points: exact sums that add up, never more revenue than was deferred."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.reports.breakage import Cohort, expected_breakage, position, roll_forward

SHARES = st.fractions(min_value=0, max_value=1, max_denominator=1_000)
PRICES = st.fractions(min_value=0, max_value=1_000, max_denominator=10_000)


@st.composite
def cohorts(draw: st.DrawFn) -> Cohort:
    entered = draw(st.integers(0, 2**48))
    expires_at = draw(st.one_of(st.none(), st.integers(1, 1_000)))
    renewed = draw(st.integers(0, entered))
    outstanding = draw(st.integers(0, entered))
    return Cohort(
        draw(st.integers(1, 100)),
        expires_at,
        entered,
        outstanding,
        renewed=renewed,
        renewed_of_burnt=draw(st.integers(0, renewed)),
        taken_back=draw(st.integers(0, entered - outstanding)),
    )


def test_a_cohort_never_has_more_outstanding_than_entered() -> None:
    """SPEC 15.5"""
    with pytest.raises(ValueError, match="cannot have 11"):
        Cohort(1, None, 10, 11)


@pytest.mark.parametrize("breakage", [Fraction(-1, 2), Fraction(3, 2)])
def test_breakage_outside_0_to_1_is_refused(breakage: Fraction) -> None:
    """SPEC 15.6"""
    with pytest.raises(ValueError, match="between 0 and 1"):
        position([], at=0, price=Fraction(1), breakage=breakage)


def test_a_negative_price_is_refused() -> None:
    """SPEC 15.6"""
    with pytest.raises(ValueError, match="not negative"):
        position([], at=0, price=Fraction(-1), breakage=Fraction(0))


def test_the_standards_own_example_of_a_loyalty_programme_comes_out() -> None:
    """SPEC 15.6; IFRS 15, Illustrative Example 52: 100,000 points carry 8,676 (8,675.799), 95 % will be used.

    Year 1: 45,000 used, so 4,110 is revenue and 4,566 stays. Year 2: 85,000 used in all of 97,000 expected: 7,603 in
    all, 1,073 stays.
    """
    price = Fraction(9_500, 100_000 + 9_500) * 1_000 * 100 / 1_000  # 8.6758 a point, in money / 100,000 points
    first = position([Cohort(1, None, 100_000, 55_000)], at=0, price=price, breakage=Fraction(5, 100))
    second = position([Cohort(1, None, 100_000, 15_000)], at=0, price=price, breakage=Fraction(3, 100))
    whole = price * 100_000
    assert abs(Fraction(first.used + first.breakage) / whole - Fraction(45_000, 95_000)) < Fraction(1, 10**5)
    assert abs(Fraction(second.used + second.breakage) / whole - Fraction(85_000, 97_000)) < Fraction(1, 10**5)
    scale = Fraction(8_676) / whole
    assert round((first.used + first.breakage) * scale) == 4_110
    assert round(first.liability * scale) == 4_566
    assert round(second.liability * scale) == 1_073
    moved = roll_forward(first, second)
    assert round((moved.used + moved.breakage) * scale) == 3_493


def test_no_breakage_is_recognised_before_expiry_while_none_is_expected() -> None:
    """SPEC 15.7"""
    before = [Cohort(1, 100, 1_000, 400)]
    told = position(before, at=99, price=Fraction(1), breakage=expected_breakage(before, 99))
    assert (told.used, told.breakage, told.liability) == (600, 0, 400)
    told = position(before, at=100, price=Fraction(1), breakage=expected_breakage(before, 100))
    assert (told.used, told.breakage, told.liability) == (600, 400, 0)


@given(st.lists(cohorts(), max_size=8), PRICES, SHARES, st.integers(0, 1_100))
def test_money_deferred_is_used_broken_or_owed_and_none_is_negative(
    found: list[Cohort], price: Fraction, share: Fraction, at: int
) -> None:
    """SPEC 15.6"""
    told = position(found, at=at, price=price, breakage=share)
    assert told.deferred + told.renewed == told.taken_back + told.used + told.breakage + told.liability
    assert min(told.deferred, told.renewed, told.taken_back, told.used, told.breakage) >= 0
    # Two sums are each rounded down, so the rest may be a unit more, never less than nothing.
    assert told.liability >= 0


@given(st.lists(cohorts(), max_size=6), st.lists(cohorts(), max_size=6), PRICES, SHARES, SHARES)
def test_a_roll_forward_adds_up_to_the_unit(
    first: list[Cohort], second: list[Cohort], price: Fraction, share: Fraction, later: Fraction
) -> None:
    """SPEC 15.8"""
    opening = position(first, at=10, price=price, breakage=share)
    closing = position(second, at=500, price=price, breakage=later)
    lines = roll_forward(opening, closing)
    came = lines.opening + lines.deferred + lines.renewed
    assert came - lines.taken_back - lines.used - lines.breakage == lines.closing


@given(st.lists(cohorts(), min_size=1, max_size=8), st.integers(0, 1_100))
def test_the_estimate_is_a_share(found: list[Cohort], at: int) -> None:
    """SPEC 15.7"""
    assert 0 <= expected_breakage(found, at) <= 1


HELD = 900


def carried(times: int) -> list[Cohort]:
    """9.00 points that a hold carried beyond their end, so many times; each time grace gave them new life."""
    lots = [Cohort(1, 100, HELD, HELD)]
    lots += [Cohort(1 + step, 100 + 100 * step, HELD, HELD, renewed=HELD) for step in range(1, times + 1)]
    return lots


@pytest.mark.parametrize("times", [1, 2, 7])
def test_points_that_a_hold_carries_beyond_their_end_are_owed_once_and_break_nothing(times: int) -> None:
    """SPEC 15.6, 15.7: once booked as deferred again each time, until breakage was 100 % and the liability 0."""
    found = carried(times)
    at = 100 + 100 * times - 1

    share = expected_breakage(found, at)
    told = position(found, at=at, price=Fraction(1), breakage=share)

    assert share == 0
    assert (told.deferred, told.renewed, told.used, told.breakage) == (HELD, HELD * times, 0, HELD * times)
    assert told.liability == HELD


def test_points_that_expire_for_good_after_a_renewal_break_once() -> None:
    """SPEC 15.7"""
    found = carried(2)
    assert expected_breakage(found, 300) == 1
    told = position(found, at=300, price=Fraction(1), breakage=Fraction(1))
    assert (told.liability, told.deferred + told.renewed - told.breakage) == (0, 0)


def test_points_used_and_given_back_to_new_life_are_owed_again_and_never_count_as_unused() -> None:
    """SPEC 15.6, 15.7: a refund after the end takes revenue back."""
    used = [Cohort(1, 100, HELD, 0)]
    back = [*used, Cohort(3, 300, HELD, HELD, renewed=HELD, renewed_of_burnt=HELD)]
    for at in (200, 300):
        assert expected_breakage(used, at) == expected_breakage(back, at) == 0
    told = position(back, at=200, price=Fraction(1), breakage=Fraction(0))
    assert (told.deferred, told.used, told.renewed, told.liability) == (HELD, HELD, HELD, HELD)


@given(st.lists(cohorts(), min_size=1, max_size=6), st.integers(0, 2**48), st.booleans(), st.integers(1, 1_100))
def test_a_renewal_never_raises_the_estimate(found: list[Cohort], points: int, of_burnt: bool, at: int) -> None:
    """SPEC 15.7: whatever was renewed, into whichever cohort, and whatever becomes of it."""
    at_once = Cohort(200, at + 1, points, points, renewed=points, renewed_of_burnt=points if of_burnt else 0)
    over = Cohort(200, at, points, points, renewed=points, renewed_of_burnt=points if of_burnt else 0)

    for later in (at_once, over):
        assert expected_breakage([*found, later], at) <= expected_breakage(found, at)


@pytest.mark.parametrize("renewed", [(-1, 0), (11, 0), (5, 6), (5, -1)])
def test_a_cohort_never_has_more_renewed_than_entered(renewed: tuple[int, int]) -> None:
    """SPEC 15.4"""
    with pytest.raises(ValueError, match="renewed"):
        Cohort(1, None, 10, 5, renewed=renewed[0], renewed_of_burnt=renewed[1])


@pytest.mark.parametrize("taken_back", [-1, 6])
def test_a_cohort_never_has_more_taken_back_than_left_it(taken_back: int) -> None:
    """SPEC 15.13"""
    with pytest.raises(ValueError, match="taken back"):
        Cohort(1, None, 10, 5, taken_back=taken_back)


def test_goods_that_came_back_are_no_revenue_and_owe_nothing() -> None:
    """SPEC 15.13: 1,000 awarded, 400 taken back, 150 used: what is owed is the other 450, and 150 is revenue."""
    found = [Cohort(1, 100, 1_000, 450, taken_back=400)]
    told = position(found, at=99, price=Fraction(1), breakage=Fraction(0))
    assert (told.deferred, told.taken_back, told.used, told.breakage, told.liability) == (1_000, 400, 150, 0, 450)
    over = position(found, at=100, price=Fraction(1), breakage=Fraction(0))
    assert (over.used, over.breakage, over.liability) == (150, 450, 0)
    assert expected_breakage(found, 100) == Fraction(450, 600)
    assert expected_breakage([Cohort(1, 100, 1_000, 0, taken_back=1_000)], 100) == 0


@given(st.lists(cohorts(), min_size=1, max_size=6), PRICES, SHARES, st.integers(0, 1_100))
def test_what_was_taken_back_is_as_if_it_had_never_been_awarded(
    found: list[Cohort], price: Fraction, share: Fraction, at: int
) -> None:
    """SPEC 15.13"""
    never = [Cohort(one.expiry_epoch, one.expires_at, one.kept, one.outstanding) for one in found]
    told, other = (position(each, at=at, price=price, breakage=share) for each in (found, never))
    assert (told.used, told.breakage) == (other.used, other.breakage)
    # Sums are rounded down one by one.
    assert abs(told.liability - other.liability) <= 1
