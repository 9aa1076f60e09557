"""Rows changed, removed and added behind the mirror's back: every table, on each node and in each database."""

import json
from typing import Any

import pytest

from chain.audit.errors import MirrorMissing
from chain.audit.report import Report
from chain.base.difference import MIRROR
from chain.mirror.models import MIRROR_TABLES
from chain.storage.columns import table_of

pytestmark = pytest.mark.slow

TABLES = {table_of(model).name for model in MIRROR_TABLES}
# One column of each table, and the change.
CHANGES = {
    "mirror_checkpoint": ("block_time", "block_time + 1"),
    "mirror_block": ("time", "time + 1"),
    "ledger_event": ("tx_index", "tx_index + 1"),
    "entry": ("held", "'77'"),
    "balance": ("log_index", "log_index + 1"),
    "lot_end": ("block_number", "block_number + 1"),
    "brand_token": ("grace_s", "grace_s + 1"),
    "brand_standing": ("treasury", "'0x00'"),
    "supply": ("burnt", "'123456'"),
    "hold": ("captured", "'7'"),
    "obligation": ("outstanding", "'1'"),
    "collateral": ("collateral", "'5'"),
    "rule": ("in_force_at", "in_force_at - 1"),
    "agreement": ("proposed_by", "'9'"),
    "supply_lots": ("points", "'9'"),
    "debt": ("points", "'9'"),
    "balance_version": ("log_index", "log_index + 1"),
    "ledger_version": ("row", "'{}'"),
}


def named(report: Report, what: str | None = None) -> set[str]:
    """The tables that differences name."""
    assert not report.agrees
    assert all(one.kind == MIRROR for one in report.differences), [str(one) for one in report.differences]
    return {one.where.table for one in report.differences if what in (None, one.what)}  # type: ignore[misc]


def test_books_that_nobody_touched_agree_whole(books: Any) -> None:
    """SPEC 12.1"""
    report = books.audit()

    assert report.agrees, [str(one) for one in report.differences]
    assert report.counts["events"] > 100
    assert report.counts["rows"] > 200
    assert report.counts["slots proven"] > 50


def test_a_row_changed_in_any_table_is_found_and_named(books: Any) -> None:
    """SPEC 12.5"""
    assert set(CHANGES) == TABLES
    for table, (column, value) in CHANGES.items():
        books.run(f"UPDATE {table} SET {_quoted(column)} = {value}")

    report = books.audit()

    assert named(report) == TABLES
    changed = {(one.where.table, one.what) for one in report.differences}
    for table, (column, _) in CHANGES.items():
        assert table == "ledger_version" or (table, column) in changed


def test_a_row_removed_from_any_table_is_found_and_named(books: Any) -> None:
    """SPEC 12.5"""
    tables = TABLES - {"mirror_checkpoint"}
    for table in tables:
        books.run(f"DELETE FROM {table} WHERE {_first(books, table)}")

    report = books.audit()

    assert named(report, "row removed") == tables


def test_a_row_added_to_any_table_is_found_and_named(books: Any) -> None:
    """SPEC 12.5"""
    # A copy of a row under another key.
    for table, key in ADDITIONS.items():
        columns = [column.name for column in _table(table).columns if (table, column.name) != ("entry", "seq")]
        values = [key.get(column, _quoted(column)) for column in columns]
        names = ", ".join(map(_quoted, columns))
        books.run(f"INSERT INTO {table} ({names}) SELECT {', '.join(values)} FROM {table} LIMIT 1")

    report = books.audit()

    assert named(report, "row added") == set(ADDITIONS)


ADDITIONS = {
    "mirror_block": {"number": "-1"},
    "ledger_event": {"log_index": "9999"},
    "entry": {"log_index": "9999"},
    "balance": {"account": "'0x00000000000000000000000000000000000000aa'"},
    "lot_end": {"account": "'0x00000000000000000000000000000000000000aa'"},
    "brand_token": {"token": "'0x00'", "brand_id": "'77'"},
    "brand_standing": {"brand_id": "'77'"},
    "supply": {"token": "'0x00'"},
    "hold": {"hold_id": "'0x00'"},
    "obligation": {"creditor_id": "'77'"},
    "collateral": {"brand_id": "'77'"},
    "rule": {"version": "77"},
    "agreement": {"agreement_id": "'77'"},
    "supply_lots": {"expiry_epoch": "77"},
    "debt": {"account": "'0x00000000000000000000000000000000000000aa'"},
    "balance_version": {"block_number": "1"},
    "ledger_version": {"block_number": "1"},
}


def test_an_amount_off_by_one_is_told_with_both_values(books: Any) -> None:
    """SPEC 12.5"""
    seq, points = books.one("SELECT seq, points FROM entry WHERE kind = 'award' AND points = '250'") or books.one(
        "SELECT seq, points FROM entry WHERE kind = 'award' ORDER BY seq LIMIT 1"
    )
    books.run(f"UPDATE entry SET points = '{int(points) + 1}' WHERE seq = {seq}")

    (difference,) = books.audit().differences

    assert (difference.what, difference.said, difference.right) == ("points", str(int(points) + 1), points)
    assert difference.where.table == "entry"
    assert difference.look.startswith("SELECT * FROM entry WHERE block_number = ")


def test_a_lot_moved_to_another_date_is_found_though_the_sum_stays(books: Any) -> None:
    """SPEC 12.5"""
    token, account, lots = books.one("SELECT token, account, lots FROM balance WHERE points <> '0' LIMIT 1")
    words = [lots[start : start + 64] for start in range(0, 256, 64)]
    place = next(index for index, word in enumerate(words) if int(word, 16))
    # The lowest digits are the oldest lot of the word: the same points, one epoch later.
    tag, points = words[place][:4], words[place][4:]
    moved = points[12:] + points[:12] if points[:12].strip("0") else points[12:] + "0" * 12
    words[place] = tag + moved
    books.run(f"UPDATE balance SET lots = '{''.join(words)}' WHERE token = '{token}' AND account = '{account}'")

    report = books.audit()

    assert [(one.what, one.where.key) for one in report.differences] == [("lots", (token, account))]


def test_an_obligation_dropped_from_a_statement_is_found(books: Any) -> None:
    """SPEC 12.5"""
    row = books.one("SELECT debtor_id, creditor_id, outstanding FROM obligation WHERE outstanding <> '0'")
    books.run(f"DELETE FROM obligation WHERE debtor_id = '{row[0]}' AND creditor_id = '{row[1]}'")

    (difference,) = books.audit().differences

    assert (difference.what, difference.where.table) == ("row removed", "obligation")
    assert difference.right["outstanding"] == row[2]


def test_entries_that_changed_places_are_found(books: Any) -> None:
    """SPEC 12.5"""
    first, last = (books.one(f"SELECT {end}(seq) FROM entry")[0] for end in ("min", "max"))
    books.run(
        f"UPDATE entry SET seq = 0 WHERE seq = {first}",
        f"UPDATE entry SET seq = {first} WHERE seq = {last}",
        f"UPDATE entry SET seq = {last} WHERE seq = 0",
    )

    assert {one.what for one in books.audit().differences} == {"order of entries"}


def test_rows_above_the_mirrors_own_last_block_are_found(books: Any) -> None:
    """SPEC 12.5"""
    far = {"ledger_event": "block_number", "entry": "block_number", "mirror_block": "number"}
    far |= {"balance_version": "block_number", "ledger_version": "block_number"}
    for table, key in far.items():
        columns = [column.name for column in _table(table).columns if (table, column.name) != ("entry", "seq")]
        values = ["123456" if column == key else _quoted(column) for column in columns]
        names = ", ".join(map(_quoted, columns))
        books.run(f"INSERT INTO {table} ({names}) SELECT {', '.join(values)} FROM {table} LIMIT 1")

    assert named(books.audit(), "row added") == set(far)


def test_rubbish_in_the_mirror_is_found_and_trips_nobody(ledger: Any) -> None:
    """SPEC 12.5"""
    # SQLite keeps words in columns of numbers and of JSON.
    ledger.run(
        "UPDATE ledger_event SET args = '{' WHERE name = 'Transfer'",
        "UPDATE ledger_event SET block_number = 'x' || block_number WHERE log_index = 1",
        "UPDATE entry SET block_number = 'y' || block_number, detail = 'no JSON' WHERE kind = 'award'",
        "UPDATE hold SET hold_until = 'soon'",
        "UPDATE collateral SET in_default = 'perhaps'",
        "UPDATE balance_version SET block_number = 'z' || block_number, lots = 'w' WHERE block_number % 2 = 0",
        "UPDATE ledger_version SET row = '[', block_number = 'v' || block_number WHERE block_number % 2 = 0",
        "UPDATE rule SET terms = '{{{'",
    )

    spoilt = {"ledger_event", "entry", "hold", "collateral", "balance_version", "ledger_version", "rule"}

    assert named(ledger.audit()) == spoilt


def test_a_mirror_behind_the_pin_or_of_another_chain_is_no_verdict(ledger: Any) -> None:
    """SPEC 12.8"""
    ledger.run("UPDATE mirror_checkpoint SET block_number = block_number - 1")
    with pytest.raises(MirrorMissing, match="wait for it"):
        ledger.audit()
    ledger.run("UPDATE mirror_checkpoint SET block_number = block_number + 1, genesis_hash = '0x00'")
    with pytest.raises(MirrorMissing, match="not this one"):
        ledger.audit()


def _table(name: str) -> Any:
    return next(table_of(model) for model in MIRROR_TABLES if table_of(model).name == name)


def _quoted(column: str) -> str:
    return f'"{column}"'


def _first(books: Any, table: str) -> str:
    keys = [column.name for column in _table(table).primary_key.columns]
    row = books.one(
        f"SELECT {', '.join(map(_quoted, keys))} FROM {table} ORDER BY {', '.join(map(_quoted, keys))} LIMIT 1"
    )
    return " AND ".join(f"{_quoted(key)} = '{value}'" for key, value in zip(keys, row, strict=True))


@pytest.mark.parametrize("number", ["-9223372036854775808", "-9e999", "5.5", "x'00'"])
def test_no_number_is_so_low_or_so_strange_that_a_row_is_not_seen(ledger: Any, number: str) -> None:
    """SPEC 12.5"""
    for table in ("entry", "ledger_event", "balance_version", "ledger_version"):
        columns = [column.name for column in _table(table).columns if (table, column.name) != ("entry", "seq")]
        values = ", ".join(number if column == "block_number" else _quoted(column) for column in columns)
        names = ", ".join(map(_quoted, columns))
        ledger.run(f"INSERT INTO {table} ({names}) SELECT {values} FROM {table} LIMIT 1")

    report = ledger.audit()

    assert sorted(one.where.table for one in report.differences) == [
        "balance_version", "entry", "ledger_event", "ledger_version",
    ]  # fmt: skip
    assert {one.what for one in report.differences} == {"row added"}
    json.dumps([one.as_dict() for one in report.differences])


def test_a_mirror_that_claims_blocks_to_come_excuses_no_row(ledger: Any) -> None:
    """SPEC 12.5"""
    far = 1 << 40
    ledger.run(
        "UPDATE balance SET points = '999999999'",
        f"INSERT INTO balance_version SELECT token, account, {far}, log_index, lots FROM balance_version "
        f"WHERE block_number = (SELECT max(block_number) FROM balance_version)",
        f"UPDATE mirror_checkpoint SET block_number = {far}",
    )

    with pytest.raises(MirrorMissing):
        ledger.audit()


def test_history_that_is_said_to_be_gone_is_a_difference(ledger: Any) -> None:
    """SPEC 12.5"""
    ledger.run("UPDATE mirror_checkpoint SET history_from = block_number", "DELETE FROM balance_version")

    report = ledger.audit()

    assert "history_from" in {one.what for one in report.differences}


def test_no_is_not_nought_in_a_document(ledger: Any) -> None:
    """SPEC 12.5"""
    ledger.run("UPDATE ledger_version SET row = replace(row, 'false', '0') WHERE row LIKE '%false%'")

    assert named(ledger.audit()) == {"ledger_version"}


def test_an_end_that_is_missing_false_or_doubled_is_named(books: Any) -> None:
    """SPEC 12.80: one after the other, each with its own name and the account that it is of."""
    assert books.one("SELECT count(*) FROM entry WHERE kind = 'expire'")[0] >= 3
    row = books.one("SELECT seq, block_number, account, points FROM entry WHERE kind = 'expire' ORDER BY seq LIMIT 1")
    names = [column.name for column in _table("entry").columns if column.name != "seq"]
    columns = ", ".join(names)
    copies = {
        # Doubled: the same end once more, in the block behind and in its own.
        "expiry that never was": {"block_number": "block_number + 1"},
        # False: somebody who had nothing, and an end before its time.
        "expiry that never was ": {"account": "'0x00000000000000000000000000000000000000aa'"},
        "expiry that never was  ": {"block_number": "block_number - 1"},
        "expiry that never was   ": {"log_index": "log_index - 1"},
    }
    for what, values in copies.items():
        shown = ", ".join(values.get(name, name) for name in names)
        books.run(f"INSERT INTO entry ({columns}) SELECT {shown} FROM entry WHERE seq = {row[0]}")
        found = [one for one in books.audit().differences if one.what != "order of entries"]
        assert [(one.what, one.rule) for one in found] == [(what.strip(), "12.80")]
        books.run("DELETE FROM entry WHERE seq = (SELECT MAX(seq) FROM entry)")

    books.run(f"UPDATE entry SET points = '{int(row[3]) - 1}' WHERE seq = {row[0]}")
    (difference,) = books.audit().differences
    assert (difference.what, difference.said, difference.right) == ("points", str(int(row[3]) - 1), row[3])

    books.run(f"DELETE FROM entry WHERE seq = {row[0]}")
    (difference,) = books.audit().differences
    assert (difference.what, difference.rule) == ("expiry missing", "12.80")
    assert (difference.where.block, difference.right["account"], difference.right["points"]) == (row[1], row[2], row[3])
