"""The cohorts of a token as of a block: how many points ever entered each lot, and how many are or were left in it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection

from chain.contracts.lots import Clock
from chain.mirror import history
from chain.mirror.history import Moment
from chain.mirror.queries import sums
from chain.reports.breakage import Cohort

# Minted into the lot of the present epoch (SPEC 1.4).
FRESH_KINDS: Final = ("award", "exchange_in", "mint")
# Old points, each lot with the expiry that it had before (SPEC 16.12); the entry's detail tells them.
OPENING: Final = "opening"
# Where expired lots may have lived on by the brand's grace (SPEC 3.14).
RENEWING_KINDS: Final = ("refund",)
# Goods that came back, and debts that awards paid: the entry's detail tells the lots that were burnt (SPEC 15.13).
TAKING_KINDS: Final = ("return", "debt_paid")


@dataclass(slots=True)
class Entered:
    """Points that came to be in each lot, by expiry epoch; of them the renewed ones, and of these the once burnt; and
    of all, what goods that came back took out of the lot."""

    points: Counter[int] = field(default_factory=Counter)
    renewed: Counter[int] = field(default_factory=Counter)
    of_burnt: Counter[int] = field(default_factory=Counter)
    taken_back: Counter[int] = field(default_factory=Counter)

    def renew(self, expiry: int, points: int, of_burnt: int) -> None:
        """Points of earlier lots that grace gave new life."""
        self.points[expiry] += points
        self.renewed[expiry] += points
        self.of_burnt[expiry] += of_burnt

    def open(self, detail: Mapping[str, Any]) -> None:
        """Old points that a member claimed."""
        for expiry, points in detail["lots"].items():
            self.points[int(expiry)] += int(points)

    def take_back(self, detail: Mapping[str, Any]) -> None:
        """Points that were burnt for goods that came back."""
        for expiry, points in detail.get("lots", {}).items():
            self.taken_back[int(expiry)] += int(points)

    def cohort(self, clock: Clock, expiry: int, outstanding: int) -> Cohort:
        """The cohort of a lot of which so much is or was left."""
        return Cohort(
            expiry,
            clock.expires_at(expiry),
            self.points[expiry],
            outstanding,
            renewed=self.renewed[expiry],
            renewed_of_burnt=self.of_burnt[expiry],
            taken_back=self.taken_back[expiry],
        )


def renewal(detail: Mapping[str, Any]) -> Iterator[tuple[int, int, int]]:
    """(expiry epoch, points, of these burnt before: used and given back) of what a refund's entry renewed.

    The newest captured points were burnt before the others (mirror.rows.projection), and went into the latest lots.
    """
    of_burnt = int(detail.get("renewed_of_burnt", 0))
    found = {int(expiry): int(points) for expiry, points in detail.get("renewed_lots", {}).items()}
    for expiry in sorted(found, reverse=True):
        burnt = min(of_burnt, found[expiry])
        of_burnt -= burnt
        yield expiry, found[expiry], burnt


def cohorts(connection: Connection, token: Mapping[str, Any], at: Moment) -> list[Cohort]:
    """All cohorts of a token's row that anything entered by then, the first to expire first.

    Raises HistoryNotAvailable.
    """
    clock = Clock(int(token["origin"]), int(token["epoch_s"]), int(token["lifetime_epochs"]))
    entered = _entered(connection, token, clock, at.number)
    now = {lot.expiry_epoch: lot.points for lot in history.supply(connection, token["token"], at.number).by_expiry}
    found = []
    for expiry in sorted(entered.points.keys() | now.keys()):
        expires_at = clock.expires_at(expiry)
        over = expires_at is not None and expires_at <= at.time
        left = _left(connection, token["token"], expiry, expires_at or 0) if over else now.get(expiry, 0)
        found.append(entered.cohort(clock, expiry, left))
    return found


def _entered(connection: Connection, token: Mapping[str, Any], clock: Clock, block: int) -> Entered:
    entered = Entered()
    fresh = sums.by_epoch(connection, token["token"], clock, FRESH_KINDS, up_to=block)
    for epoch, points in fresh.items():
        entered.points[epoch + 1 + clock.lifetime_epochs] += points
    for entry in sums.details(connection, token["token"], (OPENING,), up_to=block):
        entered.open(entry.detail)
    for entry in sums.details(connection, token["token"], TAKING_KINDS, up_to=block):
        entered.take_back(entry.detail)
    for expiry, points, of_burnt in renewals(connection, token, up_to=block):
        entered.renew(expiry, points, of_burnt)
    return entered


def renewals(
    connection: Connection, token: Mapping[str, Any], *, up_to: int, above: int | None = None
) -> Iterator[tuple[int, int, int]]:
    """(expiry epoch, points, of these burnt before) of everything that lived on by grace up to a block, above another
    one if it is named."""
    for entry in sums.details(connection, token["token"], RENEWING_KINDS, up_to=up_to, above=above):
        yield from renewal(entry.detail)


def _left(connection: Connection, token: str, expiry: int, expires_at: int) -> int:
    """What was left of a lot at the last second of its life."""
    last = history.block_at(connection, expires_at - 1)
    supply = history.supply(connection, token, last.number)
    return sum(lot.points for lot in supply.by_expiry if lot.expiry_epoch == expiry)
