"""Returns of goods: each counts once, takes from its own order's award, and nothing beyond it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from chain.outbox import operations
from chain.storage.database import writing
from tests.api.conftest import TERMS, TOKENS, Caller, World, purchase

WINDOW_S = 2_592_000


def goods(number: int = 1, *, order: str = "order-1", **more: Any) -> dict[str, Any]:
    return {"id": f"return-{number}", "order": order, "occurred_at": "1997-01-02T00:00:00Z", **more}


def give_back(world: World, body: dict[str, Any], *, caller: Caller | None = None, key: str | None = None) -> Any:
    return (caller or world.brand).write("/v1/returns", body, key=key)


def awarded(world: World, *, block_time: int | None = None, points: str = "4399", version: str = "1") -> str:
    """Order 1 has its award, in block 5 of the mirror; its operation."""
    world.member()
    made = world.brand.write("/v1/purchases", purchase()).json()["operation"]["id"]
    world.mirror(7)
    now = int(world.rows("SELECT block_time FROM mirror_checkpoint")[0][0])
    world.run("DELETE FROM mirror_block")
    at = now if block_time is None else block_time
    world.run("INSERT INTO mirror_block (number, hash, time) VALUES (5, '0x05', :t)", t=at)
    world.run(
        "UPDATE operation SET state = 'confirmed', tx_hash = '0xaa', block_number = 5, block_hash = '0x05',"
        " log_index = 0, result = :r WHERE id = :i",
        r=f'{{"ruleId": "1", "version": "{version}", "baseAmount": "2933", "points": "{points}"}}',
        i=int(made),
    )
    return str(made)


def asked(world: World) -> list[tuple[str, str, dict[str, Any]]]:
    with world.database.engine.connect() as connection:
        ids = [row.id for row in world.rows("SELECT id FROM operation WHERE kind = 'return' ORDER BY id")]
        found = operations.get_many(connection, ids)
        return [(found[id].ordering_key, found[id].operation_id or "", found[id].payload) for id in ids]


def refuse(world: World, error: str) -> None:
    with writing(world.database.engine) as connection:
        ids = [row.id for row in world.rows("SELECT id FROM operation WHERE state = 'queued'")]
        operations.fail_many(connection, ids, error, {})


def test_a_return_is_one_operation_that_leads_to_its_award_and_the_award_to_it(world: World) -> None:
    """SPEC 9.100, 9.101"""
    award = awarded(world)
    member = world.rows("SELECT address FROM member")[0][0].lower()

    answer = give_back(world, goods(amount="1000"))

    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert (told["order"], told["amount"], told["award"], told["taken"]) == ("order-1", "1000", award, None)
    assert told["operation"]["kind"] == "return"
    assert asked(world) == [(member, "2", {"brand": "1", "award": "1", "base_amount": "1000"})]
    of_return = world.brand.get(f"/v1/operations/{told['operation']['id']}").json()
    of_award = world.brand.get(f"/v1/operations/{award}").json()
    assert (of_return["award"], of_return["returns"]) == (award, [])
    assert (of_award["award"], of_award["returns"]) == (None, [told["operation"]["id"]])


def test_without_an_amount_all_that_is_left_comes_back(world: World) -> None:
    """SPEC 9.100"""
    awarded(world)
    give_back(world, goods(1, amount="1000"))

    assert give_back(world, goods(2)).json()["amount"] == "1933"


def test_a_return_counts_once_by_its_id(world: World) -> None:
    """SPEC 9.100"""
    awarded(world)
    first = give_back(world, goods(amount="1000"))

    again = give_back(world, goods(amount="1000"))
    other = give_back(world, goods(amount="1001"))

    assert again.json()["operation"]["id"] == first.json()["operation"]["id"]
    assert (other.status_code, other.json()["error"]) == (409, "ReturnConflict")
    assert len(asked(world)) == 1


def test_a_whole_return_sent_again_is_the_same_one(world: World) -> None:
    """SPEC 9.100"""
    awarded(world)
    first = give_back(world, goods())

    assert give_back(world, goods()).json() == first.json()
    assert len(asked(world)) == 1


@pytest.mark.parametrize("parts", [("2934",), ("2933", "1"), ("2000", "934"), ("2000", "933", None)])
def test_no_more_comes_back_than_was_bought(world: World, parts: tuple[str | None, ...]) -> None:
    """SPEC 9.101: also what is still on its way is counted."""
    awarded(world)
    for number, part in enumerate(parts[:-1]):
        assert give_back(world, goods(number, amount=part)).status_code == 202
    before = world.everything()

    answer = give_back(world, goods(9, amount=parts[-1]))

    assert (answer.status_code, answer.json()["error"]) == (409, "ReturnExceedsAward")
    assert int(answer.json()["left"]) == 2933 - sum(int(part or 0) for part in parts[:-1])
    assert world.everything() == before


def test_anyone_elses_order_is_unknown(world: World) -> None:
    """SPEC 9.3, 9.101"""
    awarded(world)
    member = world.session({"id": world.rows("SELECT id FROM member")[0][0]})
    before = world.everything()

    assert give_back(world, goods(order="order-2")).json()["error"] == "OrderUnknown"
    assert give_back(world, goods(), caller=world.other).json()["error"] == "OrderUnknown"
    assert give_back(world, goods(), caller=world.anyone).status_code == 401
    assert give_back(world, goods(), caller=member).json()["error"] == "NotYours"
    assert world.everything() == before


def test_a_return_comes_within_the_rules_window(world: World) -> None:
    """SPEC 9.101"""
    awarded(world, block_time=1_000)

    answer = give_back(world, goods())

    assert (answer.status_code, answer.json()["error"]) == (409, "ReturnTooLate")
    assert answer.json()["until"] == str(1_000 + WINDOW_S)
    assert asked(world) == []


def test_a_version_without_a_window_takes_none_whatever_the_rule_says_now(world: World) -> None:
    """SPEC 2.18, 9.101"""
    world.run(
        "INSERT INTO rule (brand_id, rule_id, version, in_force_at, withdrawn, terms)"
        " SELECT brand_id, rule_id, 2, 1, false, :t FROM rule WHERE brand_id = '1'",
        t=TERMS.replace("2592000", "0"),
    )
    awarded(world, version="2")

    assert give_back(world, goods()).json()["error"] == "ReturnTooLate"


def test_an_order_that_earned_nothing_has_nothing_to_take_back(world: World) -> None:
    """SPEC 9.101"""
    awarded(world, points="0")

    assert give_back(world, goods()).json()["error"] == "AwardUnknown"


def test_an_order_whose_award_was_refused_has_nothing_to_take_back(world: World) -> None:
    """SPEC 9.101"""
    world.member()
    world.brand.write("/v1/purchases", purchase())
    refuse(world, "BudgetExceeded")

    assert give_back(world, goods()).json()["error"] == "AwardUnknown"


def test_a_return_may_come_before_its_award_is_on_the_chain(world: World) -> None:
    """SPEC 7.87, 9.101"""
    world.member()
    world.brand.write("/v1/purchases", purchase())

    assert give_back(world, goods()).status_code == 202


@pytest.mark.parametrize("same_key", [True, False])
def test_a_refused_return_is_asked_for_again_and_counts_nothing_meanwhile(world: World, same_key: bool) -> None:
    """SPEC 9.20, 9.100"""
    awarded(world)
    first = give_back(world, goods(1, amount="2000"), key="mine").json()["operation"]["id"]
    refuse(world, "BrandNotIssuing")
    [listed] = world.brand.get("/v1/operations/refused").json()["operations"]
    assert (listed["id"], listed["order"]) == (first, "return-1")

    again = give_back(world, goods(1, amount="2000"), key="mine" if same_key else "other").json()["operation"]
    assert (again["id"], again["state"], again["refusals"]) == (first, "queued", 1)

    refuse(world, "BrandNotIssuing")
    assert give_back(world, goods(2)).json()["amount"] == "2933"
    third = give_back(world, goods(1, amount="2000"))
    assert (third.status_code, third.json()["error"]) == (409, "ReturnExceedsAward")


@pytest.mark.parametrize(("amount", "error"), [("0", "AmountZero"), ("-1", "AmountNegative"), (5, "AmountMalformed")])
def test_a_bad_amount_is_refused_by_name(world: World, amount: Any, error: str) -> None:
    """SPEC 9.4"""
    awarded(world)

    assert give_back(world, goods(amount=amount)).json()["error"] == error
    assert asked(world) == []


def test_what_was_taken_owed_and_forgiven_is_the_chains_to_say(world: World) -> None:
    """SPEC 9.100"""
    awarded(world)
    id = give_back(world, goods()).json()["operation"]["id"]
    world.run(
        "UPDATE operation SET state = 'confirmed', result = :r WHERE id = :i",
        r='{"event": "Returned", "taken": "399", "missing": "4000", "owes": "1", "standing": "0"}',
        i=int(id),
    )

    told = give_back(world, goods()).json()
    assert (told["taken"], told["owed"], told["forgiven"]) == ("399", "4000", "0")


def test_a_debt_is_in_the_views_of_the_member_and_of_its_brand_alone(world: World) -> None:
    """SPEC 9.102"""
    member = world.member()
    world.member("b-1", brand=world.other)
    world.mirror()
    for points, brand in (("1200", "cdnow"), ("0", "beans")):
        world.holds_points(member["address"], 300, brand=brand)
        world.run(
            "INSERT INTO debt (token, account, points, block_number, log_index) VALUES (:t, :a, :p, 7, 0)",
            t=TOKENS[brand],
            a=member["address"].lower(),
            p=points,
        )

    mine = world.session(member).get("/v1/me/view").json()
    assert {one["brand"]["slug"]: (one["debt"], one["spendable"]) for one in mine["balances"]} == {
        "cdnow": ("1200", "300"),
        "beans": ("0", "300"),
    }
    told = world.brand.get(f"/v1/members/{member['id']}/view").json()
    assert [(one["brand"]["slug"], one["debt"]) for one in told["balances"]] == [("cdnow", "1200")]
    other = world.other.get(f"/v1/members/{member['id']}/view").json()
    assert [(one["brand"]["slug"], one["debt"]) for one in other["balances"]] == [("beans", "0")]


def test_a_hold_tells_its_member_and_its_brand_what_is_owed_to_that_brand(world: World) -> None:
    """SPEC 9.90"""
    member = world.member()
    world.member("b-1", brand=world.other)
    world.mirror()
    for brand, account in (("cdnow", member["address"].lower()), ("beans", "0x" + "0d" * 20)):
        world.holds_points(member["address"], 300, brand=brand)
        world.run(
            "INSERT INTO debt (token, account, points, block_number, log_index) VALUES (:t, :a, '1200', 7, 0)",
            t=TOKENS[brand],
            a=account,
        )
    asked = {"member": {"id": member["id"]}, "points": "100"}
    own, other = (caller.write("/v1/holds", asked).json() for caller in (world.brand, world.other))
    assert (own["debt"], other["debt"]) == ("1200", "0")
    mine = world.session(member).get("/v1/me/holds").json()["holds"]
    assert {one["brand"]: one["debt"] for one in mine} == {"cdnow": "1200", "beans": "0"}


def locked_purchase(world: World) -> str:
    """Order 1 under a rule with a lock of two weeks, bought a minute ago; its operation."""
    world.run("UPDATE rule SET terms = :t WHERE brand_id = '1'", t=TERMS.replace("}", ', "lockSeconds": "1209600"}'))
    world.member()
    world.mirror()
    at = datetime.fromtimestamp(int(time.time()) - 60, UTC).isoformat()
    told = world.brand.write("/v1/purchases", purchase(occurred_at=at)).json()["operation"]
    assert told["state"] == "locked"
    return str(told["id"])


def test_what_comes_back_while_an_award_is_locked_is_taken_off_it(world: World) -> None:
    """SPEC 9.104"""
    award = locked_purchase(world)

    answer = give_back(world, goods(1, amount="1000"))

    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert (told["award"], told["operation"]["id"], told["operation"]["state"]) == (award, award, "locked")
    assert (told["amount"], told["taken"], told["owed"], told["forgiven"]) == ("1000", "0", "0", "0")
    assert asked(world) == [], "nothing of it is the contract's"
    assert world.rows("SELECT payload FROM operation")[0][0].count('"1933"') == 1
    assert give_back(world, goods(1, amount="1000")).json() == told
    assert world.rows("SELECT payload FROM operation")[0][0].count('"1933"') == 1, "it counts once"
    assert give_back(world, goods(1, amount="999")).json()["error"] == "ReturnConflict"

    before = world.everything()
    more = give_back(world, goods(2, amount="1934"))
    assert (more.status_code, more.json()["error"], more.json()["left"]) == (409, "ReturnExceedsAward", "1933")
    assert world.everything() == before

    rest = give_back(world, goods(3)).json()
    assert (rest["amount"], rest["operation"]["state"]) == ("1933", "cancelled")
    assert give_back(world, goods(4)).json()["error"] == "ReturnExceedsAward"
    assert give_back(world, goods(3)).json() == rest


def test_what_came_off_before_the_lock_ended_is_no_part_of_what_the_contract_takes(world: World) -> None:
    """SPEC 7.97, 9.104"""
    award = locked_purchase(world)
    give_back(world, goods(1, amount="1000"))
    world.run("UPDATE operation SET state = 'queued' WHERE id = :i", i=int(award))

    told = give_back(world, goods(2)).json()

    assert told["amount"] == "1933"
    assert [payload["base_amount"] for _, _, payload in asked(world)] == ["1933"]
    assert give_back(world, goods(3, amount="1")).json()["error"] == "ReturnExceedsAward"
