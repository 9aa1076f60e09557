"""Places of before a rebuild, and places that never were: told by name, obeyed, and never believed (SPEC 9.30)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.api.conftest import TOKENS, Caller, World, Worlds, served
from tests.api.views.test_stream import listening

OLD, NEW = "0a0a0a0a0a0a", "0b0b0b0b0b0b"


@pytest.fixture
def live(make_world: Worlds) -> World:
    world = make_world(heartbeat=timedelta(milliseconds=300), stream_poll=timedelta(milliseconds=20))
    world.mirror(generation=NEW)
    return world


@pytest.fixture
def member(live: World) -> dict[str, Any]:
    made = live.member()
    for index in range(1, 6):
        live.entry(made["address"], index, index=index)
    return made


def rebuilt(world: World, address: str, points: int) -> None:
    """The mirror was emptied and stands again, with one entry that has the number of an earlier one."""
    world.run("DELETE FROM entry")
    world.run("DELETE FROM sqlite_sequence WHERE name = 'entry'")
    world.entry(address, points, index=9)
    world.mirror(8, generation=OLD)


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(f"{OLD}.2", id="of the mirror before"),
        pytest.param(f"{NEW}.6", id="above every number"),
        pytest.param(f"{NEW}.{2**63 - 1}", id="absurd"),
        pytest.param("2", id="of before there were generations"),
        pytest.param("9" * 19, id="absurd and of before"),
    ],
)
def test_a_stream_that_cannot_go_on_says_so_first_and_begins_from_now(
    live: World, member: dict[str, Any], place: str
) -> None:
    """SPEC 9.30"""
    with served(live) as (url, _), listening(url, live.session(member).key, place) as events:
        name, told, reset_id = events.next()
        after, view, view_id = events.next()
        live.entry(member["address"], 77, index=77)
        entry, entry_id = events.until("entry")

    assert (name, told["error"], reset_id) == ("reset", "CursorExpired", f"{NEW}.5")
    assert (after, view["member"]["id"], view_id) == ("view", member["id"], reset_id)
    assert (entry["points"], entry_id) == ("77", f"{NEW}.6"), "what comes after is told once, and nothing before it"


@pytest.mark.parametrize("seq", [0, 3, 5])
def test_a_place_that_there_is_resumes_without_a_reset(live: World, member: dict[str, Any], seq: int) -> None:
    """SPEC 9.13"""
    with served(live) as (url, _), listening(url, live.session(member).key, f"{NEW}.{seq}") as events:
        seen = [events.next() for _ in range(5 - seq + 1)]

    assert [name for name, _, _ in seen] == ["entry"] * (5 - seq) + ["view"]
    assert [event_id for _, _, event_id in seen] == [f"{NEW}.{n}" for n in range(seq + 1, 6)] + [f"{NEW}.5"]


def test_an_open_stream_is_told_when_the_mirror_is_built_anew(live: World, member: dict[str, Any]) -> None:
    """SPEC 9.30: also while there is no mirror at all, and though its numbers begin below those that were told."""
    with served(live) as (url, _), listening(url, live.session(member).key) as events:
        events.settle()
        live.run("DELETE FROM mirror_checkpoint")
        live.run(
            "INSERT INTO mirror_reorg (common_number, head_number, depth, entries_removed, at_ms)"
            " VALUES (5, 7, 2, 0, 1)"
        )
        rebuilt(live, member["address"], 55)
        told, reset_id = events.until("reset")
        view, view_id = events.until("view")
        live.entry(member["address"], 66, index=10)
        entry, entry_id = events.until("entry")

    assert (told["error"], reset_id) == ("CursorExpired", f"{OLD}.1")
    assert (view["as_of"]["block_number"], view_id) == (8, reset_id)
    assert (entry["points"], entry_id) == ("66", f"{OLD}.2")


PAGES = ["/v1/me/entries", "/v1/audit/entries", "/v1/audit/balances", "/v1/audit/holds"]
BRAND = {"/v1/audit/balances": {"brand": "cdnow"}}


def caller_of(world: World, member: dict[str, Any], page: str) -> Caller:
    return world.session(member) if page.startswith("/v1/me") else world.auditor()


def fill(world: World, address: str) -> None:
    """Three rows of everything that has pages."""
    for number in range(3):
        account = address if number == 0 else "0x" + f"{number}a" * 20
        world.holds_points(account, 5)
        world.run(
            "INSERT INTO hold (hold_id, brand_id, token, account, state, points, captured, refunded, hold_until,"
            " reward_id, placed_tx_hash, placed_at, block_number, log_index)"
            " VALUES (:i, '1', :t, :a, 'held', '5', '0', '0', 99, '', '0x', 1, 7, 1)",
            i=f"0x{number:064x}",
            t=TOKENS["cdnow"],
            a=account,
        )


@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_the_mirror_before_is_refused_by_name(live: World, member: dict[str, Any], page: str) -> None:
    """SPEC 9.30"""
    fill(live, member["address"])
    caller = caller_of(live, member, page)
    query = BRAND.get(page, {}) | {"limit": "2"}
    first = caller.get(page, **query).json()
    cursor = first["next_cursor"]
    assert cursor.startswith(f"{NEW}."), first
    assert caller.get(page, **query, cursor=cursor).status_code == 200

    live.mirror(8, generation=OLD)
    refused = caller.get(page, **query, cursor=cursor)

    assert (refused.status_code, refused.json()["error"]) == (410, "CursorExpired")
    assert caller.get(page, **query).json()["next_cursor"].startswith(f"{OLD}.")


@pytest.mark.parametrize(
    ("page", "cursor", "status", "error"),
    [
        ("/v1/me/entries", f"{NEW}.6", 410, "CursorExpired"),
        ("/v1/audit/entries", f"{NEW}.6", 410, "CursorExpired"),
        ("/v1/audit/operations", "1", 410, "CursorExpired"),
        ("/v1/audit/keys", "0" * 12, 410, "CursorExpired"),
        ("/v1/audit/operations", "x1", 422, "CursorMalformed"),
        ("/v1/audit/operations", "9" * 19, 422, "CursorMalformed"),
        ("/v1/audit/keys", "z" * 12, 422, "CursorMalformed"),
        ("/v1/audit/holds", f"{NEW}.0x12", 422, "CursorMalformed"),
        ("/v1/audit/holds", "0x" + "0" * 64, 422, "CursorMalformed"),
        ("/v1/audit/balances", f"{NEW}.5", 422, "CursorMalformed"),
        ("/v1/audit/entries", "5", 422, "CursorMalformed"),
        ("/v1/me/entries", "5", 422, "CursorMalformed"),
    ],
)
def test_a_place_that_never_was_is_not_believed(
    live: World, member: dict[str, Any], page: str, cursor: str, status: int, error: str
) -> None:
    """SPEC 9.30"""
    caller = caller_of(live, member, page)

    answer = caller.get(page, **BRAND.get(page, {}), cursor=cursor)

    assert (answer.status_code, answer.json()["error"]) == (status, error)
