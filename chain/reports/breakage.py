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
    renewed: of what entered, points of earlier cohorts that grace gave new life. renewed_of_burnt: of these, points
    that had been used and were given back; the others had expired while a hold kept them.
    taken_back: burnt for goods that came back, or for the debt that an earlier return left; never used.
    """

    expiry_epoch: int
    expires_at: int | None
    entered: int
    outstanding: int
    renewed: int = 0
    renewed_of_burnt: int = 0
    taken_back: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.outstanding <= self.entered:
            raise ValueError(f"A cohort of {self.entered} points cannot have {self.outstanding} outstanding.")
        if not 0 <= self.renewed_of_burnt <= self.renewed <= self.entered:
            raise ValueError(f"A cohort of {self.entered} points cannot have {self.renewed} renewed ones.")
        if not 0 <= self.taken_back <= self.entered - self.outstanding:
            raise ValueError(f"A cohort of {self.entered} points cannot have {self.taken_back} taken back.")

    @property
    def fresh(self) -> int:
        """Points that were deferred when they entered; renewed ones were so in the cohort they came from."""
        return self.entered - self.renewed

    @property
    def used(self) -> int:
        """Redeemed or exchanged away, less what was given back."""
        return self.kept - self.outstanding

    @property
    def kept(self) -> int:
        """What entered for good: nothing of it was taken back."""
        return self.entered - self.taken_back

    def over(self, at: int) -> bool:
        """Whether its points have expired at second `at`."""
        return self.expires_at is not None and at >= self.expires_at


@dataclass(frozen=True, slots=True)
class Position:
    """Cumulative sums since the token's first point, in minor units of the currency.

    deferred + renewed = taken_back + used + breakage + liability, to the unit. renewed: revenue taken back, because
    points that had expired or been used are owed once more. taken_back: deferred for goods that came back, and so
    neither revenue nor owed.
    """

    deferred: int
    used: int
    breakage: int
    renewed: int = 0
    taken_back: int = 0

    @property
    def liability(self) -> int:
        """What is still owed in points, measured at their price and less the breakage recognised."""
        return self.deferred + self.renewed - self.taken_back - self.used - self.breakage


@dataclass(frozen=True, slots=True)
class RollForward:
    """From one date to the next, to the unit: opening + deferred + renewed - taken_back - used - breakage = closing."""

    opening: int
    deferred: int
    renewed: int
    taken_back: int
    used: int
    breakage: int
    closing: int


def expected_breakage(cohorts: Iterable[Cohort], at: int) -> Fraction:
    """The share of points of finished cohorts that expired unused; 0 while none has finished (B46, second sentence).

    Points count once, in the cohort in which they were deferred, and not at all once they were taken back. Those that
    expired and were given new life have not expired for good; those that were used and given back never count as
    unused. So no renewal raises the share.
    """
    known = list(cohorts)
    finished = [cohort for cohort in known if cohort.over(at)]
    deferred = sum(cohort.fresh - cohort.taken_back for cohort in finished)
    if deferred <= 0:
        return NOTHING
    expired = sum(cohort.outstanding - min(cohort.outstanding, cohort.renewed_of_burnt) for cohort in finished)
    revived = sum(cohort.renewed - cohort.renewed_of_burnt for cohort in known)
    return Fraction(min(deferred, max(0, expired - revived)), deferred)


def position(cohorts: Sequence[Cohort], *, at: int, price: Fraction, breakage: Fraction) -> Position:
    """The sums at second `at`, the price being minor units of money for a base unit of points.

    Raises ValueError for a negative price or an expected breakage outside 0..1.
    """
    if price < 0:
        raise ValueError(f"A price is not negative: {price}.")
    if not 0 <= breakage <= 1:
        raise ValueError(f"Breakage is a share between 0 and 1, not {breakage}.")
    deferred = entered = taken = used = recognised = NOTHING
    for cohort in cohorts:
        deferred += cohort.fresh * price
        entered += cohort.entered * price
        taken += cohort.taken_back * price
        used += cohort.used * price
        recognised += _recognised(cohort, at, breakage) * price
    # Rounded as a difference of sums: so what entered is never less than what was used, broke or is owed.
    renewed = int(entered) - int(deferred)
    return Position(int(deferred), int(used), int(recognised), renewed=renewed, taken_back=int(taken))


def _recognised(cohort: Cohort, at: int, breakage: Fraction) -> Fraction:
    """Points of a cohort whose breakage is revenue by now: all that expired, or a part as the pattern of use."""
    if cohort.over(at):
        return Fraction(cohort.outstanding)
    expected_use = max(Fraction(cohort.used), cohort.kept * (1 - breakage))
    if not expected_use:
        # Nothing is expected to be used, so nothing is owed that anyone will ask for.
        return Fraction(cohort.outstanding)
    return cohort.kept * cohort.used / expected_use - cohort.used


def roll_forward(opening: Position, closing: Position) -> RollForward:
    """The lines between two dates. A line is negative where a later fact took an earlier one back."""
    return RollForward(
        opening=opening.liability,
        deferred=closing.deferred - opening.deferred,
        renewed=closing.renewed - opening.renewed,
        taken_back=closing.taken_back - opening.taken_back,
        used=closing.used - opening.used,
        breakage=closing.breakage - opening.breakage,
        closing=closing.liability,
    )
