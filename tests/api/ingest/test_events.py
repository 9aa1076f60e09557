"""Events of every kind: each once, refused by name, and in any order the same set."""

from __future__ import annotations

import random
from typing import Any

import orjson

from api.ingest.kinds import KINDS
from api.kit.clock import now_ms, rfc3339
from tests.api.conftest import NDJSON, Caller, World, purchase
from tests.api.conftest import both as kind  # noqa: F401

BATCH = {"Content-Type": "application/cloudevents-batch+json"}
ONE = {"Content-Type": "application/cloudevents+json"}
SEED = random.randrange(2**32)
LINE = {"sku": "tea", "quantity": 2, "amount": "2800"}
BOUGHT = {"order": "order-1", "currency": "USD", "total": "2933", "tax": "133", "tax_included": False, "lines": [LINE]}
# A good example of the data of every kind.
DATA: dict[str, dict[str, Any]] = {
    "purchase": BOUGHT,
    "return": {"id": "return-1", "order": "order-1", "currency": "USD", "amount": "1000", "reason": "too bitter a tea"},
    "product.viewed": {"sku": "tea", "seconds": 4, "url": "https://shop.example/tea?for=ada"},
    "page.viewed": {"name": "Teas", "url": "https://shop.example/teas"},
    "screen.viewed": {"name": "Home"},
    "search.made": {"terms": "tea for ada", "results": 3},
    "cart.changed": {"cart": "c-1", "change": "added", "currency": "KWD", "lines": [LINE]},
    "checkout.changed": {"cart": "c-1", "step": "started", "currency": "JPY", "total": "2933"},
    "app.session": {"phase": "ended", "seconds": 120},
    "store.visited": {"store": "seoul-01"},
    "beacon.seen": {"store": "seoul-01", "beacon": "shelf-7", "dwell_s": 45},
    "kiosk.used": {"store": "seoul-01", "device": "kiosk-2", "action": "looked"},
    "experience.attended": {"experience": "tasting", "stars": 5},
    "support.contacted": {"thread": "case-1", "channel": "phone", "step": "asked", "text": "where is\nmy tea"},
    "review.written": {"sku": "tea", "stars": 4, "text": "a fine tea"},
    "survey.answered": {"survey": "nps", "score": 9, "answers": {"why": "the jasmine"}},
    "attendance.checked": {"place": "app", "streak_days": 3},
    "referral.made": {"code": "ref-1", "step": "joined"},
    "mission.progressed": {"mission": "five", "progress": 3, "of": 5},
    "course.progressed": {"course": "basics", "completed": True},
    "group.joined": {"group": "family-7"},
    "stock.changed": {"sku": "tea", "place": "seoul-01", "available": 0, "change": "out"},
    "weather.observed": {"place": "seoul", "condition": "rain", "temperature_dc": -15},
    "footfall.counted": {"place": "seoul-01", "people": 140, "seconds": 900},
    "campaign.exposed": {"campaign": "spring", "channel": "display"},
    "social.mentioned": {"network": "x", "sentiment": "positive", "handle": "@adalovestea"},
}


def event(type_: str, id_: str = "e-1", *, data: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    made = {
        "specversion": "1.0",
        "id": id_,
        "source": "/shop",
        "type": type_,
        "time": "1997-01-02T00:00:00Z",
        "data": DATA.get(type_, {}) if data is None else data,
        **more,
    }
    if "subject" not in made and "anonymousid" not in made and KINDS.get(type_) and KINDS[type_].whose != "nobody":
        made["subject"] = "m-1"
    return {name: value for name, value in made.items() if value is not None}


def report(caller: Caller, *events: Any) -> list[dict[str, Any]]:
    """The answers to a batch."""
    answer = caller.write("/v1/events", list(events), **BATCH)
    assert answer.status_code == 200, answer.text
    told: list[dict[str, Any]] = answer.json()["events"]
    return told


def counts(world: World) -> tuple[int, ...]:
    tables = ("reported_event", "event", "operation", "award", "goods_return", "member", "identifier_link")
    return tuple(world.rows(f"SELECT COUNT(*) FROM {table}")[0][0] for table in tables)


def page(caller: Caller, query: str = "") -> list[dict[str, Any]]:
    answer = caller.get(f"/v1/events{query}")
    assert answer.status_code == 200, answer.text
    told: list[dict[str, Any]] = answer.json()["events"]
    return told


def test_every_kind_has_an_example_here() -> None:
    assert DATA.keys() == KINDS.keys()


def test_what_people_say_is_marked_as_theirs() -> None:
    """SPEC 22.9"""
    sealed = {(name, field) for name, one in KINDS.items() for field in one.personal}

    assert sealed == {
        ("return", "reason"), ("product.viewed", "url"), ("page.viewed", "title"), ("page.viewed", "url"),
        ("page.viewed", "path"), ("page.viewed", "search"), ("page.viewed", "referrer"), ("search.made", "terms"),
        ("support.contacted", "text"), ("review.written", "text"), ("survey.answered", "answers"),
        ("social.mentioned", "handle"), ("social.mentioned", "text"), ("social.mentioned", "url"),
    }  # fmt: skip


def test_every_kind_is_taken_one_by_one_in_a_batch_and_line_by_line(world: World) -> None:
    """SPEC 22.1, 22.2, 22.6"""
    world.member()
    events = [event(name, f"e-{name}") for name in KINDS]

    told = report(world.brand, *events)

    assert {(one["type"], one["status"]) for one in told} == {(name, "accepted") for name in KINDS}
    assert [one["line"] for one in told] == list(range(1, len(KINDS) + 1))
    for one in events[2:5]:
        again = world.brand.write("/v1/events", one, **ONE)
        assert (again.status_code, again.json()["status"]) == (202, "replayed"), again.text
    lines = world.brand.write("/v1/events", b"\n".join(map(orjson.dumps, events)), **NDJSON)
    answers = [orjson.loads(line) for line in lines.content.splitlines()]
    assert [one["status"] for one in answers] == ["replayed"] * len(KINDS)
    assert [one["number"] for one in answers] == [one["number"] for one in told]
    assert counts(world)[:2] == (len(KINDS), 2)


REFUSED: list[tuple[dict[str, Any], str, int]] = [
    ({"type": "coffee.spilt"}, "EventKindUnknown", 422),
    ({"type": "Product.Viewed"}, "EventKindUnknown", 422),
    ({"specversion": "0.3"}, "RequestMalformed", 422),
    ({"id": ""}, "RequestMalformed", 422),
    ({"id": "x" * 129}, "RequestMalformed", 422),
    ({"source": None}, "RequestMalformed", 422),
    ({"time": None}, "RequestMalformed", 422),
    ({"time": "1997-01-01"}, "RequestMalformed", 422),
    ({"time": "1970-01-01T00:00:00Z"}, "OccurredTooEarly", 422),
    ({"time": "2999-01-01T00:00:00Z"}, "OccurredInFuture", 422),
    ({"datacontenttype": "text/xml"}, "RequestMalformed", 422),
    ({"data_base64": "e30="}, "RequestMalformed", 422),
    ({"colour": "red"}, "RequestMalformed", 422),
    ({"data": None}, "RequestMalformed", 422),
    ({"data": {"sku": "tea", "colour": "red"}}, "RequestMalformed", 422),
    ({"data": {}}, "RequestMalformed", 422),
    ({"data": {"sku": "tea", "seconds": "4"}}, "RequestMalformed", 422),
    ({"data": {"sku": "tea", "seconds": 4.5}}, "RequestMalformed", 422),
    ({"subject": "stranger"}, "MemberUnknown", 404),
    ({"subject": "mem_" + "0" * 32}, "MemberUnknown", 404),
    ({"anonymousid": "cookie-1"}, "MemberUnclear", 422),
    ({"subject": None}, "MemberUnclear", 422),
]


def test_a_bad_event_is_refused_by_name_alone(world: World) -> None:
    """SPEC 22.1, 22.2, 22.4, 22.8"""
    world.member()
    bads = []
    before = counts(world)
    for change, error, status in REFUSED:
        bad = {name: value for name, value in {**event("product.viewed"), **change}.items() if value is not None}

        alone = world.brand.write("/v1/events", bad)

        assert (alone.status_code, alone.json()["error"]) == (status, error), change
        assert counts(world) == before, change
        bads.append(bad)
    good = [event("app.session", f"e-{number}") for number in range(len(bads))]
    told = report(world.brand, *[one for pair in zip(good, bads, strict=True) for one in pair])
    assert {one["status"] for one in told[::2]} == {"accepted"}
    assert [one["problem"]["error"] for one in told[1::2]] == [error for _, error, _ in REFUSED]
    assert counts(world)[0] == len(good)


UNEQUAL: list[tuple[str, dict[str, Any], str]] = [
    ("purchase", {"total": 2933}, "AmountMalformed"),
    ("purchase", {"total": "29.33"}, "AmountFractional"),
    ("purchase", {"total": "-1"}, "AmountNegative"),
    ("purchase", {"total": "2934"}, "BasketUnequal"),
    ("purchase", {"discount": "1"}, "BasketUnequal"),
    ("purchase", {"tax_included": True}, "BasketUnequal"),
    ("purchase", {"paid_with_points": {"amount": "2934"}}, "BasketUnequal"),
    ("purchase", {"currency": None}, "RequestMalformed"),
    ("purchase", {"currency": "EUR"}, "CurrencyWrong"),
    ("checkout.changed", {"currency": None}, "RequestMalformed"),
    ("return", {"currency": "EUR"}, "CurrencyWrong"),
    ("return", {"order": "order-9"}, "OrderUnknown"),
    ("return", {"lines": [LINE]}, "BasketUnequal"),
    ("return", {"amount": "2934"}, "ReturnExceedsAward"),
]


def test_money_is_whole_has_a_currency_and_adds_up(world: World) -> None:
    """SPEC 22.5, 22.6"""
    world.member()
    report(world.brand, event("purchase"))
    before = counts(world)
    for name, change, error in UNEQUAL:
        data = {key: value for key, value in {**DATA[name], **change}.items() if value is not None}

        answer = world.brand.write("/v1/events", event(name, "e-2", data=data))

        assert answer.json()["error"] == error, (name, change)
        assert counts(world) == before


def test_who_may_report_and_read(world: World) -> None:
    member = world.session(world.member())

    for caller, status in ((world.anyone, 401), (world.operator, 403), (member, 403), (world.auditor(), 403)):
        assert caller.write("/v1/events", event("app.session")).status_code == status
        assert caller.get("/v1/events").status_code == status
    assert world.anyone.get("/v1/events/policy").status_code == 200
    assert counts(world)[0] == 0


def test_another_brand_neither_knows_the_member_nor_sees_the_event(world: World) -> None:
    world.member()
    report(world.brand, event("app.session"))

    refused = world.other.write("/v1/events", event("app.session"))

    assert refused.json()["error"] == "MemberUnknown"
    assert page(world.other) == []
    world.member("m-1", brand=world.other)
    assert report(world.other, event("app.session"))[0]["status"] == "accepted"


def test_the_same_id_with_another_content_shows_both(world: World) -> None:
    """SPEC 22.3"""
    world.member()
    first = event("review.written", data={"sku": "tea", "stars": 4, "text": "a fine tea"})
    report(world.brand, first)
    before = counts(world)

    for other in ({"sku": "tea", "stars": 5, "text": "a fine tea"}, {"sku": "tea", "stars": 4, "text": "a poor tea"}):
        answer = world.brand.write("/v1/events", {**first, "data": other})
        told = answer.json()
        assert (answer.status_code, told["error"]) == (409, "EventConflict")
        assert told["kept"]["data"] == {"sku": "tea", "stars": 4}
        assert told["sent"]["data"] == {"sku": "tea", "stars": other["stars"]}
    assert counts(world) == before
    beside = report(world.brand, event("app.session", "e-9"), event("store.visited", "e-9"))
    assert [one["status"] for one in beside] == ["accepted", "refused"]
    assert beside[1]["problem"]["error"] == "EventConflict"


def test_the_same_event_written_otherwise_is_the_same(world: World) -> None:
    """SPEC 22.3"""
    member = world.member()
    [first] = report(world.brand, event("app.session"))

    again = report(
        world.brand,
        event("app.session", time="1997-01-02T09:00:00+09:00"),
        event("app.session", subject=member["id"]),
        event("app.session", traceparent="00-1-2-01", datacontenttype="application/json"),
    )

    assert {(one["status"], one["number"]) for one in again} == {("replayed", first["number"])}
    assert report(world.brand, event("app.session", source="/till"))[0]["status"] == "accepted"


def test_any_order_and_any_repetition_leave_the_same_set(world: World) -> None:
    """SPEC 22.3: the set of events, orders and awards, whatever came when and how often; two brands, two histories."""
    print("seed", SEED)
    chance = random.Random(SEED)
    events = [event(name, f"e-{name}") for name in KINDS if name not in ("purchase", "return")]
    events += [event("purchase", f"e-p-{turn}", data={**BOUGHT, "order": f"order-{turn}"}) for turn in range(3)]
    sets = []
    for number, brand in enumerate((world.brand, world.other), 1):
        world.member(brand=brand)
        sent = events + chance.choices(events, k=len(events))
        chance.shuffle(sent)
        while sent:
            count = chance.randrange(5, 40)
            chunk, sent = sent[:count], sent[count:]
            assert {one["status"] for one in report(brand, *chunk)} <= {"accepted", "replayed"}
        rows = world.rows(
            "SELECT source, external_id, type, occurred_at_ms FROM reported_event WHERE brand_id = :b", b=number
        )
        orders = world.rows("SELECT operation_id FROM operation WHERE brand = :b", b=number)
        sets.append((sorted(map(tuple, rows)), len(orders)))
    assert sets[0] == sets[1]
    assert (len(sets[0][0]), sets[0][1]) == (len(events), 3)


def test_one_order_is_one_award_by_whichever_route_it_came(world: World) -> None:
    """SPEC 22.6"""
    world.member()
    alone = world.brand.write("/v1/purchases", purchase(1, occurred_at="1997-01-02T00:00:00Z"))

    web, till = report(world.brand, event("purchase", "e-1"), event("purchase", "e-2", source="/till"))

    assert {web["operation"], till["operation"]} == {alone.json()["operation"]["id"]}
    assert len(world.rows("SELECT event FROM award")) == 1
    other = world.brand.write("/v1/events", event("purchase", "e-3", data={**BOUGHT, "lines": [], "total": "2934"}))
    assert other.json()["error"] == "PurchaseConflict"
    assert (other.json()["kept"]["data"]["amount"], other.json()["sent"]["data"]["amount"]) == ("2933", "2934")


def test_what_was_paid_with_points_earns_none(world: World) -> None:
    """SPEC 22.6"""
    world.member()
    part = {**BOUGHT, "order": "order-1", "paid_with_points": {"amount": "933", "points": "93300"}}
    whole = {**BOUGHT, "order": "order-2", "paid_with_points": {"amount": "2933"}}

    told = report(world.brand, event("purchase", "e-1", data=part), event("purchase", "e-2", data=whole))

    assert [one["status"] for one in told] == ["accepted", "accepted"]
    assert world.rows("SELECT base_amount FROM award ORDER BY event") == [("2000",), ("0",)]


def test_a_return_follows_its_purchase_in_one_request_and_is_one_return(world: World) -> None:
    """SPEC 22.6"""
    world.member()
    back = event("return", "e-2")

    early = world.brand.write("/v1/events", back)
    told = report(world.brand, back, event("purchase", "e-1"), back)

    assert early.json()["error"] == "OrderUnknown"
    assert [one["status"] for one in told] == ["accepted", "accepted", "replayed"]
    alone = world.brand.write(
        "/v1/returns", {"id": "return-1", "order": "order-1", "amount": "1000", "occurred_at": "1997-01-02T00:00:00Z"}
    )
    assert alone.json()["operation"]["id"] == told[0]["operation"]
    assert world.rows("SELECT COUNT(*) FROM goods_return") == [(1,)]


def test_a_return_under_another_members_name_changes_nothing(world: World) -> None:
    world.member("m-1")
    world.member("m-2")
    report(world.brand, event("purchase"))
    before = counts(world)

    answer = world.brand.write("/v1/events", event("return", "e-2", subject="m-2"))

    assert answer.json()["error"] == "MemberUnknown"
    assert counts(world) == before


def test_a_refused_purchase_event_is_asked_again_as_it_was(world: World) -> None:
    """SPEC 22.6, 9.20"""
    world.member()
    [first] = report(world.brand, event("purchase"))
    world.finish("award", "failed", "BrandNotIssuing")

    [again] = report(world.brand, event("purchase"))

    assert (again["status"], again["operation"]) == ("retried", first["operation"])
    assert world.rows("SELECT state FROM operation") == [("queued",)]


def test_late_is_marked_and_not_refused(world: World) -> None:
    """SPEC 22.4"""
    world.member()
    now = rfc3339(now_ms())

    told = report(world.brand, event("app.session", "e-1"), event("app.session", "e-2", time=now))

    assert [one["late"] for one in told] == [True, False]
    assert [one["late"] for one in page(world.brand)] == [True, False]


def test_a_ceiling_stops_the_hundredfold_mistake_on_every_route(world: World) -> None:
    """SPEC 22.7"""
    world.member()
    report(world.brand, event("purchase"))
    assert world.other.write("/v1/events/ceiling", {"amount": "1"}, method="PUT").status_code == 200
    ceiling = world.brand.write("/v1/events/ceiling", {"amount": "2000"}, method="PUT")
    assert ceiling.json() == {"amount": "2000", "currency": "USD", "decimals": 2}
    before = counts(world)

    by_event = world.brand.write("/v1/events", event("purchase", "e-2", data={**BOUGHT, "order": "order-2"}))
    by_route = world.brand.write("/v1/purchases", purchase(3, amount="2001"))
    by_line = world.brand.write("/v1/purchases", orjson.dumps(purchase(3, amount="2001")), **NDJSON)

    assert [by_event.json()["error"], by_route.json()["error"]] == ["PurchaseAboveCeiling"] * 2
    assert by_line.json()["problem"]["error"] == "PurchaseAboveCeiling"
    assert counts(world) == before
    assert report(world.brand, event("purchase"))[0]["status"] == "replayed"
    assert world.brand.write("/v1/purchases", purchase(4, amount="2000")).status_code == 202
    assert world.brand.write("/v1/events/ceiling", {"amount": None}, method="PUT").json()["amount"] is None
    assert world.brand.write("/v1/purchases", purchase(3, amount="2001")).status_code == 202


def test_a_batch_is_bounded_and_its_type_says_what_it_is(world: World) -> None:
    """SPEC 22.1"""
    world.member()
    many = [event("app.session", f"e-{number}") for number in range(101)]

    assert world.brand.write("/v1/events", many, **BATCH).json()["error"] == "EventsTooMany"
    assert world.brand.write("/v1/events", many[:1]).json()["error"] == "RequestMalformed"
    assert world.brand.write("/v1/events", many[0], **BATCH).json()["error"] == "RequestMalformed"
    assert world.brand.write("/v1/events", many[0], **{"Content-Type": "text/plain"}).status_code == 415
    assert counts(world)[0] == 0
    assert len(report(world.brand, *many[:100])) == 100
    assert report(world.brand) == []


def test_policy_tells_kinds_sealed_fields_and_decimals(world: World) -> None:
    """SPEC 22.2, 22.5"""
    told = world.anyone.get("/v1/events/policy").json()

    assert {one["name"] for one in told["kinds"]} == KINDS.keys()
    assert [one["sealed"] for one in told["kinds"] if one["name"] == "search.made"] == [["terms"]]
    assert (told["decimals"]["JPY"], told["decimals"]["KWD"], "USD" in told["decimals"]) == (0, 3, False)
    assert (told["ahead_s"], told["late_s"], told["batch_max"]) == (60, 86_400, 100)
