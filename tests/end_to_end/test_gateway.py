"""The gateway on the running system: what it says beforehand is what the chain does; what it refuses stays undone."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest

from chain.outbox import calls, operations
from chain.storage.database import engine, writing
from scripts.stack.local_stack import LocalStack
from tests.support.callers import Caller, live

pytestmark = pytest.mark.slow
NOT_WAITED = "respond-async"


@pytest.fixture(scope="module", params=["ganache", "anvil"])
def demo(request: pytest.FixtureRequest) -> LocalStack:
    """Every test here on both nodes."""
    running: LocalStack = request.getfixturevalue(f"demo_on_{request.param}")
    return running


@pytest.fixture(scope="module")
def cdnow(demo: LocalStack) -> Iterator[Caller]:
    caller = live(demo.url, demo.brand_keys["cdnow"])
    yield caller
    caller.client.close()


@pytest.fixture(scope="module")
def hanok(demo: LocalStack) -> Iterator[Caller]:
    caller = live(demo.url, demo.brand_keys["hanok"])
    yield caller
    caller.client.close()


@pytest.fixture
def known(demo: LocalStack, cdnow: Caller) -> Iterator[tuple[str, Caller]]:
    """A new member with 1,500.00 points of cdnow: (identifier, the member)."""
    identifier = f"m-{secrets.token_hex(6)}"
    member = cdnow.write("/v1/members", {"identifier": identifier}).json()
    bought = cdnow.write("/v1/purchases", purchase(identifier, "100000"))
    assert bought.status_code == 201, bought.text
    operator = live(demo.url, demo.operator_key)
    session = operator.write(f"/v1/members/{member['id']}/sessions").json()
    operator.client.close()
    caller = live(demo.url, session["token"])
    yield identifier, caller
    caller.client.close()


def purchase(identifier: str, amount: str, order: str | None = None) -> dict[str, Any]:
    return {
        "id": order or f"o-{secrets.token_hex(8)}",
        "member": {"identifier": identifier},
        "amount": amount,
        "currency": "USD",
        "occurred_at": "1997-01-01T00:00:00Z",
    }


def spendable(member: Caller) -> dict[str, int]:
    return {line["brand"]["slug"]: int(line["spendable"]) for line in member.get("/v1/me/view").json()["balances"]}


def test_quoted_award_is_what_a_purchase_earns(cdnow: Caller, known: tuple[str, Caller]) -> None:
    """SPEC 9.17"""
    identifier, member = known
    before = spendable(member)["cdnow"]
    quote = cdnow.client.post("/v1/awards/quote", json={"amount": "2933"}).json()

    done = cdnow.write("/v1/purchases", purchase(identifier, "2933"))

    assert done.status_code == 201, done.text
    assert spendable(member)["cdnow"] - before == int(quote["points"])
    newest = member.get("/v1/me/entries?limit=1").json()["entries"][0]
    assert (newest["kind"], newest["points"], newest["rule"]["base_amount"]) == ("award", quote["points"], "2933")
    assert newest["rule"] == quote["rule"]
    assert newest["reference"] == done.json()["id"]


def test_quoted_exchange_is_what_the_exchange_gives(known: tuple[str, Caller]) -> None:
    """SPEC 9.17"""
    _, member = known
    before = spendable(member)
    quote = member.client.post("/v1/exchanges/quote", json={"from": "cdnow", "to": "hanok", "points_in": "1001"}).json()
    body = {
        "from": "cdnow",
        "to": "hanok",
        "points_in": "1001",
        "minimum_out": quote["minimum_out"],
        "agreement_version": quote["agreement"]["version"],
    }

    done = member.write("/v1/exchanges", body)

    assert done.status_code == 201, done.text
    assert done.json()["points_out"] == quote["points_out"]
    after = spendable(member)
    assert after["cdnow"] == before["cdnow"] - 1001
    assert after["hanok"] == before.get("hanok", 0) + int(quote["points_out"])
    incoming, outgoing = member.get("/v1/me/entries?limit=2").json()["entries"]
    assert (incoming["kind"], outgoing["kind"]) == ("exchange_in", "exchange_out")
    assert (incoming["related"], outgoing["related"]) == ([outgoing["id"]], [incoming["id"]])


def test_exchange_below_its_minimum_or_under_another_version_is_refused(known: tuple[str, Caller]) -> None:
    """SPEC 9.10"""
    _, member = known
    quote = member.client.post("/v1/exchanges/quote", json={"from": "cdnow", "to": "hanok", "points_in": "500"}).json()
    body = {
        "from": "cdnow",
        "to": "hanok",
        "points_in": "500",
        "minimum_out": str(int(quote["points_out"]) + 1),
        "agreement_version": quote["agreement"]["version"],
    }
    before = spendable(member)

    below = member.write("/v1/exchanges", body)
    other_version = member.write("/v1/exchanges", {**body, "minimum_out": "1", "agreement_version": 99})
    too_much = member.write("/v1/exchanges", {**body, "points_in": "99999999", "minimum_out": "1"})

    assert [answer.json()["error"] for answer in (below, other_version, too_much)] == [
        "OutBelowMinimum",
        "VersionChanged",
        "ERC20InsufficientBalance",
    ]
    assert {answer.status_code for answer in (below, other_version, too_much)} == {409}
    assert spendable(member) == before


def test_hold_goes_from_request_to_refund(cdnow: Caller, known: tuple[str, Caller]) -> None:
    """SPEC 9.10"""
    identifier, member = known
    before = spendable(member)["cdnow"]

    hold = cdnow.write("/v1/holds", {"member": {"identifier": identifier}, "points": "500", "reward": "cd"}).json()
    held = member.get("/v1/me/view").json()["balances"][0]
    above = cdnow.write(f"/v1/holds/{hold['id']}/capture", {"points": "501"})
    captured = cdnow.write(f"/v1/holds/{hold['id']}/capture", {"points": "300"}).json()
    after_capture = spendable(member)["cdnow"]
    too_much = cdnow.write(f"/v1/holds/{hold['id']}/refund", {"points": "301"})
    refunded = cdnow.write(f"/v1/holds/{hold['id']}/refund", {"points": "120"}).json()

    assert (hold["state"], held["held"], held["spendable"]) == ("held", "500", str(before - 500))
    assert (above.status_code, above.json()["error"]) == (409, "CaptureExceedsHold")
    assert (captured["state"], captured["captured"], after_capture) == ("captured", "300", before - 300)
    assert too_much.json()["error"] == "RefundExceedsCapture"
    assert (refunded["refunded"], spendable(member)["cdnow"]) == ("120", before - 180)


def test_goods_that_came_back_are_owed_where_their_points_are_spent_and_the_next_purchase_pays(
    cdnow: Caller, known: tuple[str, Caller]
) -> None:
    """SPEC 2.25, 9.100, 9.102, 9.103, 9.96"""
    identifier, member = known
    bought = cdnow.write("/v1/purchases", purchase(identifier, "20000")).json()
    hold = cdnow.write("/v1/holds", {"member": {"identifier": identifier}, "points": "170000"}).json()
    cdnow.write(f"/v1/holds/{hold['id']}/capture")
    back = {"id": f"r-{secrets.token_hex(8)}", "order": bought["id"], "occurred_at": "1997-02-01T00:00:00Z"}

    part = cdnow.write("/v1/returns", {**back, "id": f"{back['id']}-part", "amount": "1"})
    whole = cdnow.write("/v1/returns", back)

    # 20,000 cents earned 30,000; 19,999 would have earned 29,998.
    assert (part.status_code, part.json()["taken"], part.json()["owed"]) == (201, "2", "0"), part.text
    told = whole.json()
    assert (told["amount"], told["taken"], told["owed"], told["forgiven"]) == ("19999", "9998", "20000", "0")
    [line] = member.get("/v1/me/view").json()["balances"]
    assert (line["spendable"], line["debt"]) == ("0", "20000")
    again = cdnow.write("/v1/returns", {**back, "id": f"{back['id']}-more"})
    assert (again.status_code, again.json()["error"]) == (409, "ReturnExceedsAward")

    cdnow.write("/v1/purchases", purchase(identifier, "40000"))

    [line] = member.get("/v1/me/view").json()["balances"]
    assert (line["spendable"], line["debt"]) == ("40000", "0")
    entries = member.get("/v1/me/entries?limit=20").json()["entries"][::-1]
    assert [(one["kind"], one["points"]) for one in entries] == [
        ("award", "150000"), ("award", "30000"), ("hold", "-170000"), ("capture", "0"), ("return", "-2"),
        ("return", "-9998"), ("award", "60000"), ("debt_paid", "-20000"),
    ]  # fmt: skip
    ids = [one["id"] for one in entries]
    related = {one["id"]: one["related"] for one in entries}
    assert related[ids[1]] == [ids[4], ids[5]]
    assert (related[ids[4]], related[ids[5]]) == ([ids[1]], [ids[1]])
    assert (related[ids[6]], related[ids[7]]) == ([ids[7]], [ids[6]])
    assert entries[5]["reference"] == back["id"]
    assert entries[5]["occurred_at"] == "1997-02-01T00:00:00.000Z"
    assert entries[1]["rule"]["return_window_s"] == 30 * 24 * 3600
    assert entries[1]["rule"]["shortfall"] == "debt"


@pytest.mark.parametrize("seed", [11, 23])
def test_in_any_order_balance_less_debt_is_what_the_rule_pays_for_the_goods_kept(
    cdnow: Caller, known: tuple[str, Caller], seed: int
) -> None:
    """SPEC 2.24, 2.25: purchases, parts returned, holds, captures, releases, refunds, by a seed's chance."""
    identifier, member = known
    chance = random.Random(seed)
    kept = {"first": 100_000}
    orders: list[str] = []
    used = 0
    holds: list[str] = []
    captured: dict[str, int] = {}
    for number in range(16):
        [line] = member.get("/v1/me/view").json()["balances"]
        spendable, held, debt = (int(line[name]) for name in ("spendable", "held", "debt"))
        earned = sum(amount * 3 // 2 for amount in kept.values())
        assert spendable + held - debt == earned - used, (seed, number)
        assert debt == 0 or spendable == 0 or captured or holds, (seed, number)
        acts = ["purchase", "return", "return"] + ["hold"] * (spendable > 1) + ["capture", "release"] * bool(holds)
        match chance.choice(acts + ["refund"] * bool(captured)):
            case "purchase":
                amount = chance.randint(1, 60_001)
                told = cdnow.write("/v1/purchases", purchase(identifier, str(amount))).json()
                orders.append(told["id"])
                kept[told["id"]] = amount
            case "return" if orders:
                order = chance.choice(orders)
                part = chance.randint(1, kept[order])
                body = {"id": f"r-{secrets.token_hex(8)}", "order": order, "occurred_at": "1997-02-01T00:00:00Z"}
                done = cdnow.write("/v1/returns", {**body, "amount": str(part)})
                assert done.status_code == 201, done.text
                kept[order] -= part
                if not kept[order]:
                    orders.remove(order)
            case "hold":
                points = chance.randint(spendable // 2, spendable)
                hold = cdnow.write("/v1/holds", {"member": {"identifier": identifier}, "points": str(points)})
                assert hold.status_code == 201, hold.text
                holds.append(hold.json()["id"])
            case "capture":
                id = holds.pop(chance.randrange(len(holds)))
                whole = int(cdnow.get(f"/v1/holds/{id}").json()["points"])
                points = chance.randint(1, whole)
                assert cdnow.write(f"/v1/holds/{id}/capture", {"points": str(points)}).status_code == 201
                used += points
                captured[id] = points
            case "release":
                assert cdnow.write(f"/v1/holds/{holds.pop()}/release").status_code == 201
            case "refund":
                id = chance.choice(list(captured))
                points = chance.randint(1, captured[id])
                assert cdnow.write(f"/v1/holds/{id}/refund", {"points": str(points)}).status_code == 201
                used -= points
                captured[id] -= points
                if not captured[id]:
                    del captured[id]


def test_capture_above_the_hold_is_refused_by_the_contract_too(
    demo: LocalStack, cdnow: Caller, known: tuple[str, Caller]
) -> None:
    """SPEC 9.10"""
    identifier, _ = known
    hold = cdnow.write("/v1/holds", {"member": {"identifier": identifier}, "points": "500"}).json()
    database = engine(demo.database_url)
    with writing(database) as connection:
        chain_id, address = connection.exec_driver_sql(
            "SELECT h.chain_id, m.address FROM hold_request h JOIN member m ON m.id = h.member_id WHERE h.id = ?",
            (hold["id"],),
        ).one()
        brand = demo.brands["cdnow"].id
        past_the_gateway = operations.enqueue(
            connection,
            calls.capture(key=f"test/{hold['id']}", brand=brand, member=address, hold_id=chain_id, points=501),
        )
    database.dispose()

    told = settled(cdnow, str(past_the_gateway))

    assert (told["state"], told["error"]) == ("failed", "CaptureExceedsHold")
    assert told["error_args"] == {"points": "501", "held": "500"}
    assert cdnow.write(f"/v1/holds/{hold['id']}/release").json()["state"] == "released"


def settled(caller: Caller, operation: str) -> Any:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        told = caller.get(f"/v1/operations/{operation}").json()
        if told["state"] in ("confirmed", "failed"):
            return told
        time.sleep(0.05)
    raise AssertionError(f"operation {operation} is not settled")


def test_hold_on_points_that_never_come_is_refused_by_the_contract(cdnow: Caller, known: tuple[str, Caller]) -> None:
    """SPEC 9.9"""
    identifier, member = known
    before = spendable(member)
    cdnow.write("/v1/purchases", purchase(identifier, "2"), Prefer=NOT_WAITED)

    answer = cdnow.write("/v1/holds", {"member": {"identifier": identifier}, "points": "88888888"})

    # The gateway saw something on its way and left it to the contract, or saw it arrive and refused itself.
    assert (answer.status_code, answer.json()["error"]) == (409, "ERC20InsufficientBalance")
    assert spendable(member)["cdnow"] >= before["cdnow"]


def test_bad_line_500_of_1000_is_named_and_999_are_on_the_chain(cdnow: Caller, known: tuple[str, Caller]) -> None:
    """SPEC 9.7"""
    identifier, member = known
    before = spendable(member)["cdnow"]
    mark = secrets.token_hex(4)
    lines = [orjson.dumps(purchase(identifier, "200", f"{mark}-{number}")) for number in range(1, 1001)]
    lines[499] = lines[499].replace(b'"200"', b'"2.00"')
    headers = {"Idempotency-Key": mark, "Content-Type": "application/x-ndjson"}

    told = cdnow.client.post("/v1/purchases", content=b"\n".join(lines), headers=headers)

    answers = [orjson.loads(line) for line in told.content.splitlines()]
    refused = [(line["line"], line["problem"]["error"]) for line in answers if line["status"] == "refused"]
    assert refused == [(500, "AmountFractional")]
    assert sum(line["status"] == "accepted" for line in answers) == 999
    for line in (answers[0], answers[-1]):
        assert settled(cdnow, line["operation"])["state"] == "confirmed"
    until = time.monotonic() + 60
    while spendable(member)["cdnow"] < before + 999 * 300 and time.monotonic() < until:
        time.sleep(0.2)
    assert spendable(member)["cdnow"] == before + 999 * 300


def test_brands_see_their_own_part_of_a_shared_member(cdnow: Caller, hanok: Caller, known: tuple[str, Caller]) -> None:
    """SPEC 9.3"""
    identifier, member = known
    member_id = cdnow.get(f"/v1/members?identifier={identifier}").json()["id"]
    assert hanok.get(f"/v1/members/{member_id}/view").json()["error"] == "MemberUnknown"
    quote = {"from": "cdnow", "to": "hanok", "points_in": "500", "minimum_out": "1", "agreement_version": 1}
    assert member.write("/v1/exchanges", quote).status_code == 201

    ours = cdnow.get(f"/v1/members/{member_id}/view").json()["balances"]
    theirs = hanok.get(f"/v1/members/{member_id}/view").json()["balances"]
    taken = hanok.write("/v1/holds", {"member": {"id": member_id}, "brand": "cdnow", "points": "1"})

    assert [line["brand"]["slug"] for line in ours] == ["cdnow"]
    assert [line["brand"]["slug"] for line in theirs] == ["hanok"]
    assert taken.json()["error"] == "NotYours"


def test_entry_is_proved_by_the_node(known: tuple[str, Caller]) -> None:
    """SPEC 9.12"""
    _, member = known
    entry = member.get("/v1/me/entries?limit=1").json()["entries"][0]

    proof = member.get(f"/v1/me/entries/{entry['id']}/proof").json()

    assert proof["verified"], proof
    assert [check["name"] for check in proof["checks"]] == ["transaction", "block", "chain", "log", "contract"]
    assert proof["receipt"]["tx_hash"] == entry["proof"]["tx_hash"]


def test_stream_shows_points_when_they_arrive(cdnow: Caller, known: tuple[str, Caller]) -> None:
    """SPEC 9.13"""
    identifier, member = known
    with member.client.stream("GET", "/v1/me/stream") as answer:
        lines = answer.iter_lines()
        assert next(line for line in lines if line.startswith("event: ")) == "event: view"
        cdnow.write("/v1/purchases", purchase(identifier, "777"), Prefer=NOT_WAITED)

        entry = next(line for line in lines if line.startswith("data: ") and '"kind":"award"' in line)

    assert orjson.loads(entry[6:])["rule"]["base_amount"] == "777"


def test_books_balance(demo: LocalStack) -> None:
    """SPEC 9.18"""
    told = httpx.get(f"{demo.url}/v1/books", timeout=60).json()
    while told["balanced"] is None:
        time.sleep(0.05)  # the first who asks begins the comparison; pytest's own timeout ends one that never comes
        told = httpx.get(f"{demo.url}/v1/books", timeout=60).json()

    assert told["balanced"]
    # A third may have come while everything ran (test_brand_invited_later).
    assert {"cdnow", "hanok"} <= {line["brand"] for line in told["brands"]}
    for line in told["brands"]:
        assert line["supply_on_chain"] == line["sum_on_chain"] == line["sum_in_mirror"]
        assert line["drift"] == "0"


def test_points_of_two_members_who_are_one_are_gathered_and_spent_together(demo: LocalStack, cdnow: Caller) -> None:
    """SPEC 19.6, 19.13: on the chain, each lot with its own end; what was moved stays when the merge is undone."""
    names = [f"m-{secrets.token_hex(6)}" for _ in range(2)]
    members = [cdnow.write("/v1/members", {"identifier": name}).json()["id"] for name in names]
    for name in names:
        assert cdnow.write("/v1/purchases", purchase(name, "2000")).status_code == 201
    operator = live(demo.url, demo.operator_key)
    sessions = [operator.write(f"/v1/members/{one}/sessions").json()["token"] for one in members]
    one, other = (live(demo.url, token) for token in sessions)
    each = spendable(one)["cdnow"]
    merge = operator.write("/v1/identity/merges", {"one": members[0], "other": members[1], "case": "case/1"}).json()
    hold = {"brand": "cdnow", "points": str(each + 1), "lifetime_s": 900}
    assert one.write("/v1/holds", hold).json()["error"] == "PointsApart"
    assert spendable(one)["cdnow"] == 2 * each

    moved = other.write("/v1/me/points/gather", {"brand": "cdnow", "from": merge["absorbed"]})

    assert moved.status_code == 201, moved.text
    assert spendable(one)["cdnow"] == 2 * each
    held = one.write("/v1/holds", hold)
    assert (held.status_code, held.json()["state"]) == (201, "held"), held.text
    assert one.write(f"/v1/me/holds/{held.json()['id']}/cancel").status_code == 201
    assert operator.write(f"/v1/identity/merges/{merge['id']}", method="DELETE").status_code == 200
    left = {members[0]: spendable(one).get("cdnow", 0), members[1]: spendable(other).get("cdnow", 0)}
    assert left == {merge["survivor"]: 2 * each, merge["absorbed"]: 0}
    for caller in (one, other, operator):
        caller.client.close()
