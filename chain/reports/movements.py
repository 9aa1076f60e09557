"""From one block to another: what came into a brand's points outstanding, what left them, and what expired."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from chain.mirror import history
from chain.mirror.history import Moment
from chain.mirror.queries import sums
from chain.reports.breakage import Cohort
from chain.reports.cohorts import cohorts, renewals

RETURNING_KINDS: Final = ("refund", "unwind_in")


@dataclass(frozen=True, slots=True)
class Movements:
    """Base units of points between two blocks; every line is a count of points and not negative.

    opening + came - left - expired = closing. The lines come from the entries, opening and closing from the lots of
    all accounts, expired from the lots at the last second of their life: `difference` is 0 when they agree.
    """

    opening_at: Moment
    closing_at: Moment
    opening: int
    awarded: int
    exchanged_in: int
    returned: int
    renewed: int
    minted_otherwise: int
    redeemed: int
    exchanged_out: int
    unwound: int
    taken_back: int
    burnt_otherwise: int
    expired: int
    closing: int

    @property
    def came(self) -> int:
        return self.awarded + self.exchanged_in + self.returned + self.renewed + self.minted_otherwise

    @property
    def left(self) -> int:
        return self.redeemed + self.exchanged_out + self.unwound + self.taken_back + self.burnt_otherwise

    @property
    def difference(self) -> int:
        """By how much the lines miss the closing balance; anything but 0 is a fault of the books."""
        return self.opening + self.came - self.left - self.expired - self.closing


def movements(connection: Connection, token: Mapping[str, Any], opening: Moment, closing: Moment) -> Movements:
    """The lines between the end of one block and the end of a later one. Raises HistoryNotAvailable."""
    address = token["token"]
    before = history.supply(connection, address, opening.number)
    after = history.supply(connection, address, closing.number)
    by_kind, returned, renewed = _sums(connection, token, opening, closing)
    # Of goods that came back, and of debts that awards paid.
    taken_back = -by_kind.get("return", 0) - by_kind.get("debt_paid", 0)
    out, unwound, otherwise = -by_kind.get("exchange_out", 0), -by_kind.get("unwind_out", 0), -by_kind.get("burn", 0)
    return Movements(
        opening_at=opening,
        closing_at=closing,
        opening=before.live,
        awarded=by_kind.get("award", 0),
        exchanged_in=by_kind.get("exchange_in", 0),
        returned=returned,
        renewed=renewed,
        minted_otherwise=by_kind.get("mint", 0) + by_kind.get("opening", 0),
        # What tills captured after its expiry was gone already, so the burns tell, not the captures.
        redeemed=after.burnt - before.burnt - out - unwound - taken_back - otherwise,
        exchanged_out=out,
        unwound=unwound,
        taken_back=taken_back,
        burnt_otherwise=otherwise,
        expired=_expired(cohorts(connection, token, closing), opening, closing),
        closing=after.live,
    )


def _sums(
    connection: Connection, token: Mapping[str, Any], opening: Moment, closing: Moment
) -> tuple[dict[str, int], int, int]:
    """Points by kind of entry; points that came back with their own expiry; points that were given new life."""
    address, between = token["token"], {"above": opening.number, "up_to": closing.number}
    by_kind = sums.by_kind(connection, address, **between)
    returning = sums.details(connection, address, RETURNING_KINDS, **between)
    returned = sum(int(entry.detail["returned"]) for entry in returning)
    renewed = sum(points for _, points, _ in renewals(connection, token, **between))
    return by_kind, returned, renewed


def _expired(found: list[Cohort], opening: Moment, closing: Moment) -> int:
    """What the cohorts lost whose end lies between the two moments."""
    return sum(cohort.outstanding for cohort in found if cohort.over(closing.time) and not cohort.over(opening.time))
