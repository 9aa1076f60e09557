"""An export's entries, balances, holds, debts and obligations, folded from its events and held against its files.

The same fold as the mirror's, over nothing but the export: points that were moved between members, owners, times or
amounts that were exchanged differ from what the events tell, however well the sums and digests were computed anew.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final, cast

import orjson

from chain.base.scalars import Address
from chain.contracts import lots
from chain.contracts.codec import EventLog
from chain.contracts.lots import Clock
from chain.mirror.rows.lot_ends import MemoryLotEnds
from chain.mirror.rows.projection import Context, Projector
from chain.mirror.rows.row_cache import KEYS, Key, Row, RowCache
from chain.reports import formats
from chain.reports.datasets import DATASETS, Values
from chain.reports.errors import Problem

DESK: Final = "RedemptionDesk"
POINTS: Final = "LoyaltyToken"
NOTHING: Final = Address("0x")
# So many differences of a dataset are told one by one.
TOLD_MAX: Final = 20
Rows = Callable[[str], Iterator[Values]]

_EVENTS: Final = [name for name, _ in DATASETS["events"].columns]
# What no fold of a sound export raises: of one that was tampered with it may.
_UNFOLDABLE: Final = (*formats.UNREADABLE, AssertionError, AttributeError)


class _Rows:
    """A ledger in memory: what the fold asks of chain.mirror.rows.row_cache, and nothing else."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, Key], Row] = {}

    def get(self, relation: str, *key: Any) -> Row | None:
        return self.rows.get((relation, key))

    def known(self, relation: str, *key: Any) -> Row | None:
        return self.rows.get((relation, key))

    def put(self, relation: str, row: Row) -> None:
        self.rows[relation, tuple(row[name] for name in KEYS[relation])] = row

    def of(self, relation: str) -> Iterator[Row]:
        """The rows of a relation in the order of their keys."""
        for (name, _), row in sorted(self.rows.items(), key=lambda one: (one[0][0], [str(part) for part in one[0][1]])):
            if name == relation:
                yield row


@dataclass
class _Told:
    """The problems so far; of each file only the first few are told."""

    problems: list[Problem] = field(default_factory=list)
    _counts: dict[str, int] = field(default_factory=dict)

    def differs(self, file: str, what: str, said: object, right: object) -> None:
        self._counts[file] = self._counts.get(file, 0) + 1
        if self._counts[file] <= TOLD_MAX:
            self.problems.append(Problem(file, what, _short(said), _short(right)))


def differences(manifest: Mapping[str, Any], rows: Rows) -> list[Problem]:
    """What the files of an export say otherwise than its events. rows: of a dataset by its name."""
    files = {file["dataset"]: file["name"] for file in manifest["files"]}
    told = _Told()
    try:
        ledger = _Rows()
        _check_entries(told, files, manifest, ledger, rows)
        for dataset, right in (
            ("balances", _balances(ledger, manifest)),
            ("holds", _holds(ledger, manifest)),
            ("debts", _debts(ledger, manifest)),
            ("obligations", _obligations(ledger)),
        ):
            _check_rows(told, files[dataset], dataset, rows(dataset), right)
    except _UNFOLDABLE as error:
        told.differs(files["events"], "fold", f"{type(error).__name__}: {error}", "events that follow each other")
    return told.problems


def _check_entries(
    told: _Told, files: Mapping[str, str], manifest: Mapping[str, Any], ledger: _Rows, rows: Rows
) -> None:
    """Folds all events into the ledger; the entries that they make are the file's, one after the other."""
    tokens = {str(row["brand_id"]): row["token"] for row in [*manifest["partners"], *manifest["tokens"]]}
    terms = {row["token"]: {**row, "brand_id": str(row["brand_id"])} for row in manifest["tokens"]}
    own = {row["token"] for row in manifest["tokens"]}
    address, contract = _EVENTS.index("address"), _EVENTS.index("contract")
    desk = next((Address(row[address]) for row in rows("events") if row[contract] == DESK), NOTHING)
    fold = Projector(cast(RowCache, ledger), Context(desk=desk, tokens=tokens, token_rows=terms), MemoryLotEnds())
    found, last_seq, before = rows("entries"), 0, 0
    timely = {
        number: _Block(number, block_hash, at, [])
        for _, number, at, block_hash, tx_hash, *_ in rows("entries")
        if tx_hash is None
    }
    end = manifest["block"]
    timely[end["number"]] = _Block(end["number"], end["hash"], end["time"], [])
    for block in _with(timely, _blocks(told, files["events"], manifest, rows, own)):
        fold.pass_time(before, number=block.number, block_hash=block.hash, time=block.time)
        before = block.time
        fold.block(block.logs, block.time)
        for made in fold.entries:
            if made["token"] not in own:
                continue
            row = next(found, None)
            right = _entry(made)
            if row is None or row[1:] != right:
                told.differs(files["entries"], f"entry of event {right[0]}/{right[4]}", row and row[1:], right)
            if row is not None and row[0] <= last_seq:
                told.differs(files["entries"], "seq", row[0], f"more than {last_seq}")
            last_seq = row[0] if row is not None else last_seq
        fold.entries = []
    for row in found:
        told.differs(files["entries"], f"entry {row[0]}", row[1:], "no event makes it")


@dataclass(frozen=True, slots=True)
class _Block:
    """A block that an export tells of, with the events that it has of it."""

    number: int
    hash: str
    time: int
    logs: list[EventLog]


def _blocks(told: _Told, file: str, manifest: Mapping[str, Any], rows: Rows, own: set[str]) -> Iterator[_Block]:
    """Every block with events, in order; what contradicts itself is told."""
    addresses: dict[str, str] = {}
    before, end = (-1, -1), manifest["block"]
    for number, group in groupby(rows("events"), key=lambda row: row[0]):
        logs: list[EventLog] = []
        at, transactions = None, 0
        for row in group:
            one = dict(zip(_EVENTS, row, strict=True))
            place = f"event {number}/{one['log_index']}"
            if (number, one["log_index"]) <= before:
                told.differs(file, place, "not after the one before", "ascending")
            before = (number, one["log_index"])
            at = at or (one["block_hash"], one["block_time"])
            if (one["block_hash"], one["block_time"]) != at:
                told.differs(file, place, (one["block_hash"], one["block_time"]), at)
            if one["contract"] == POINTS and one["address"] not in own:
                told.differs(file, place, one["address"], "a token of the manifest")
            if one["contract"] != POINTS and addresses.setdefault(one["contract"], one["address"]) != one["address"]:
                told.differs(file, place, one["address"], addresses[one["contract"]])
            transactions += not logs or logs[-1].tx_hash != one["tx_hash"]
            logs.append(
                EventLog(
                    number, one["block_hash"], one["tx_hash"], transactions, one["log_index"], one["address"],
                    one["contract"], one["name"], orjson.loads(one["args"]),
                )
            )  # fmt: skip
        assert at is not None, "a group has a row"
        if number > end["number"] or (number == end["number"] and at != (end["hash"], end["time"])):
            told.differs(file, f"block {number}", at, (end["hash"], end["time"]))
        yield _Block(number, *at, logs)


def _with(timely: dict[int, _Block], blocks: Iterator[_Block]) -> Iterator[_Block]:
    """The blocks with events, and between them those of which only their time is told, in order."""
    waiting = sorted(timely.values(), key=lambda one: one.number)
    for block in blocks:
        while waiting and waiting[0].number <= block.number:
            earlier = waiting.pop(0)
            if earlier.number < block.number:
                yield earlier
        yield block
    yield from waiting


def _entry(made: Row) -> Values:
    """An entry as a row of the dataset, without its number."""
    return (
        made["block_number"], made["block_time"], made["block_hash"], made["tx_hash"], made["log_index"],
        made["token"], made["account"], made["kind"], int(made["points"]), int(made["held"]), made["operation_id"],
        orjson.dumps(made["detail"], option=orjson.OPT_SORT_KEYS).decode(),
    )  # fmt: skip


def _balances(ledger: _Rows, manifest: Mapping[str, Any]) -> Iterator[Values]:
    clocks = {row["token"]: Clock(row["origin"], row["epoch_s"], row["lifetime_epochs"]) for row in manifest["tokens"]}
    for row in ledger.of("balance"):
        clock = clocks.get(row["token"])
        if clock is None:
            continue
        for expiry, points in lots.live(row["lots"], clock.epoch(manifest["block"]["time"])):
            yield row["token"], row["account"], expiry, clock.expires_at(expiry), points


def _holds(ledger: _Rows, manifest: Mapping[str, Any]) -> Iterator[Values]:
    own = {row["token"] for row in manifest["tokens"]}
    for hold in ledger.of("hold"):
        if hold["token"] in own:
            yield (
                hold["hold_id"], hold["token"], hold["account"], hold["state"], int(hold["points"]),
                int(hold["captured"]), int(hold["refunded"]), hold["hold_until"], hold["reward_id"], hold["placed_at"],
            )  # fmt: skip


def _debts(ledger: _Rows, manifest: Mapping[str, Any]) -> Iterator[Values]:
    own = {row["token"] for row in manifest["tokens"]}
    for row in ledger.of("debt"):
        if row["token"] in own and row["points"] != "0":
            yield row["token"], row["account"], int(row["points"])


def _obligations(ledger: _Rows) -> Iterator[Values]:
    for row in ledger.of("obligation"):
        yield int(row["debtor_id"]), int(row["creditor_id"]), int(row["outstanding"])


def _check_rows(told: _Told, file: str, dataset: str, said: Iterator[Values], right: Iterator[Values]) -> None:
    """The same rows, each once, whatever their order."""
    wanted = {_key(dataset, row): row for row in right}
    for row in said:
        expected = wanted.pop(_key(dataset, row), None)
        if row != expected:
            told.differs(file, dataset, row, expected)
    for row in wanted.values():
        told.differs(file, dataset, None, row)


def _key(dataset: str, row: Values) -> Values:
    return row[: {"balances": 3, "holds": 1, "debts": 2, "obligations": 2}[dataset]]


def _short(value: object) -> str:
    return text if len(text := str(value)) <= 300 else text[:300] + "…"
