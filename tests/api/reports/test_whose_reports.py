"""Whose books a report tells: an auditor all of them or one brand's, a brand its own, and what names it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.api.conftest import TOKENS, Caller, World, Worlds

DECIMALS = 6
# Brands of the registry by the gateway's names; nobody told it a name for 9.
NAMES = {"1": "cdnow", "2": "beans", "9": "9"}
OWED = {("1", "2"): "70", ("2", "9"): "5", ("9", "1"): "3"}


def version(world: World, relation: str, key: str, row: dict[str, Any], block: int = 3) -> None:
    world.run(
        "INSERT INTO ledger_version (relation, key, block_number, row) VALUES (:r, :k, :b, :v)",
        r=relation,
        k=key,
        b=block,
        v=orjson.dumps(row).decode(),
    )


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory, prepared: Any) -> Any:
    """A mirror at block 7 of three brands' debts, and of two brands' points since block 3."""
    worlds = Worlds(tmp_path_factory.mktemp("books"), prepared)
    world = worlds()
    # What the node told once; without it each answer would wait for one that is not there.
    world.app.state.moa.node._settlement_decimals = DECIMALS
    world.mirror()
    for number in range(8):
        world.run(
            "INSERT INTO mirror_block (number, hash, time) VALUES (:n, :h, :t)",
            n=number,
            h=f"0x{number:064x}",
            t=100 + number,
        )
    for (debtor, creditor), amount in OWED.items():
        row = {"debtor_id": debtor, "creditor_id": creditor, "outstanding": amount, "block_number": 3, "log_index": 0}
        world.run(
            "INSERT INTO obligation (debtor_id, creditor_id, outstanding, block_number, log_index)"
            " VALUES (:debtor_id, :creditor_id, '0', :block_number, :log_index)",
            **{name: value for name, value in row.items() if name != "outstanding"},
        )
        version(world, "obligation", f"{debtor}/{creditor}", row)
    for brand, token in TOKENS.items():
        registered = {"cdnow": "1", "beans": "2"}[brand]
        version(world, "brand_token", token, {"token": token, "brand_id": registered, "decimals": 2})
        version(world, "supply", token, {"token": token, "minted": "100", "burnt": "30"})
        version(world, "supply_lots", f"{token}/1", {"token": token, "expiry_epoch": 1, "points": "50"})
        world.run("INSERT INTO supply_lots (token, expiry_epoch, points) VALUES (:t, 1, '0')", t=token)
    yield world
    worlds.end()


def owed(world: World, caller: Caller, query: str = "") -> list[tuple[str, str, str, int | None]]:
    answer = caller.get(f"/v1/obligations{query}")
    assert answer.status_code == 200, answer.text
    told = answer.json()["obligations"]
    return [(one["debtor"], one["creditor"], one["outstanding"], one["decimals"]) for one in told]


def named(*pairs: tuple[str, str]) -> list[tuple[str, str, str, int | None]]:
    return [(NAMES[one], NAMES[other], OWED[one, other], DECIMALS) for one, other in pairs]


def test_an_auditor_is_told_what_all_owe_or_what_names_one(books: World) -> None:
    """SPEC 15.3"""
    auditor = books.auditor()

    assert owed(books, auditor) == named(("1", "2"), ("2", "9"), ("9", "1"))
    assert owed(books, auditor, "?brand=beans") == named(("1", "2"), ("2", "9"))
    assert owed(books, auditor, "?brand=nobody") == []


def test_a_brand_is_told_what_it_owes_and_what_it_is_owed(books: World) -> None:
    """SPEC 15.3"""
    assert owed(books, books.brand) == owed(books, books.brand, "?brand=cdnow") == named(("1", "2"), ("9", "1"))
    assert owed(books, books.other) == named(("1", "2"), ("2", "9"))
    assert books.brand.get("/v1/obligations?brand=beans").json()["error"] == "NotYours"
    assert books.anyone.get("/v1/obligations").status_code == 401


def test_before_its_block_nothing_was_owed(books: World) -> None:
    """SPEC 15.1"""
    auditor = books.auditor()

    assert owed(books, auditor, "?block=2") == []
    assert len(owed(books, auditor, "?block=3")) == 3
    assert auditor.get("/v1/obligations?block=8").json()["error"] == "HistoryNotAvailable"
    both = auditor.get("/v1/obligations?block=3&at=2030-01-02T00:00:00Z")
    assert both.json()["error"] == "AsOfMalformed"


@pytest.mark.parametrize(("block", "finality"), [(4, "final"), (5, "safe"), (6, "safe"), (7, "latest")])
def test_a_report_says_of_which_block_it_is_and_how_final_that_was(books: World, block: int, finality: str) -> None:
    """SPEC 15.1"""
    told = books.auditor().get(f"/v1/supply?block={block}").json()["as_of"]

    assert (told["block_number"], told["block_hash"], told["finality"]) == (block, f"0x{block:064x}", finality)
    assert told["block_time"].startswith("1970-01-01T00:01:4")


def test_a_supply_is_told_of_each_token_or_of_ones_own(books: World) -> None:
    """SPEC 15.1, 15.3"""
    auditor = books.auditor()

    def told(caller: Caller, query: str = "") -> list[tuple[str, ...]]:
        found = caller.get(f"/v1/supply{query}").json()["supplies"]
        return [tuple(one[name] for name in ("brand", "minted", "burnt", "expired", "live")) for one in found]

    numbers = ("100", "30", "20", "50")
    assert sorted(told(auditor)) == [("beans", *numbers), ("cdnow", *numbers)]
    assert told(auditor, "?brand=beans") == told(books.other) == [("beans", *numbers)]
    assert told(auditor, "?brand=nobody") == told(auditor, "?block=2") == []
    unnamed = auditor.get("/v1/reports/liability").json()
    assert unnamed["error"] == "RequestMalformed"
