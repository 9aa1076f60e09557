"""What the gateway answers does not depend on where rows lie (SPEC 9.32)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api import migrate
from api.views import member_view
from tests.api.conftest import TOKENS, Caller, World, new_gateway, purchase, settings_in
from tests.support.shuffling import shuffled

MEMBERS = 6
SEED = 7
# What differs between any two looks: how old a view is, and when keys were used last.
MOVING = re.compile(r'"(age_s|last_used_at)": ?("[^"]*"|[0-9.e-]+|null)')


@pytest.fixture
def world(url: str, tmp_path: Path) -> Iterator[World]:
    """A gateway on the database, with some of everything."""
    migrate.run(url)
    with new_gateway(settings_in(tmp_path, url)) as made:
        yield made


def fill(world: World) -> dict[str, Any]:
    """Members with points, entries, holds, purchases, keys; the first one's answer."""
    world.mirror()
    world.rule()
    world.agreement()
    members = [world.member(f"m-{number}") for number in range(MEMBERS)]
    ada = members[0]
    for number, member in enumerate(members):
        for brand in TOKENS:
            world.holds_points(member["address"], 1_000 + number, brand)
        for index in range(3):
            world.entry(ada["address"] if index else member["address"], index, index=10 * number + index)
        for index in range(4):
            world.run(
                "INSERT INTO hold (hold_id, brand_id, token, account, state, points, captured, refunded, hold_until,"
                " reward_id, placed_tx_hash, placed_at, block_number, log_index)"
                " VALUES (:i, '1', :t, :a, 'held', :p, '0', '0', 99, '', '0x', 1, 7, 1)",
                i=f"0x{number:032x}{index:032x}",
                t=TOKENS["cdnow"],
                a=ada["address"].lower(),
                p=str(number * 7 + index),
            )
        answer = world.brand.write("/v1/purchases", purchase(number, member="m-0", amount=str(100 + number)))
        assert answer.status_code == 202, answer.text
    # All in one millisecond, as a quick machine makes them.
    for _ in range(3):
        world.operator.write("/v1/brands/cdnow/keys")
        world.operator.write("/v1/auditors/keys")
    world.run("UPDATE api_key SET created_at_ms = 1")
    world.run("UPDATE enrolment SET created_at_ms = 1")
    return ada


def answers(world: World, ada: dict[str, Any], callers: dict[str, Caller]) -> dict[str, str]:
    """What everyone is told, by route; pages to their end."""
    found: dict[str, str] = {}
    for name, path, query in (
        ("member", "/v1/me/view", {}),
        ("member", "/v1/me/entries", {"limit": "7"}),
        ("brand", f"/v1/members/{ada['id']}", {}),
        ("brand", f"/v1/members/{ada['id']}/view", {}),
        ("brand", f"/v1/members/{ada['id']}/entries", {"limit": "7"}),
        ("brand", "/v1/operations", {}),
        ("brand", "/v1/operations/3", {}),
        ("operator", "/v1/brands", {}),
        ("operator", "/v1/brands/cdnow/keys", {}),
        ("operator", "/v1/auditors/keys", {}),
        ("auditor", "/v1/audit/brands", {}),
        ("auditor", "/v1/audit/balances", {"brand": "cdnow", "limit": "5"}),
        ("auditor", f"/v1/audit/accounts/{ada['address']}/balances", {"limit": "1"}),
        ("auditor", f"/v1/audit/accounts/{ada['address']}/entries", {"limit": "5"}),
        ("auditor", "/v1/audit/entries", {"limit": "5"}),
        ("auditor", "/v1/audit/entries", {"limit": "5", "brand": "cdnow"}),
        ("auditor", "/v1/audit/rules", {}),
        ("auditor", "/v1/audit/agreements", {}),
        ("auditor", "/v1/audit/clearing", {}),
        ("auditor", "/v1/audit/holds", {"limit": "5"}),
        ("auditor", "/v1/audit/operations", {"limit": "5"}),
        ("auditor", "/v1/audit/keys", {"limit": "3"}),
    ):
        told: list[str] = []
        cursor: str | None = None
        while cursor is not None or not told:
            answer = callers[name].get(path, **query, **({} if cursor is None else {"cursor": cursor}))
            assert answer.status_code == 200, (path, answer.text)
            told.append(MOVING.sub(r'"\1"', answer.text))
            cursor = answer.json().get("next_cursor")
        found[f"{path} {query}"] = "\n".join(told)
    return found


def test_every_answer_is_the_same_wherever_rows_lie(world: World, url: str, monkeypatch: Any) -> None:
    """SPEC 9.32: also where only some of the rows are counted, because there are more than the bound."""
    monkeypatch.setattr(member_view, "HOLDS_MAX", 5)
    monkeypatch.setattr(member_view, "PENDING_MAX", 5)
    ada = fill(world)
    callers = {
        "member": world.session(ada), "brand": world.brand, "operator": world.operator, "auditor": world.auditor()
    }  # fmt: skip
    before = answers(world, ada, callers)

    state = world.app.state.moa
    state.database.close()
    with shuffled(world.database.engine, url, SEED):
        after = answers(world, ada, callers)
        state.database.close()

    for what, told in before.items():
        assert after[what] == told, what
