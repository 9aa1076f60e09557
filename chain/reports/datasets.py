"""What can be exported, as of a block: each dataset's columns, its rows in a fixed order, and its control totals.

Amounts are plain whole numbers in base units; the manifest tells the decimals. Accounts are chain addresses: nothing
here names a person.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import Connection

from chain.base.scalars import Address
from chain.contracts import lots
from chain.contracts.lots import Clock
from chain.mirror import history
from chain.mirror.queries import entries, events

# How events name the brands that they concern, agreements apart.
BRAND_NAMES: Final = ("brandId", "debtorId", "creditorId")
TEXT: Final = "text"
WHOLE: Final = "int64"  # positions and times
POINTS: Final = "points"  # amounts that fit 64 bits: a lot holds at most 2^48 - 1, a supply 16 of them
MONEY: Final = "decimal128(38, 0)"  # units of the settlement token
Values = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """What an export is of. token None: all brands (an auditor's export)."""

    block: int
    token: Address | None = None
    brand_id: int | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """Columns as (name, type); `total` names the column whose sum is told for each value of `by`."""

    name: str
    columns: tuple[tuple[str, str], ...]
    rows: Callable[[Connection, Scope], Iterator[Values]]
    total: str
    by: tuple[str, ...]

    def index(self, column: str) -> int:
        return [name for name, _ in self.columns].index(column)


class Totals:
    """Counts rows and adds one column up while they pass."""

    def __init__(self, dataset: Dataset):
        self.rows = 0
        self.sums: Counter[str] = Counter()
        self._total = dataset.index(dataset.total)
        self._by = [dataset.index(column) for column in dataset.by]

    def passing(self, rows: Iterator[Values]) -> Iterator[Values]:
        """The same rows, counted."""
        for row in rows:
            self.rows += 1
            self.sums["/".join(str(row[at]) for at in self._by)] += row[self._total]
            yield row


def _entry_rows(connection: Connection, scope: Scope) -> Iterator[Values]:
    for entry in entries.streamed(connection, block=scope.block, token=scope.token):
        yield (
            entry.seq, entry.block_number, entry.block_time, entry.block_hash, entry.tx_hash, entry.log_index,
            entry.token, entry.account, entry.kind, int(entry.points), int(entry.held), entry.operation_id,
            _json(entry.detail),
        )  # fmt: skip


def _event_rows(connection: Connection, scope: Scope) -> Iterator[Values]:
    """The decoded logs themselves: of the token, and of the other contracts where they concern the brand: whoever has
    them can fold the other datasets from them."""
    concerns = _Concerning(str(scope.brand_id))
    for event in events.streamed(connection, block=scope.block):
        if scope.token is None or event.address == scope.token or concerns(event.args):
            yield (*event[:-1], _json(event.args), 1)


class _Concerning:
    """Which events concern a brand; asked in the order of the chain, so that its agreements are known."""

    def __init__(self, brand_id: str):
        self._brand_id = brand_id
        self._agreements: set[str] = set()

    def __call__(self, args: dict[str, Any]) -> bool:
        if self._brand_id in (args.get("fromBrandId"), args.get("toBrandId")):
            self._agreements.add(args["agreementId"])
        return (
            args.get("agreementId") in self._agreements
            or self._brand_id in [args.get(name) for name in BRAND_NAMES]
            or self._brand_id in args.get("brandIds", ())
        )


def _balance_rows(connection: Connection, scope: Scope) -> Iterator[Values]:
    """One row for each live lot of each account."""
    at = history.moment(connection, scope.block)
    for token in _tokens(connection, scope):
        clock = Clock(int(token["origin"]), int(token["epoch_s"]), int(token["lifetime_epochs"]))
        for account, words in history.accounts(connection, token["token"], scope.block):
            for expiry, points in lots.live(lots.pack(words), clock.epoch(at.time)):
                yield token["token"], account, expiry, clock.expires_at(expiry), points


def _hold_rows(connection: Connection, scope: Scope) -> Iterator[Values]:
    for hold in history.holds(
        connection, scope.block, brand_id=None if scope.brand_id is None else str(scope.brand_id)
    ):
        yield (
            hold["hold_id"], hold["token"], hold["account"], hold["state"], int(hold["points"]), int(hold["captured"]),
            int(hold["refunded"]), hold["hold_until"], hold["reward_id"], hold["placed_at"],
        )  # fmt: skip


def _debt_rows(connection: Connection, scope: Scope) -> Iterator[Values]:
    for row in history.debts(connection, scope.block, scope.token):
        yield row["token"], row["account"], int(row["points"])


def _obligation_rows(connection: Connection, scope: Scope) -> Iterator[Values]:
    for row in history.obligations(connection, scope.block):
        debtor, creditor = int(row["debtor_id"]), int(row["creditor_id"])
        if scope.brand_id is None or scope.brand_id in (debtor, creditor):
            yield debtor, creditor, int(row["outstanding"])


def _tokens(connection: Connection, scope: Scope) -> list[Any]:
    found = history.tokens(connection, scope.block)
    return sorted((row for row in found if scope.token in (None, row["token"])), key=lambda row: row["token"])


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


DATASETS: Final = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            "entries",
            (
                ("seq", WHOLE), ("block_number", WHOLE), ("block_time", WHOLE), ("block_hash", TEXT),
                ("tx_hash", TEXT), ("log_index", WHOLE), ("token", TEXT), ("account", TEXT), ("kind", TEXT),
                ("points", POINTS), ("held", POINTS), ("operation_id", TEXT), ("detail", TEXT),
            ),
            _entry_rows,
            total="points",
            by=("token", "kind"),
        ),
        Dataset(
            "balances",
            (("token", TEXT), ("account", TEXT), ("expiry_epoch", WHOLE), ("expires_at", WHOLE), ("points", POINTS)),
            _balance_rows,
            total="points",
            by=("token",),
        ),
        Dataset(
            "holds",
            (
                ("hold_id", TEXT), ("token", TEXT), ("account", TEXT), ("state", TEXT), ("points", POINTS),
                ("captured", POINTS), ("refunded", POINTS), ("hold_until", WHOLE), ("reward_id", TEXT),
                ("placed_at", WHOLE),
            ),
            _hold_rows,
            total="points",
            by=("token", "state"),
        ),
        Dataset(
            "debts",
            (("token", TEXT), ("account", TEXT), ("points", POINTS)),
            _debt_rows,
            total="points",
            by=("token",),
        ),
        Dataset(
            "obligations",
            (("debtor_id", WHOLE), ("creditor_id", WHOLE), ("outstanding", MONEY)),
            _obligation_rows,
            total="outstanding",
            by=("debtor_id",),
        ),
        Dataset(
            "events",
            (
                ("block_number", WHOLE), ("log_index", WHOLE), ("block_time", WHOLE), ("block_hash", TEXT),
                ("tx_hash", TEXT), ("address", TEXT), ("contract", TEXT), ("name", TEXT), ("args", TEXT),
                ("count", WHOLE),
            ),
            _event_rows,
            total="count",
            by=("contract", "name"),
        ),
    )
}  # fmt: skip
