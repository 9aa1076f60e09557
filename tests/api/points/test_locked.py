"""Awards of a rule with a lock: taken now, sent after it, and told apart until then."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from api.kit.clock import second_of
from api.views.member_view import UNLOCKING_MAX, next_end_s
from chain.outbox import locked, operations
from chain.storage.database import writing
from tests.api.conftest import NDJSON, TERMS, World, purchase

DAY_S = 86_400
LOCK_S = 14 * DAY_S


def lock(world: World, lock_s: int = LOCK_S, rule: int = 1, **terms: Any) -> None:
    """The first brand's rule has this lock from now on."""
    told = orjson.dumps({**orjson.loads(TERMS), "lockSeconds": str(lock_s), **terms}).decode()
    world.run("DELETE FROM rule WHERE brand_id = '1' AND rule_id = :r", r=str(rule))
    world.run(
        "INSERT INTO rule (brand_id, rule_id, version, in_force_at, withdrawn, terms)"
        " VALUES ('1', :r, 1, 1, false, :t)",
        r=str(rule),
        t=told,
    )


def today(before_s: float = 0) -> str:
    """So long ago, with a part of a second."""
    return datetime.fromtimestamp(int(time.time() - before_s) + 0.25, UTC).isoformat()


def due_s(occurred_at: str, lock_s: int = LOCK_S) -> int:
    return int(datetime.fromisoformat(occurred_at).timestamp() + 0.75) + lock_s


@pytest.fixture
def bought(world: World) -> tuple[dict[str, Any], dict[str, Any], int]:
    """A member, the answer to a purchase of a minute ago under a lock, and the second at which it is due."""
    lock(world)
    world.mirror()
    member = world.member()
    at = today(60)
    answer = world.brand.write("/v1/purchases", purchase(occurred_at=at), Prefer="wait=20")
    assert answer.status_code == 202, "nobody waits for two weeks"
    return member, answer.json(), due_s(at)


def balance(told: Any) -> dict[str, Any]:
    [found] = told.json()["balances"]
    found_: dict[str, Any] = found
    return found_


def test_a_purchase_under_a_lock_is_taken_now_and_says_when_it_counts(world: World, bought: Any) -> None:
    """SPEC 9.110"""
    _, told, due = bought
    operation = told["operation"]
    assert operation["state"] == "locked"
    assert second_of(operation["locked_until"]) == due
    assert world.rows("SELECT COUNT(*) FROM event")[0][0] == world.rows("SELECT COUNT(*) FROM award")[0][0] == 1
    assert world.rows("SELECT state, operation_id, due_at_ms FROM operation") == [("locked", "1", due * 1000)]
    counts = world.brand.get("/v1/operations").json()["states"]
    assert (counts["locked"], counts["queued"], counts["cancelled"]) == (1, 0, 0)
    seen = world.brand.get(f"/v1/operations/{operation['id']}").json()
    assert (seen["state"], seen["locked_until"]) == ("locked", operation["locked_until"])


def test_the_lines_of_a_file_are_locked_each_until_its_own_second(world: World) -> None:
    """SPEC 9.110: what happened so long ago that nothing may come back goes at once."""
    lock(world)
    world.member()
    days = [today(60), today(LOCK_S - 60), today(LOCK_S + 60), "1997-01-01T00:00:00Z"]
    body = b"\n".join(orjson.dumps(purchase(n, occurred_at=at)) for n, at in enumerate(days))
    answer = world.brand.write("/v1/purchases", body, **NDJSON)
    told = [orjson.loads(line) for line in answer.content.splitlines()]
    assert [line["status"] for line in told] == ["accepted"] * 4
    again = [orjson.loads(line) for line in world.brand.write("/v1/purchases", body, **NDJSON).content.splitlines()]
    assert [line["status"] for line in again] == ["replayed"] * 4
    for lines in (told, again):
        seconds = [second_of(line["locked_until"]) if "locked_until" in line else None for line in lines]
        assert seconds == [due_s(days[0]), due_s(days[1]), None, None]
    found = world.rows("SELECT state, due_at_ms FROM operation ORDER BY id")
    assert found == [
        (state, due_s(at) * 1000) for state, at in zip(["locked", "locked", "queued", "queued"], days, strict=True)
    ]


def test_a_rule_without_a_lock_sends_at_once(world: World) -> None:
    """SPEC 9.110"""
    lock(world, 0)
    world.member()
    told = world.brand.write("/v1/purchases", purchase(occurred_at=today())).json()["operation"]
    assert (told["state"], told["locked_until"]) == ("queued", None)


def test_what_is_locked_is_told_apart_to_the_member_and_its_brand_and_to_nobody_else(world: World, bought: Any) -> None:
    """SPEC 9.111"""
    member, _, due = bought
    world.holds_points(member["address"], 500)
    right = {"spendable": "500", "pending": "0", "reserved": "0", "held": "0", "locked": "4399"}
    for told in (world.session(member).get("/v1/me/view"), world.brand.get(f"/v1/members/{member['id']}/view")):
        found = balance(told)
        assert {name: found[name] for name in right} == right
        [unlocking] = found["unlocking"]
        assert (unlocking["points"], second_of(unlocking["until"])) == ("4399", due)

    other = world.other.write("/v1/members", {"identifier": "m-1"}).json()
    shown = world.other.get(f"/v1/members/{other['id']}/view").json()["balances"]
    assert [one["locked"] for one in shown] == ["0"]


def test_at_its_second_it_is_pending_whether_the_relayer_has_heard_of_it_or_not(world: World, bought: Any) -> None:
    """SPEC 9.111: a stream tells a new view at that second."""
    member, _, due = bought
    me = world.session(member)
    assert next_end_s(me.get("/v1/me/view").json()) == due
    world.run("UPDATE operation SET due_at_ms = :d", d=int(time.time()) * 1000)
    found = me.get("/v1/me/view")
    assert next_end_s(found.json()) is None
    found = balance(found)
    assert (found["locked"], found["unlocking"], found["pending"]) == ("0", [], "4399")
    with writing(world.database.engine) as connection:
        assert locked.queue_due(connection, operations.now_ms(), 10) == 1
    assert balance(me.get("/v1/me/view")) == found


def test_so_many_seconds_are_told_the_soonest_first_and_all_are_in_the_sum(world: World) -> None:
    """SPEC 9.111"""
    lock(world)
    world.mirror()
    member = world.member()
    count = UNLOCKING_MAX + 5
    orders = [purchase(n, amount="200", occurred_at=today(60 * n)) for n in range(count)]
    orders.append(purchase(count, amount="200", occurred_at=orders[-1]["occurred_at"]))
    world.brand.write("/v1/purchases", b"\n".join(map(orjson.dumps, orders)), **NDJSON)
    found = balance(world.session(member).get("/v1/me/view"))
    assert found["locked"] == str(300 * (count + 1))
    untils = [second_of(one["until"]) for one in found["unlocking"]]
    assert untils == [due_s(one["occurred_at"]) for one in orders[count - 1 :: -1]][:UNLOCKING_MAX]
    assert [one["points"] for one in found["unlocking"]] == ["600"] + ["300"] * (UNLOCKING_MAX - 1)


def test_a_rule_that_ends_before_the_award_would_go_is_not_the_one_that_counts(world: World) -> None:
    """SPEC 9.112: the youngest that lasts; without one the order is refused now, not in two weeks."""
    world.member()
    at, at_its_end = today(60), today(30)
    lock(world, rule=2, end=str(due_s(at_its_end)))
    told = world.brand.write("/v1/purchases", purchase(1, occurred_at=at)).json()["operation"]
    assert told["state"] == "locked"
    late = world.brand.write("/v1/purchases", purchase(2, occurred_at=at_its_end))
    assert late.json()["operation"]["state"] == "queued", "the older rule, which has no lock"
    assert world.rows("SELECT rule FROM award ORDER BY operation") == [(2,), (1,)]

    world.run("DELETE FROM rule WHERE brand_id = '1' AND rule_id = '1'")
    before = world.everything()
    refused = world.brand.write("/v1/purchases", purchase(3, occurred_at=at_its_end))
    assert (refused.status_code, refused.json()["error"]) == (409, "RuleMissing")
    assert world.everything() == before
    passed = purchase(4, occurred_at=today(LOCK_S + 60))
    assert world.brand.write("/v1/purchases", passed).json()["operation"]["state"] == "queued"


def test_time_to_ask_again_is_counted_from_the_second_at_which_it_was_first_asked(world: World) -> None:
    """SPEC 9.113"""
    lock(world)
    world.member()
    at = today(60)
    world.brand.write("/v1/purchases", purchase(occurred_at=at, retry_for_s=600))
    assert world.rows("SELECT retry_until_ms FROM operation") == [((due_s(at) + 600) * 1000,)]


@pytest.mark.parametrize("whole", [True, False])
def test_an_order_that_is_sent_again_is_the_one_that_is_locked_or_cancelled(
    world: World, bought: Any, whole: bool
) -> None:
    """SPEC 9.6, 9.114: what came back is not asked for again, under whichever key."""
    _, told, _ = bought
    id = told["operation"]["id"]
    with writing(world.database.engine) as connection:
        locked.give_back(connection, int(id), 2933 if whole else 33)
    order = purchase(occurred_at=told["occurred_at"])
    for answer in (world.brand.write("/v1/purchases", order, key="other"), world.brand.write("/v1/purchases", order)):
        assert answer.status_code == 202, answer.text
        assert answer.json()["operation"]["id"] == id
        assert answer.json()["operation"]["state"] == ("cancelled" if whole else "locked")
    [line] = world.brand.write("/v1/purchases", orjson.dumps(order), **NDJSON).content.splitlines()
    assert orjson.loads(line)["status"] == "replayed"
    conflict = world.brand.write("/v1/purchases", purchase(occurred_at=today()))
    assert conflict.json()["error"] == "PurchaseConflict"
    assert world.brand.get("/v1/operations/refused").json()["operations"] == []


def test_the_last_unit_comes_back_as_any_other(world: World, bought: Any) -> None:
    """SPEC 9.114"""
    id = int(bought[1]["operation"]["id"])
    with writing(world.database.engine) as connection:
        assert locked.give_back(connection, id, 2932) == locked.GivenBack(2933, 1, False)
        for amount in (0, 2, -1):
            assert locked.give_back(connection, id, amount) == locked.GivenBack(1, 1, False)
        assert locked.give_back(connection, id, 1) == locked.GivenBack(1, 0, True)
        assert locked.give_back(connection, id, 1) is None


def test_what_came_back_in_part_is_told_as_what_was_kept(world: World, bought: Any) -> None:
    """SPEC 9.114"""
    member, told, _ = bought
    me = world.session(member)
    with writing(world.database.engine) as connection:
        locked.give_back(connection, int(told["operation"]["id"]), 933)
    assert balance(me.get("/v1/me/view"))["locked"] == "3000"
    with writing(world.database.engine) as connection:
        locked.give_back(connection, int(told["operation"]["id"]), 2000)
    assert balance(me.get("/v1/me/view"))["locked"] == "0"
