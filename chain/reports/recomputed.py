"""The cohorts once more, from an export alone: folded event by event, without database, history or node.

The other way to the same figures: `cohorts` reads the mirror's history, this reads what an auditor was given.
"""

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Final

import orjson

from chain.contracts import lots
from chain.contracts.lots import Clock
from chain.contracts.named_lots import LOTS_CHANGED, NAMES, NamedLots, account_of
from chain.reports import bundle
from chain.reports.breakage import Cohort
from chain.reports.cohorts import FRESH_KINDS, OPENING, RENEWING_KINDS, TAKING_KINDS, Entered, renewal
from chain.reports.datasets import DATASETS
from chain.reports.errors import ExportInvalid

SUPPLY_START: Final = 0


def cohorts_of(folder: Path, brand_id: int, *, block: int | None = None) -> tuple[list[Cohort], int]:
    """The cohorts of a brand as of a block of the export (its last by default), and that block's time or the export's.

    Raises ExportInvalid.
    """
    manifest = bundle.manifest_of(folder)
    token = next((row for row in manifest["tokens"] if row.get("brand_id") == brand_id), None)
    if token is None:
        raise ExportInvalid(str(folder), f"it has no brand {brand_id}")
    last = manifest["block"]["number"] if block is None else block
    clock = Clock(token["origin"], token["epoch_s"], token["lifetime_epochs"])
    entered = _entered(folder, manifest, token, clock, last)
    at, left = _left(folder, manifest, token["token"], clock, last)
    if block is None:
        at = manifest["block"]["time"]
    found = [
        entered.cohort(clock, expiry, left[expiry])
        for expiry in sorted(entered.points.keys() | {expiry for expiry, points in left.items() if points})
    ]
    return found, at


def _entered(folder: Path, manifest: Any, token: Any, clock: Clock, last: int) -> Entered:
    entered = Entered()
    names = [name for name, _ in DATASETS["entries"].columns]
    for values in bundle.rows_of(folder, manifest, "entries"):
        row = dict(zip(names, values, strict=True))
        if row["token"] != token["token"] or row["block_number"] > last:
            continue
        if row["kind"] in FRESH_KINDS:
            entered.points[clock.epoch(row["block_time"]) + 1 + clock.lifetime_epochs] += row["points"]
        elif row["kind"] == OPENING:
            entered.open(orjson.loads(row["detail"]))
        elif row["kind"] in TAKING_KINDS:
            entered.take_back(orjson.loads(row["detail"]))
        elif row["kind"] in RENEWING_KINDS:
            for expiry, renewed, of_burnt in renewal(orjson.loads(row["detail"])):
                entered.renew(expiry, renewed, of_burnt)
    return entered


def _left(folder: Path, manifest: Any, token: str, clock: Clock, last: int) -> tuple[int, Counter[int]]:
    """What is left of each lot, or was when it ended: the supply, kept up by what each event says is left."""
    names = [name for name, _ in DATASETS["events"].columns]
    words: dict[str, str] = defaultdict(lambda: lots.EMPTY)
    supply: Counter[int] = Counter()
    ended: Counter[int] = Counter()
    at = SUPPLY_START
    named = NamedLots()
    for values in bundle.rows_of(folder, manifest, "events"):
        row = dict(zip(names, values, strict=True))
        if row["block_number"] > last:
            break
        at = row["block_time"]
        if row["name"] not in NAMES or row["address"] != token:
            continue
        args = orjson.loads(row["args"])
        named_lot = named.follow(token, row["name"], args)
        account = account_of(row["name"], args)
        if account is None or (named_lot is None and row["name"] != LOTS_CHANGED):
            continue
        epoch = clock.epoch(at)
        for expiry in [expiry for expiry in supply if clock.lifetime_epochs and expiry <= epoch]:
            ended[expiry] = supply.pop(expiry)
        before = words[account]
        if named_lot is None:
            after = words[account] = lots.changed(before, args["words"])
        else:
            after = words[account] = lots.added(before, named_lot, int(args["value"]), epoch)
        for expiry, points in lots.live(after, epoch):
            supply[expiry] += points
        for expiry, points in lots.live(before, epoch):
            supply[expiry] -= points
    return at, supply + ended
