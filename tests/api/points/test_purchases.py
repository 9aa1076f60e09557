"""Purchases: counted once, refused by name, and never half."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from api.writes.ndjson import Splitter
from tests.api.conftest import NDJSON, World, Worlds, purchase


def test_purchase_is_accepted_as_one_operation(world: World) -> None:
    member = world.member()

    answer = world.brand.write("/v1/purchases", purchase())

    assert answer.status_code == 202, answer.text
    assert answer.json()["member"] == member["id"]
    assert answer.json()["operation"]["state"] == "queued"
    assert world.rows("SELECT kind, brand, ordering_key FROM operation") == [("award", 1, member["address"].lower())]


@pytest.mark.parametrize(
    ("amount", "error"),
    [
        ("0", "AmountZero"),
        ("-5", "AmountNegative"),
        ("12.5", "AmountFractional"),
        ("1" + "0" * 40, "AmountTooLarge"),
        ("twelve", "AmountMalformed"),
        ("1e3", "AmountMalformed"),
        ("", "AmountMalformed"),
        ("007", "AmountMalformed"),
        ("NaN", "AmountMalformed"),
        ("١٢", "AmountMalformed"),
        (2933, "AmountMalformed"),
        (29.33, "AmountMalformed"),
        (None, "AmountMalformed"),
    ],
)
def test_bad_amount_is_refused_by_name_and_changes_nothing(world: World, amount: Any, error: str) -> None:
    """SPEC 9.4"""
    world.member()
    before = world.everything()

    answer = world.brand.write("/v1/purchases", purchase(amount=amount))

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["error"] == error
    assert answer.json()["field"] == ("" if error == "AmountZero" else "amount")
    assert world.everything() == before


def test_free_order_counts_with_amount_zero(world: World) -> None:
    world.member()

    free = world.brand.write("/v1/purchases", purchase(1, amount="0", free=True))
    not_free = world.brand.write("/v1/purchases", purchase(2, amount="5", free=True))

    assert free.status_code == 202
    assert not_free.json()["error"] == "FreeNotZero"


@pytest.mark.parametrize(
    ("change", "error", "status"),
    [
        ({"member": {"identifier": "stranger"}}, "MemberUnknown", 404),
        ({"member": {"id": "mem_" + "0" * 32}}, "MemberUnknown", 404),
        ({"member": {}}, "MemberUnclear", 422),
        ({"member": {"identifier": "m-1", "id": "mem_" + "0" * 32}}, "MemberUnclear", 422),
        ({"currency": "EUR"}, "CurrencyWrong", 422),
        ({"currency": "dollars"}, "RequestMalformed", 422),
        ({"occurred_at": "1997-01-01"}, "RequestMalformed", 422),
        ({"occurred_at": "1997-01-01T00:00:00"}, "RequestMalformed", 422),
        ({"id": ""}, "RequestMalformed", 422),
        ({"id": "x" * 129}, "RequestMalformed", 422),
        ({"points": "5"}, "RequestMalformed", 422),
    ],
)
def test_bad_purchase_is_refused_by_name_and_changes_nothing(
    world: World, change: dict[str, Any], error: str, status: int
) -> None:
    world.member()
    before = world.everything()

    answer = world.brand.write("/v1/purchases", {**purchase(), **change})

    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert world.everything() == before


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe"])
def test_body_that_is_no_purchase_is_malformed(world: World, body: bytes) -> None:
    answer = world.brand.write("/v1/purchases", body)

    assert (answer.status_code, answer.json()["error"]) == (422, "RequestMalformed")


def test_order_id_counts_once_over_requests(world: World) -> None:
    """SPEC 9.6"""
    member = world.member()
    first = world.brand.write("/v1/purchases", purchase())

    again = world.brand.write("/v1/purchases", purchase())
    by_id = world.brand.write("/v1/purchases", {**purchase(), "member": {"id": member["id"]}})
    other_time_zone = world.brand.write("/v1/purchases", {**purchase(), "occurred_at": "1997-01-01T09:00:00+09:00"})

    same = first.json()["operation"]["id"]
    assert [answer.json()["operation"]["id"] for answer in (again, by_id, other_time_zone)] == [same] * 3
    assert len(world.rows("SELECT id FROM operation")) == 1


def test_same_order_id_with_another_content_conflicts(world: World) -> None:
    """SPEC 9.6"""
    world.member()
    world.brand.write("/v1/purchases", purchase())
    before = world.everything()

    answer = world.brand.write("/v1/purchases", purchase(amount="2934"))

    assert (answer.status_code, answer.json()["error"]) == (409, "PurchaseConflict")
    assert world.everything() == before


def test_same_order_id_of_two_brands_is_two_orders(world: World) -> None:
    member = world.member()
    world.other.write("/v1/members", {"identifier": "m-1", "id": member["id"]})

    ours = world.brand.write("/v1/purchases", purchase())
    theirs = world.other.write("/v1/purchases", purchase())

    assert ours.json()["operation"]["id"] != theirs.json()["operation"]["id"]
    assert sorted(world.rows("SELECT brand, operation_id FROM operation")) == [(1, "1"), (2, "1")]


def test_brand_counts_only_its_own_members(world: World) -> None:
    world.member("m-1")
    before = world.everything()

    answer = world.other.write("/v1/purchases", purchase())

    assert (answer.status_code, answer.json()["error"]) == (404, "MemberUnknown")
    assert world.everything() == before


def lines_of(answer: Any) -> list[dict[str, Any]]:
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [orjson.loads(line) for line in answer.content.splitlines()]


def body_of(purchases: list[Any]) -> bytes:
    return b"\n".join(line if isinstance(line, bytes) else orjson.dumps(line) for line in purchases) + b"\n"


def test_malformed_line_500_of_1000_is_named_and_the_others_count(world: World) -> None:
    """SPEC 9.7"""
    world.member()
    purchases: list[Any] = [purchase(number) for number in range(1, 1001)]
    purchases[499] = b'{"id": "order-500", "amount": '

    lines = lines_of(world.brand.write("/v1/purchases", body_of(purchases), **NDJSON))

    assert [line["line"] for line in lines] == list(range(1, 1001))
    refused = [line for line in lines if line["status"] != "accepted"]
    assert [(line["line"], line["status"], line["problem"]["error"]) for line in refused] == [
        (500, "refused", "LineMalformed")
    ]
    assert world.rows("SELECT COUNT(*) FROM event") == [(999,)]
    assert world.rows("SELECT COUNT(*), COUNT(DISTINCT operation_id) FROM operation") == [(999, 999)]


def test_bad_amount_in_a_line_keeps_its_name(world: World) -> None:
    world.member()

    lines = lines_of(
        world.brand.write(
            "/v1/purchases",
            body_of([purchase(1), purchase(2, amount="-1"), purchase(3, member="stranger"), purchase(1, amount="7")]),
            **NDJSON,
        )
    )

    assert [line["status"] for line in lines] == ["accepted", "refused", "refused", "refused"]
    assert [line["problem"]["error"] for line in lines[1:]] == [
        "AmountNegative",
        "MemberUnknown",
        "PurchaseConflict",
    ]


def test_order_repeated_inside_a_batch_is_one_operation(world: World) -> None:
    """SPEC 9.6"""
    world.member()

    lines = lines_of(world.brand.write("/v1/purchases", body_of([purchase(1), purchase(1), purchase(2)]), **NDJSON))

    assert [line["status"] for line in lines] == ["accepted", "replayed", "accepted"]
    assert lines[0]["operation"] == lines[1]["operation"] != lines[2]["operation"]


def test_batch_sent_again_is_replayed_whole(world: World) -> None:
    """SPEC 9.8"""
    world.member()
    body = body_of([purchase(number) for number in range(700)])
    first = lines_of(world.brand.write("/v1/purchases", body, key="night", **NDJSON))

    again = lines_of(world.brand.write("/v1/purchases", body, key="night", **NDJSON))

    assert {line["status"] for line in again} == {"replayed"}
    assert [line["operation"] for line in again] == [line["operation"] for line in first]


def test_batch_key_with_another_body_is_refused(world: World) -> None:
    """SPEC 9.8"""
    world.member()
    world.brand.write("/v1/purchases", body_of([purchase(1), purchase(2)]), key="night", **NDJSON)
    before = world.everything()

    other = world.brand.write("/v1/purchases", body_of([purchase(3), purchase(4)]), key="night", **NDJSON)
    longer = world.brand.write("/v1/purchases", body_of([purchase(1), purchase(2), purchase(3)]), key="night", **NDJSON)

    assert (other.status_code, other.json()["error"]) == (422, "IdempotencyKeyReused")
    assert (longer.status_code, longer.json()["error"]) == (422, "IdempotencyKeyReused")
    assert world.everything() == before


def test_key_of_a_batch_and_of_a_single_write_are_the_same_kind_of_key(world: World) -> None:
    """SPEC 9.5"""
    world.member()
    world.brand.write("/v1/purchases", purchase(1), key="single")
    world.brand.write("/v1/purchases", body_of([purchase(2)]), key="batch", **NDJSON)
    before = world.everything()

    batch = world.brand.write("/v1/purchases", body_of([purchase(3)]), key="single", **NDJSON)
    single = world.brand.write("/v1/purchases", purchase(3), key="batch")

    assert [answer.json()["error"] for answer in (batch, single)] == ["IdempotencyKeyReused"] * 2
    assert world.everything() == before


def test_line_that_is_too_long_is_refused_alone(world: World) -> None:
    world.member()
    long = orjson.dumps(purchase(2, note="x" * world.settings.line_bytes_max))

    lines = lines_of(world.brand.write("/v1/purchases", body_of([purchase(1), long, purchase(3)]), **NDJSON))

    assert [line["status"] for line in lines] == ["accepted", "refused", "accepted"]
    assert lines[1]["problem"]["error"] == "LineTooLong"


def test_body_with_too_many_lines_ends_with_a_refusal(make_world: Worlds) -> None:
    world = make_world(lines_max=5, chunk_lines=2)
    world.member()

    lines = lines_of(world.brand.write("/v1/purchases", body_of([purchase(number) for number in range(9)]), **NDJSON))

    assert [line["status"] for line in lines] == ["accepted"] * 5 + ["refused"]
    assert lines[-1]["problem"]["error"] == "LinesTooMany"
    assert len(world.rows("SELECT id FROM event")) == 5


def test_blank_lines_and_a_missing_last_line_end_are_fine(world: World) -> None:
    world.member()
    body = b"\r\n" + orjson.dumps(purchase(1)) + b"\r\n\n" + orjson.dumps(purchase(2))

    lines = lines_of(world.brand.write("/v1/purchases", body, **NDJSON))

    assert [(line["line"], line["status"]) for line in lines] == [(2, "accepted"), (4, "accepted")]


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_time_beyond_the_years_of_utc_is_refused_and_stops_no_other_line(world: World, at: str) -> None:
    """SPEC 9.7"""
    world.member()
    bad = purchase(2, occurred_at=at)

    single = world.brand.write("/v1/purchases", bad)
    lines = lines_of(world.brand.write("/v1/purchases", body_of([purchase(1), bad, purchase(3)]), **NDJSON))

    assert (single.status_code, single.json()["error"]) == (422, "RequestMalformed")
    assert [line["status"] for line in lines] == ["accepted", "refused", "accepted"]
    assert lines[1]["problem"]["error"] == "LineMalformed"


@pytest.mark.parametrize(
    "pieces", [[b"x" * 20_000], [b"x" * 20_000, b""], [b"x" * 20_000, b"x"], [b"{}\nx" + b"x" * 20_000]]
)
def test_last_line_that_is_too_long_is_refused_by_name_wherever_it_is_cut(pieces: list[bytes]) -> None:
    """SPEC 9.7"""
    splitter = Splitter(line_bytes_max=16_384, lines_max=10)

    lines = [line for piece in pieces for line in splitter.feed(piece)] + splitter.feed(b"", end=True)

    last = lines[-1]
    assert last.number == splitter.number
    assert last.refused is not None
    assert last.refused.error == "LineTooLong"
    assert sum(line.refused is not None for line in lines) == 1


def test_line_end_after_a_long_line_is_no_line_of_its_own() -> None:
    splitter = Splitter(line_bytes_max=16_384, lines_max=10)

    lines = splitter.feed(b"x" * 20_000) + splitter.feed(b"\n", end=True)

    assert [(line.number, line.refused is not None) for line in lines] == [(1, True)]
