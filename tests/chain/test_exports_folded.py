"""Exports that somebody changed, with every sum and digest computed anew: the fold from the events finds each out."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlmodel import SQLModel

import chain.tables  # noqa: F401 - makes the tables known
from chain.contracts.deployment import Deployment
from chain.mirror import history
from chain.node.rpc import Rpc
from chain.outbox import calls
from chain.reports import bundle, formats, sealing
from chain.reports.datasets import DATASETS, Scope, Totals
from chain.reports.errors import ExportInvalid
from chain.reports.liability import liability
from chain.reports.movements import movements
from chain.storage.database import engine as make_engine
from chain.storage.database import snapshot, writing
from chain.tlog.notes import KeySigner, Note, Verifier, sign
from tests.chain.conftest import OnChain

pytestmark = pytest.mark.slow
ORIGIN = "example.com/log"
Rows = list[dict[str, Any]]


def signer(keys: Any, number: int = 0, origin: str = ORIGIN) -> KeySigner:
    ref = f"log/{number}"
    return KeySigner(Verifier(origin, keys.public_key(ref)), partial(keys.sign_message, ref))


@pytest.fixture(scope="module")
def world(anvil: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnChain]:
    """Three members with awards, holds of two of them, one captured and one released, and exchanges of both brands."""
    folder = tmp_path_factory.mktemp("books")
    engine, rpc = make_engine(f"sqlite:///{folder / 'moa.db'}"), Rpc(anvil.node.url, timeout_s=30.0)
    with writing(engine) as connection:
        SQLModel.metadata.create_all(connection)
    before = rpc.call("evm_snapshot")
    deployment = Deployment.load(anvil.deployments, anvil.node.chain_id)
    world = OnChain(anvil.node, deployment, anvil.keystore, engine, rpc, folder, anvil.keystore_path, anvil.deployments)
    world.enqueue(*(world.award(name, 5_000) for name in ("ada", "ben", "cem")))
    world.enqueue(*(world.award(name, 5_000, brand="hanok") for name in ("ada", "ben")))
    world.drain()
    holds = [world.hold(name, 1_000) for name in ("ada", "ben", "ada", "ben")]
    world.enqueue(*(operation for operation, _ in holds))
    world.enqueue(world.exchange("ada", 500), world.exchange("ben", 500))
    world.drain()
    _owe(world)
    yield world
    rpc.call("evm_revert", before)
    world.close()
    engine.dispose()


def _owe(world: OnChain) -> None:
    """Dan and Eve give back goods whose points they have set aside."""
    awards = world.enqueue(*(world.award(name, 2_000) for name in ("dan", "eve")))
    world.drain()
    world.enqueue(*(world.hold(name, points)[0] for name, points in (("dan", 2_500), ("eve", 2_000))))
    world.drain()
    for name, award in zip(("dan", "eve"), awards, strict=True):
        given = world.operation(award)
        world.enqueue(
            calls.goods_return(
                key=f"back {name}",
                brand=given.brand,
                member=world.member(name),
                award=given.operation_id or "",
                base_amount=2_000,
            )
        )
    world.drain()


@pytest.fixture(scope="module", params=["all", "one brand"])
def sound(request: pytest.FixtureRequest, world: OnChain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed export, of all brands and of one."""
    folder = tmp_path_factory.mktemp("sound") / "export"
    with snapshot(world.engine) as connection:
        last = history.span(connection).last.number
        token = next(row for row in history.tokens(connection, last) if row["brand_id"] == "1")
        scope = Scope(last) if request.param == "all" else Scope(last, token["token"], 1)
        bundle.write(
            connection, folder, scope=scope, format="jsonl", chain={"chain_id": 1}, signers=[signer(world.keystore)]
        )
    return folder


@pytest.fixture
def export(sound: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(sound, tmp_path / "export"))


def rows_of(folder: Path, dataset: str) -> Rows:
    names = [name for name, _ in DATASETS[dataset].columns]
    found = bundle.rows_of(folder, bundle.manifest_of(folder), dataset)
    return [dict(zip(names, row, strict=True)) for row in found]


def rewrite(folder: Path, dataset: str, rows: Rows) -> None:
    """The file with other rows, and a manifest that says of them what is right."""
    manifest, found = bundle.manifest_of(folder), DATASETS[dataset]
    file = next(one for one in manifest["files"] if one["dataset"] == dataset)
    totals = Totals(found)
    with open(folder / file["name"], "wb") as into:
        formats.write(found, totals.passing(tuple(row.values()) for row in rows), file["format"], into)
    file["rows"] = totals.rows
    file["sums"] = {found.total: {key: str(value) for key, value in sorted(totals.sums.items())}}
    file["sha256"] = hashlib.sha256((folder / file["name"]).read_bytes()).hexdigest()
    (folder / "manifest.json").write_bytes(orjson.dumps(manifest))


def two(rows: Rows, alike: tuple[str, ...], **wanted: Any) -> tuple[Any, Any]:
    """The first two rows of two members that are alike in these columns."""
    chosen = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    for first in chosen:
        for other in chosen:
            if other["account"] != first["account"] and all(first[name] == other[name] for name in alike):
                return first, other
    raise AssertionError(f"the story has no two rows alike in {alike}")


def swap(one: Any, other: Any, *names: str) -> None:
    for name in names:
        one[name], other[name] = other[name], one[name]


def points_between_members(rows: Rows) -> None:
    one, other = two(rows, ("token", "expiry_epoch"))
    one["points"] += 1
    other["points"] -= 1


def lot_to_another_member(rows: Rows) -> None:
    rows[0]["account"] = "0x" + "12" * 20


def lots_owners(rows: Rows) -> None:
    one, other = next((a, b) for a in rows for b in rows if a["token"] == b["token"] and a["points"] != b["points"])
    swap(one, other, "account")


def lot_in_two(rows: Rows) -> None:
    rows[0]["points"] -= 1
    rows.insert(1, {**rows[0], "points": 1})


def lot_that_ends_later(rows: Rows) -> None:
    rows[0]["expiry_epoch"] += 1


def lot_that_ends_at_another_second(rows: Rows) -> None:
    rows[0]["expires_at"] += 1


def no_lot(rows: Rows) -> None:
    rows.append({**rows[0], "account": "0x" + "12" * 20, "points": 0})


def entries_owners(rows: Rows) -> None:
    swap(*two(rows, ("token", "kind"), kind="award"), "account")


def entries_points(rows: Rows) -> None:
    one, other = two(rows, ("token", "kind"), kind="award")
    one["points"] += 1
    other["points"] -= 1


def entrys_time(rows: Rows) -> None:
    rows[0]["block_time"] -= 86_400


def entrys_place(rows: Rows) -> None:
    rows[-1]["block_number"] += 1


def entrys_member(rows: Rows) -> None:
    rows[0]["account"] = "0x" + "12" * 20


def entrys_hold(rows: Rows) -> None:
    swap(*two(rows, ("token", "kind"), kind="hold"), "detail")


def entrys_held_points(rows: Rows) -> None:
    next(row for row in rows if row["kind"] == "hold")["held"] += 1


def entrys_operation(rows: Rows) -> None:
    swap(*two(rows, ("token", "kind"), kind="award"), "operation_id")


def entries_order(rows: Rows) -> None:
    rows[0], rows[1] = rows[1], rows[0]


def an_entry_twice(rows: Rows) -> None:
    rows.append({**rows[-1], "seq": rows[-1]["seq"] + 1, "points": 0})


def an_entry_of_nothing(rows: Rows) -> None:
    """Two that cancel each other."""
    first, last = rows[0], rows[-1]["seq"]
    for number, points in enumerate((7, -7), 1):
        rows.append({**first, "seq": last + number, "points": points})


def an_entry_that_nothing_but_time_made(rows: Rows) -> None:
    """Points that end without an event."""
    first = rows[0]
    rows.insert(0, {**first, "seq": first["seq"] - 1, "kind": "expire", "points": -1, "tx_hash": None, "log_index": -1})
    rows.insert(1, {**rows[0], "seq": first["seq"], "points": 1})
    for number, row in enumerate(rows, first["seq"] - 1):
        row["seq"] = number


def holds_owners(rows: Rows) -> None:
    swap(*two(rows, ("token", "state")), "account")


def holds_time(rows: Rows) -> None:
    rows[0]["placed_at"] -= 1


def holds_deadline(rows: Rows) -> None:
    rows[0]["hold_until"] += 86_400


def holds_points(rows: Rows) -> None:
    one, other = two(rows, ("token", "state"))
    one["points"] += 1
    other["points"] -= 1


def hold_that_was_captured(rows: Rows) -> None:
    rows[0]["captured"] = rows[0]["points"]


def holds_reward(rows: Rows) -> None:
    rows[0]["reward_id"] = "0x" + "77" * 32


def debts_between_members(rows: Rows) -> None:
    one, other = rows
    swap(one, other, "points")


def debt_of_less(rows: Rows) -> None:
    rows[0]["points"] -= 1


def no_debt(rows: Rows) -> None:
    rows.clear()


def obligation_to_another(rows: Rows) -> None:
    rows[0]["creditor_id"] += 1


def obligation_of_more(rows: Rows) -> None:
    rows[0]["outstanding"] += 1


def no_obligation(rows: Rows) -> None:
    rows.clear()


CHANGES: dict[str, list[Callable[[Rows], None]]] = {
    "balances": [
        points_between_members, lot_to_another_member, lots_owners, lot_in_two, lot_that_ends_later,
        lot_that_ends_at_another_second, no_lot,
    ],
    "entries": [
        entries_owners, entries_points, entrys_time, entrys_place, entrys_member, entrys_hold, entrys_held_points,
        entrys_operation, entries_order, an_entry_twice, an_entry_of_nothing, an_entry_that_nothing_but_time_made,
    ],
    "holds": [holds_owners, holds_time, holds_deadline, holds_points, hold_that_was_captured, holds_reward],
    "debts": [debts_between_members, debt_of_less, no_debt],
    "obligations": [obligation_to_another, obligation_of_more, no_obligation],
}  # fmt: skip


def test_a_sound_export_folds_to_its_own_rows(sound: Path, world: OnChain) -> None:
    """SPEC 15.10, 15.11"""
    assert bundle.check(sound, signer(world.keystore).verifier)[1] == []
    assert all(rows_of(sound, dataset) for dataset in CHANGES), "a dataset without rows would show nothing"


def test_the_statement_names_what_was_taken_back_and_what_is_owed(world: OnChain) -> None:
    """SPEC 15.2, 15.5"""
    with snapshot(world.engine) as connection:
        span = history.span(connection)
        [token] = [row for row in history.tokens(connection, span.last.number) if row["brand_id"] == "1"]
        desk = world.deployment.address("RedemptionDesk")
        found = liability(connection, brand_id=1, desk=desk, block=span.last.number)
        moved = movements(connection, token, history.moment(connection, span.first.number), found.moment)

    # 3,000 each: Dan had 500 left of his, Eve 1,000.
    assert (moved.taken_back, found.owed, moved.difference) == (1_500, 4_500, 0)


@pytest.mark.parametrize(
    ("dataset", "change"),
    [(dataset, change) for dataset, changes in CHANGES.items() for change in changes],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_what_was_changed_is_found_though_all_sums_are_right(
    export: Path, world: OnChain, dataset: str, change: Callable[[Rows], None]
) -> None:
    """SPEC 15.10, 15.11"""
    rows = rows_of(export, dataset)
    change(rows)
    rewrite(export, dataset, rows)

    _, problems = bundle.check(export)

    assert {one.file for one in problems} == {f"{dataset}.jsonl"}
    assert not any(one.what in ("rows", "sha256") or one.what.startswith("sum") for one in problems)
    assert sealing.NOTE in {one.file for one in bundle.check(export, signer(world.keystore).verifier)[1]}


def args(row: dict[str, Any]) -> Any:
    return json.loads(row["args"])


def written(row: dict[str, Any], **values: Any) -> None:
    row["args"] = orjson.dumps(args(row) | values, option=orjson.OPT_SORT_KEYS).decode()


def of_name(rows: Rows, name: str) -> Rows:
    return [row for row in rows if row["name"] == name]


def events_member(rows: Rows) -> None:
    one, other, *_ = of_name(rows, "Awarded")
    swap(one, other, "args")


def events_time(rows: Rows) -> None:
    of_name(rows, "Awarded")[0]["block_time"] += 1


def events_order(rows: Rows) -> None:
    rows[0], rows[1] = rows[1], rows[0]


def events_words(rows: Rows) -> None:
    """The last words of two members: an earlier event of theirs says nothing of what they have."""
    last = {(row["address"], args(row)["account"]): row for row in of_name(rows, "LotsChanged")}
    (token, account), one = next(iter(last.items()))
    others = [(key[1], row) for key, row in last.items() if key[0] == token]
    another, other = next((name, row) for name, row in others if args(row)["words"] != args(one)["words"])
    written(one, account=another)
    written(other, account=account)


def event_left_out(rows: Rows) -> None:
    rows.remove(of_name(rows, "HoldPlaced")[0])


def event_of_a_stranger(rows: Rows) -> None:
    of_name(rows, "Awarded")[0]["address"] = "0x" + "12" * 20


def event_without_its_parts(rows: Rows) -> None:
    of_name(rows, "HoldPlaced")[0]["args"] = "{}"


def event_beyond_the_block(rows: Rows) -> None:
    rows[-1]["block_number"] += 1_000


@pytest.mark.parametrize(
    "change",
    [
        events_member, events_time, events_order, events_words, event_left_out, event_of_a_stranger,
        event_without_its_parts, event_beyond_the_block,
    ],
    ids=lambda change: change.__name__,
)  # fmt: skip
def test_an_event_that_was_changed_alone_is_found(export: Path, change: Callable[[Rows], None]) -> None:
    """SPEC 15.11"""
    rows = rows_of(export, "events")
    change(rows)
    rewrite(export, "events", rows)

    _, problems = bundle.check(export)

    assert problems
    assert not any(one.what in ("rows", "sha256") or one.what.startswith("sum") for one in problems)


def test_a_signature_is_of_this_manifest_and_of_the_logs_key(export: Path, world: OnChain, tmp_path: Path) -> None:
    """SPEC 15.12"""
    key, other = signer(world.keystore), signer(world.keystore, 1)
    note, raw = (export / sealing.NOTE).read_text(), (export / "manifest.json").read_bytes()

    def found(text: str | None, verifier: Verifier = key.verifier) -> list[str]:
        if text is None:
            (export / sealing.NOTE).unlink(missing_ok=True)
        else:
            (export / sealing.NOTE).write_text(text)
        return [one.file for one in bundle.check(export, verifier)[1]]

    assert Note.parse(note).text.splitlines()[2] == f"sha256 {hashlib.sha256(raw).hexdigest()}"
    assert found(note) == []
    both = sign(Note.parse(note).text, key, other)
    assert (found(both), found(both, other.verifier)) == ([], [])
    for wrong in (
        None,
        "",
        note.replace("sha256 ", "sha256 0"),
        sign(Note.parse(note).text, other),
        sign(Note.parse(note).text, signer(world.keystore, 0, "example.com/other")),
        # What the key signed of another export, or as a checkpoint, is no signature of this one.
        sign(Note.parse(note).text.replace("sha256 ", "sha256 00"), key),
        sign(f"{ORIGIN}\n5\n{hashlib.sha256(raw).hexdigest()}\n", key),
    ):
        assert found(wrong) == [sealing.NOTE], wrong
    manifest = json.loads(raw)
    manifest["block"]["hash"] = "0x" + "ab" * 32
    (export / "manifest.json").write_text(json.dumps(manifest))
    assert sealing.NOTE in found(note)


def test_an_export_of_the_older_form_is_none(export: Path) -> None:
    """SPEC 15.11"""
    raw = (export / "manifest.json").read_text()
    (export / "manifest.json").write_text(raw.replace("moa-export/3", "moa-export/2"))
    with pytest.raises(ExportInvalid, match="moa-export/3"):
        bundle.check(export)
