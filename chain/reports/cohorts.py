"""The cohorts of a token as of a block: how many points ever entered each lot, and how many are or were left in it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, cast, func, select

from chain.contracts.lots import Clock
from chain.mirror import history
from chain.mirror.history import Moment
from chain.mirror.models import Entry
from chain.reports.breakage import Cohort
from chain.storage.columns import table_of

entries: Final = table_of(Entry)
# Minted into the lot of the present epoch (SPEC 1.4).
FRESH_KINDS: Final = ("award", "exchange_in", "mint")
# Where expired lots may have come back to new life by the brand's grace (SPEC 3.13).
RENEWING_KINDS: Final = ("capture", "release", "timeout", "refund", "unwind_in")
ROWS_AT_ONCE: Final = 1_000


def cohorts(connection: Connection, token: Mapping[str, Any], at: Moment) -> list[Cohort]:
    """All cohorts of a token's row that anything entered by then, the first to expire first.

    Raises HistoryNotAvailable.
    """
    clock = Clock(int(token["origin"]), int(token["epoch_s"]), int(token["lifetime_epochs"]))
    entered = _entered(connection, token, clock, at.number)
    now = {lot.expiry_epoch: lot.points for lot in history.supply(connection, token["token"], at.number).by_expiry}
    found = []
    for expiry in sorted(entered | now.keys()):
        expires_at = clock.expires_at(expiry)
        over = expires_at is not None and expires_at <= at.time
        left = _left(connection, token["token"], expiry, expires_at or 0) if over else now.get(expiry, 0)
        found.append(Cohort(expiry, expires_at, entered.get(expiry, 0), left))
    return found


def _entered(connection: Connection, token: Mapping[str, Any], clock: Clock, block: int) -> Counter[int]:
    """Points that came to be in each lot, by expiry epoch."""
    entered: Counter[int] = Counter()
    where = (entries.c.token == token["token"], entries.c.block_number <= block)
    # With lifetime 0 the clock stands (SPEC 1.3): all is of epoch 0.
    epoch = (
        (entries.c.block_time - clock.origin) // clock.epoch_s if clock.lifetime_epochs else entries.c.block_time * 0
    )
    fresh = (
        select(epoch.label("epoch"), func.sum(cast(entries.c.points, BigInteger)))
        .where(*where, entries.c.kind.in_(FRESH_KINDS))
        .group_by("epoch")
    )
    for number, points in connection.execute(fresh):
        entered[number + 1 + clock.lifetime_epochs] += int(points)
    for expiry, points in renewals(connection, where, clock, int(token["grace_s"])):
        entered[expiry] += points
    return entered


def renewals(connection: Connection, where: Iterable[Any], clock: Clock, grace_s: int) -> Iterator[tuple[int, int]]:
    """(expiry epoch, points) of everything that was given new life."""
    if not grace_s:
        return
    rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(
        select(entries.c.block_time, entries.c.detail).where(*where, entries.c.kind.in_(RENEWING_KINDS))
    )
    for at, detail in rows:
        renewed = int(detail.get("renewed", 0))
        if renewed:
            yield -(-(at + grace_s - clock.origin) // clock.epoch_s), renewed


def _left(connection: Connection, token: str, expiry: int, expires_at: int) -> int:
    """What was left of a lot at the last second of its life."""
    last = history.block_at(connection, expires_at - 1)
    supply = history.supply(connection, token, last.number)
    return sum(lot.points for lot in supply.by_expiry if lot.expiry_epoch == expiry)
