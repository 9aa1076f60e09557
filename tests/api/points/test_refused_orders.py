"""An order that was refused after it was accepted: it says so, is listed, and counts when it is sent again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest

from chain.outbox import operations, retries
from chain.storage.database import writing
from tests.api.conftest import NDJSON, Caller, World, Worlds, purchase

BUDGET = {"points": "1350", "remaining": "7"}


def refuse(world: World, error: str = "BudgetExceeded", arguments: dict[str, Any] | None = None) -> None:
    """The relayer refused everything that is queued."""
    with writing(world.database.engine) as connection:
        ids = [row.id for row in world.rows("SELECT id FROM operation WHERE state = 'queued'")]
        operations.fail_many(connection, ids, error, BUDGET if arguments is None else arguments)


def lines(world: World, *orders: dict[str, Any], key: str | None = None, caller: Caller | None = None) -> list[Any]:
    body = b"\n".join(map(orjson.dumps, orders))
    answer = (caller or world.brand).write("/v1/purchases", body, key=key, **NDJSON)
    assert answer.status_code == 200, answer.text
    return [orjson.loads(line) for line in answer.content.splitlines()]


def operation(world: World, id: str) -> Any:
    answer = world.brand.get(f"/v1/operations/{id}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_refused_order_says_why_everywhere(world: World) -> None:
    """SPEC 9.20"""
    world.member()
    id = world.brand.write("/v1/purchases", purchase(), key="mine").json()["operation"]["id"]
    refuse(world)

    told = operation(world, id)
    assert (told["state"], told["error"], told["error_args"]) == ("failed", "BudgetExceeded", BUDGET)
    [listed] = world.brand.get("/v1/operations/refused").json()["operations"]
    assert (listed["id"], listed["order"], listed["error"]) == (id, "order-1", "BudgetExceeded")
    [again] = lines(world, purchase())
    assert (again["status"], again["error"], again["error_args"]) == ("retried", "BudgetExceeded", BUDGET)
    assert again["operation"] == id


@pytest.mark.parametrize("same_key", [True, False])
def test_a_refused_order_that_is_sent_again_is_asked_again_under_any_key(world: World, same_key: bool) -> None:
    """SPEC 9.5, 9.20: a refused write leaves its key free."""
    world.member()
    first = world.brand.write("/v1/purchases", purchase(), key="mine").json()
    refuse(world)
    answer = world.brand.write("/v1/purchases", purchase(), key="mine" if same_key else "other")

    assert answer.status_code == 202, answer.text
    assert "Idempotency-Replayed" not in answer.headers
    told = answer.json()["operation"]
    assert (told["id"], told["state"], told["error"], told["refusals"]) == (
        first["operation"]["id"], "queued", None, 1,
    )  # fmt: skip
    assert [one["error"] for one in operation(world, told["id"])["history"]] == ["BudgetExceeded"]
    assert world.rows("SELECT COUNT(*) FROM event")[0][0] == 1
    assert world.brand.get("/v1/operations/refused").json() == {"operations": [], "next_cursor": None}
    replay = world.brand.write("/v1/purchases", purchase(), key="mine")
    assert replay.json()["operation"]["refusals"] == 1, "what is on its way is not asked again"


def test_a_corrected_order_is_taken_and_what_it_said_before_stays_known(world: World) -> None:
    """SPEC 9.21"""
    world.member()
    other = world.member("m-2")
    id = world.brand.write("/v1/purchases", purchase(amount="90000", memo={"item.1": "tea"})).json()["operation"]["id"]
    refuse(world)
    corrected = purchase(amount="900", member="m-2", memo={"item.1": "a tea"})
    answer = world.brand.write("/v1/purchases", corrected)

    assert answer.status_code == 202, answer.text
    assert answer.json()["operation"]["id"] == id
    assert answer.json()["member"] == other["id"]
    [row] = world.rows("SELECT payload, ordering_key, operation_id FROM operation")
    asked = orjson.loads(row.payload)
    assert (asked["base_amount"], asked["member"], row.ordering_key) == (
        "900",
        other["address"].lower(),
        asked["member"],
    )
    assert row.operation_id == "1"
    assert [(orjson.loads(data), subject) for data, subject in world.rows("SELECT data, subject FROM event")] == [
        ({"amount": "900", "currency": "USD"}, other["id"])
    ]
    assert world.rows("SELECT base_amount FROM award") == [("900",)]
    [before] = operation(world, id)["history"]
    assert (before["error"], before["fact"]["data"]["amount"]) == ("BudgetExceeded", "90000")
    assert world.brand.write("/v1/purchases", corrected).json()["operation"]["id"] == id
    conflict = world.brand.write("/v1/purchases", purchase(amount="901", member="m-2"))
    assert (conflict.status_code, conflict.json()["error"]) == (409, "PurchaseConflict")


@pytest.mark.parametrize(("block", "taken"), [(4, True), (5, False)])
def test_an_order_is_corrected_only_when_no_reorg_can_count_what_it_said_before(
    world: World, block: int, taken: bool
) -> None:
    """SPEC 9.21: block 4 is final, block 5 is not; sent again as it was, it is taken either way."""
    world.member()
    world.mirror(7)
    world.brand.write("/v1/purchases", purchase())
    refuse(world)
    world.run("UPDATE operation SET tx_hash = '0x1', block_hash = '0x2', block_number = :n", n=block)
    answer = world.brand.write("/v1/purchases", purchase(amount="5"))
    if taken:
        assert answer.status_code == 202, answer.text
        return
    assert (answer.status_code, answer.json()["error"]) == (409, "RefusalNotFinal")
    assert answer.headers["Retry-After"] == "2"
    world.run("UPDATE operation SET log_index = 0")
    assert world.brand.write("/v1/purchases", purchase()).status_code == 202
    refuse(world, "BrandNotIssuing", {})
    [earlier] = world.brand.get("/v1/operations/1").json()["history"]
    assert (earlier["receipt"]["block_number"], earlier["receipt"]["log_index"]) == (5, 0)
    answer = world.brand.write("/v1/purchases", purchase(amount="5"))
    assert answer.json()["error"] == "RefusalNotFinal", "the earlier transaction may still come back"


def test_lines_that_were_refused_are_asked_again_and_the_others_are_replayed(world: World) -> None:
    """SPEC 9.8, 9.20"""
    world.member()
    assert [one["status"] for one in lines(world, purchase(1), purchase(2), key="file")] == ["accepted"] * 2
    with writing(world.database.engine) as connection:
        operations.fail(connection, 1, "BudgetExceeded", BUDGET)
    again = lines(world, purchase(1), purchase(2), purchase(1), key="file-two")
    assert [one["status"] for one in again] == ["retried", "replayed", "replayed"]
    assert world.rows("SELECT refusals FROM operation ORDER BY id") == [(1,), (0,)]


def test_two_that_send_it_again_at_once_ask_once(world: World) -> None:
    """SPEC 9.20"""
    world.member()
    world.brand.write("/v1/purchases", purchase(), key="mine")
    refuse(world)
    with ThreadPoolExecutor(6) as pool:
        answers = list(
            pool.map(lambda n: world.brand.write("/v1/purchases", purchase(), key="mine" if n % 2 else f"k{n}"),
                     range(6))
        )  # fmt: skip
    assert [answer.status_code for answer in answers] == [202] * 6
    assert world.rows("SELECT refusals, state FROM operation") == [(1, "queued")]
    assert world.rows("SELECT COUNT(*) FROM operation_refusal")[0][0] == 1


def test_what_waits_says_for_what_and_until_when(world: World) -> None:
    """SPEC 9.22"""
    world.member()
    asked = purchase(retry_for_s=7_200)
    first = world.brand.write("/v1/purchases", asked, key="mine").json()["operation"]
    assert (first["retry_at"], first["retry_until"] is None) == (None, False)
    refuse(world, retries.PAUSED, {"brandId": "1"})

    answer = world.brand.write("/v1/purchases", asked, key="mine", Prefer="wait=20")
    assert answer.status_code == 202, answer.text
    told = answer.json()["operation"]
    assert (told["state"], told["error"], told["retry_at"] is None) == ("waiting", retries.PAUSED, False)
    assert world.brand.write("/v1/purchases", asked, key="mine").json()["operation"] == told
    assert world.brand.get("/v1/operations").json()["states"]["waiting"] == 1
    assert [
        len(world.brand.get("/v1/operations/refused", **wanted).json()["operations"])
        for wanted in ({}, {"state": "waiting"}, {"state": "failed"})
    ] == [1, 1, 0]


@pytest.mark.parametrize("seconds", [-1, 259_201, "x", 1.5])
def test_nothing_is_asked_again_for_longer_than_the_published_time(world: World, seconds: Any) -> None:
    """SPEC 9.22"""
    world.member()
    before = world.everything()
    answer = world.brand.write("/v1/purchases", purchase(retry_for_s=seconds))
    assert (answer.status_code, answer.json()["error"]) == (422, "RequestMalformed")
    assert world.everything() == before
    field = world.client.get("/openapi.json").json()["components"]["schemas"]["PurchaseCreate"]["properties"]
    assert field["retry_for_s"]["anyOf"][0]["maximum"] == retries.RETRY_S_MAX == 259_200


def test_the_list_has_pages_newest_first_of_this_brand_alone(world: World) -> None:
    """SPEC 9.20"""
    world.member()
    world.member("m-1", world.other)
    lines(world, *(purchase(n) for n in range(5)))
    lines(world, purchase(9), caller=world.other)
    refuse(world)
    seen, cursor = [], {}
    for _ in range(9):
        page = world.brand.get("/v1/operations/refused", limit=2, **cursor).json()
        seen += [one["order"] for one in page["operations"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == [f"order-{n}" for n in (4, 3, 2, 1, 0)]
    for wrong in ("0", "x", "-1", "1" * 19):
        answer = world.brand.get("/v1/operations/refused", cursor=wrong)
        assert (answer.status_code, answer.json()["error"]) == (422, "RequestMalformed")


# The backlog


@pytest.fixture
def small(make_world: Worlds) -> World:
    return make_world(backlog_max=2, backlog_lines_max=3, chunk_lines=2)


def test_a_brands_backlog_is_bounded_by_name_and_another_brand_is_none_of_it(small: World) -> None:
    """SPEC 9.23"""
    small.member()
    small.member("m-1", small.other)
    for number in (1, 2):
        assert small.brand.write("/v1/purchases", purchase(number)).status_code == 202
    before = small.everything()
    answer = small.brand.write("/v1/purchases", purchase(3), key="third")
    assert (answer.status_code, answer.json()["error"], answer.json()["backlog_max"]) == (429, "BacklogFull", 2)
    assert answer.headers["Retry-After"] == "5"
    assert small.everything() == before
    assert small.brand.write("/v1/purchases", purchase(1)).status_code == 202, "what is known needs no room"
    assert small.other.write("/v1/purchases", purchase(3)).status_code == 202
    small.run("UPDATE operation SET state = 'confirmed' WHERE id = 1")
    assert small.brand.write("/v1/purchases", purchase(3), key="third").status_code == 202


def test_lines_beyond_the_bound_are_refused_one_by_one_and_the_file_counts_once_when_sent_again(small: World) -> None:
    """SPEC 9.8, 9.23"""
    small.member()
    orders = [purchase(n) for n in range(6)]
    told = lines(small, *orders, key="file")
    assert [one["status"] for one in told] == ["accepted"] * 3 + ["refused"] * 3
    assert {one["problem"]["error"] for one in told[3:]} == {"BacklogFull"}
    assert small.rows("SELECT external_id FROM event ORDER BY id") == [(f"order-{n}",) for n in range(3)]
    assert small.rows("SELECT operation_id FROM operation ORDER BY id") == [("1",), ("2",), ("3",)]
    assert small.brand.write("/v1/purchases", purchase(7)).status_code == 202, "a till has room of its own"
    small.run("UPDATE operation SET state = 'confirmed'")
    again = lines(small, *orders, key="file")
    assert [one["status"] for one in again] == ["replayed"] * 3 + ["accepted"] * 3
    assert small.rows("SELECT COUNT(*), COUNT(DISTINCT operation_id) FROM operation") == [(7, 7)]
