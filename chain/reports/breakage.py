"""Contract liability and breakage of loyalty points, exact.

IFRS 15 paragraphs B39-B43: an award is an option that carries part of the price of the purchase, deferred until the
points are used or expire. Paragraphs B44-B47: the part of it that is expected never to be used (breakage) is revenue
in proportion to the pattern of use; where no breakage is expected, only when use has become impossible, here: when
the points expire. A change of the estimate is caught up at once.

All is computed of cohorts: the points of one token that expire together. No rounding happens before the end, where
each cumulative sum is rounded down to whole minor units, so that lines of a period are differences of sums and add up.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

NOTHING: Final = Fraction(0)


@dataclass(frozen=True, slots=True)
class Cohort:
    """Points that expire together, as of one block, in base units.

    entered: all that ever came to be in it (awarded, received in exchange, renewed by grace). outstanding: what of it
    lives, or lived at the second before it expired. expires_at: unix seconds, None: never.
    """

    expiry_epoch: int
    expires_at: int | None
    entered: int
    outstanding: int

    def __post_init__(self) -> None:
        if not 0 <= self.outstanding <= self.entered:
            raise ValueError(f"A cohort of {self.entered} points cannot have {self.outstanding} outstanding.")

    @property
    def used(self) -> int:
        """Redeemed or exchanged away, less what was given back."""
        return self.entered - self.outstanding

    def over(self, at: int) -> bool:
        """Whether its points have expired at second `at`."""
        return self.expires_at is not None and at >= self.expires_at


@dataclass(frozen=True, slots=True)
class Position:
    """Cumulative sums since the token's first point, in minor units of the currency.

    deferred = used + breakage + liability, to the unit.
    """

    deferred: int
    used: int
    breakage: int

    @property
    def liability(self) -> int:
        """What is still owed in points, measured at their price and less the breakage recognised."""
        return self.deferred - self.used - self.breakage


@dataclass(frozen=True, slots=True)
class RollForward:
    """From one balance sheet date to the next: opening + deferred - used - breakage = closing, to the unit."""

    opening: int
    deferred: int
    used: int
    breakage: int
    closing: int


def expected_breakage(cohorts: Iterable[Cohort], at: int) -> Fraction:
    """The share of points of finished cohorts that expired unused; 0 while none has finished (B46, second sentence)."""
    finished = [cohort for cohort in cohorts if cohort.over(at)]
    entered = sum(cohort.entered for cohort in finished)
    return Fraction(sum(cohort.outstanding for cohort in finished), entered) if entered else NOTHING


def position(cohorts: Sequence[Cohort], *, at: int, price: Fraction, breakage: Fraction) -> Position:
    """The sums at second `at`, the price being minor units of money for a base unit of points.

    Raises ValueError for a negative price or an expected breakage outside 0..1.
    """
    if price < 0:
        raise ValueError(f"A price is not negative: {price}.")
    if not 0 <= breakage <= 1:
        raise ValueError(f"Breakage is a share between 0 and 1, not {breakage}.")
    deferred = used = recognised = NOTHING
    for cohort in cohorts:
        deferred += cohort.entered * price
        used += cohort.used * price
        recognised += _recognised(cohort, at, breakage) * price
    return Position(int(deferred), int(used), int(recognised))


def _recognised(cohort: Cohort, at: int, breakage: Fraction) -> Fraction:
    """Points of a cohort whose breakage is revenue by now: all that expired, or a part as the pattern of use."""
    if cohort.over(at):
        return Fraction(cohort.outstanding)
    expected_use = max(Fraction(cohort.used), cohort.entered * (1 - breakage))
    if not expected_use:
        # Nothing is expected to be used, so nothing is owed that anyone will ask for.
        return Fraction(cohort.outstanding)
    return cohort.entered * cohort.used / expected_use - cohort.used


def roll_forward(opening: Position, closing: Position) -> RollForward:
    """The lines between two dates. A line is negative where a later fact took an earlier one back."""
    return RollForward(
        opening=opening.liability,
        deferred=closing.deferred - opening.deferred,
        used=closing.used - opening.used,
        breakage=closing.breakage - opening.breakage,
        closing=closing.liability,
    )
