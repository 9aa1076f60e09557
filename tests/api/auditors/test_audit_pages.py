"""Every page that auditors, brands and members read: whatever the size of a page, all of it once, in one order."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from chain.mirror.models import Hold
from tests.api.conftest import TOKENS, Caller, World, purchase
from tests.api.conftest import both as kind  # noqa: F401

MEMBERS = 5
ENTRIES_EACH = 2
# What a page of these holds, under which name, and what tells its items apart.
PAGES: dict[str, tuple[dict[str, str], str, str]] = {
    "/v1/audit/balances": ({"brand": "cdnow"}, "balances", "account"),
    "/v1/audit/accounts/{address}/balances": ({}, "balances", "brand"),
    "/v1/audit/accounts/{address}/entries": ({}, "entries", "id"),
    "/v1/audit/entries": ({}, "entries", "id"),
    "/v1/audit/entries of a brand": ({"brand": "beans"}, "entries", "id"),
    "/v1/audit/holds": ({}, "holds", "hold_id"),
    "/v1/audit/operations": ({}, "operations", "id"),
    "/v1/audit/keys": ({}, "keys", "id"),
}
COUNTS = {
    "/v1/audit/balances": MEMBERS,
    "/v1/audit/accounts/{address}/balances": len(TOKENS),
    "/v1/audit/accounts/{address}/entries": ENTRIES_EACH * len(TOKENS),
    "/v1/audit/entries": MEMBERS * ENTRIES_EACH * len(TOKENS),
    "/v1/audit/entries of a brand": MEMBERS * ENTRIES_EACH,
    "/v1/audit/holds": 4,
    "/v1/audit/operations": 6,
}


def hold(number: int, account: str) -> Hold:
    """As the mirror writes it."""
    return Hold(
        hold_id=f"0x{number:064x}",
        brand_id="1",
        token=TOKENS["cdnow"],
        account=account,
        state="held",
        points="5",
        captured="0",
        refunded="0",
        hold_until=9,
        reward_id="0x" + "00" * 32,
        placed_tx_hash="0x" + "aa" * 32,
        placed_at=1,
        block_number=7,
        log_index=number,
    )


@pytest.fixture(scope="module")
def world(shared_world: World) -> World:
    """Two brands with five members each, their entries, holds, purchases and keys."""
    shared_world.mirror()
    addresses = []
    for index in range(MEMBERS):
        made = shared_world.member(f"m-{index}")
        addresses.append(made["address"])
    for index, address in enumerate(addresses):
        for brand, token in TOKENS.items():
            shared_world.run(
                "INSERT INTO balance (token, account, lots, points, block_number, log_index)"
                " VALUES (:t, :a, :l, '5', 7, 0)",
                t=token, a=address.lower(), l=f"{5 << 48:064x}" + "0" * 192,
            )  # fmt: skip
            for entry in range(ENTRIES_EACH):
                shared_world.entry(address, 5, brand=brand, index=10 * index + entry)
    with shared_world.database.write() as session:
        session.add_all(hold(number, addresses[0].lower()) for number in range(COUNTS["/v1/audit/holds"]))
    for number in range(COUNTS["/v1/audit/operations"]):
        assert shared_world.brand.write("/v1/purchases", purchase(number, member="m-0")).status_code == 202
    return shared_world


@pytest.fixture(scope="module")
def auditor(world: World) -> Caller:
    return world.auditor()


def walk(auditor: Caller, world: World, page: str, limit: int) -> list[list[Any]]:
    """What tells the items apart, page by page, as whoever follows next_cursor gets them."""
    parameters, name, by = PAGES[page]
    account = world.rows("SELECT MIN(account) FROM balance")[0][0]
    path = page.split(" ")[0].replace("{address}", account)
    found: list[list[Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = auditor.get(path, limit=limit, **parameters, **cursor)
        assert answer.status_code == 200, answer.text
        found.append([item[by] for item in answer.json()[name]])
        if answer.json()["next_cursor"] is None:
            return found
        cursor = {"cursor": answer.json()["next_cursor"]}
        assert len(found) <= 100, "the pages have no end"


@pytest.mark.parametrize("page", PAGES)
def test_pages_of_any_size_make_up_the_whole_in_its_order(world: World, auditor: Caller, page: str) -> None:
    """SPEC 14.15"""
    [whole] = walk(auditor, world, page, 500)
    assert len(whole) == len(set(whole)) == COUNTS.get(page, len(whole))
    assert len(whole) >= 2

    count = len(whole)
    for limit in sorted({1, 3, count - 1, count, count + 1}):
        pages = walk(auditor, world, page, limit)

        assert [one for each in pages for one in each] == whole
        full, rest = divmod(count, limit)
        # Full ones, then what is left; a page that holds the last item says that nothing follows.
        assert [len(each) for each in pages] == [limit] * full + ([rest] if rest else [])


def test_the_chains_seconds_are_told_as_moments(world: World, auditor: Caller) -> None:
    """SPEC 14.15"""
    world.agreement()
    world.run("UPDATE agreement SET ends_at = 61")

    [first, *_] = auditor.get("/v1/audit/holds").json()["holds"]
    assert (first["brand"], first["hold_until"]) == ("cdnow", "1970-01-01T00:00:09.000Z")
    rules = auditor.get("/v1/audit/rules").json()["rules"]
    assert [(rule["brand"], rule["in_force_at"]) for rule in rules] == [
        ("cdnow", "1970-01-01T00:00:01.000Z"),
        ("beans", "1970-01-01T00:00:01.000Z"),
    ]
    [agreement] = auditor.get("/v1/audit/agreements").json()["agreements"]
    assert agreement["ends_at"] == "1970-01-01T00:01:01.000Z"
    [(seconds,)] = world.rows("SELECT block_time FROM entry WHERE seq = 1")
    told = auditor.get("/v1/audit/entries", limit=1).json()["entries"][0]["at"]
    assert datetime.fromisoformat(told).timestamp() == seconds
