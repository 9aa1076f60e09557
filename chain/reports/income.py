"""The breakage roll-forward of a brand between two blocks, with every input that it was computed from."""

from dataclasses import dataclass
from fractions import Fraction

from sqlalchemy import Connection

from chain.mirror import history
from chain.reports.breakage import Cohort, Position, RollForward, expected_breakage, position, roll_forward
from chain.reports.cohorts import cohorts
from chain.reports.errors import PeriodInvalid
from chain.reports.liability import token_of
from chain.reports.movements import Movements, movements


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two dates: its cohorts, the breakage that was expected then, and the sums that follow."""

    cohorts: tuple[Cohort, ...]
    breakage: Fraction
    position: Position


@dataclass(frozen=True, slots=True)
class Income:
    """price: minor units of money for a base unit of points."""

    token: str
    brand_id: int
    decimals: int
    price: Fraction
    movements: Movements
    opening: Side
    closing: Side
    lines: RollForward


def income(
    connection: Connection,
    *,
    brand_id: int,
    from_block: int,
    to_block: int,
    price: Fraction,
    breakage: Fraction | None = None,
) -> Income:
    """The report. breakage None: estimated at each date from the cohorts that have finished by then.

    Raises TokenUnknown, HistoryNotAvailable, PeriodInvalid, and ValueError for a price or breakage that is none.
    """
    if from_block >= to_block:
        raise PeriodInvalid(from_block, to_block)
    opening_at, closing_at = history.moment(connection, from_block), history.moment(connection, to_block)
    token = token_of(connection, brand_id, from_block)
    opening, closing = (
        side(cohorts(connection, token, at), at.time, price, breakage) for at in (opening_at, closing_at)
    )
    return Income(
        token=token["token"],
        brand_id=brand_id,
        decimals=int(token["decimals"]),
        price=price,
        movements=movements(connection, token, opening_at, closing_at),
        opening=opening,
        closing=closing,
        lines=roll_forward(opening.position, closing.position),
    )


def side(found: list[Cohort], at: int, price: Fraction, breakage: Fraction | None) -> Side:
    """The sums of one date."""
    share = expected_breakage(found, at) if breakage is None else breakage
    return Side(tuple(found), share, position(found, at=at, price=price, breakage=share))
