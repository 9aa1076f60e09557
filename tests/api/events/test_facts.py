"""Facts of any kind: a schema and a mapping are all that a new one needs; what a fact is worth is a row of its own."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
import pytest
from sqlmodel import Session

from api.decisions import awards, mappings
from api.decisions.mappings import Mapping
from api.events import kinds
from api.events.errors import FactConflict, RuleMissing
from api.events.kinds import FactKind
from api.events.schemas import FactCreate
from api.kit.problems import Problem
from api.members.errors import MemberUnknown
from api.points import facts
from api.writes.ndjson import Line
from tests.api.conftest import TERMS, World, purchase


class ReviewCreate(FactCreate):
    """A review: a kind that only this test has. It has no amount and no currency."""

    product: str
    stars: int


REVIEW = FactKind("review", ReviewCreate)


@pytest.fixture
def reviews(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A gateway that takes reviews, with a brand whose rule 7 rewards them."""
    monkeypatch.setitem(kinds.KINDS, REVIEW.name, REVIEW)
    monkeypatch.setitem(mappings.MAPPINGS, REVIEW.name, Mapping("review", lambda data: int(data["stars"])))
    world.run(
        "INSERT INTO rule (brand_id, rule_id, version, in_force_at, withdrawn, terms)"
        " VALUES ('1', '7', 1, 1, false, :t)",
        t=orjson.dumps({**orjson.loads(TERMS), "activity": "0x" + b"review".hex()}).decode(),
    )
    world.member()
    return world


def review(number: int = 1, **change: Any) -> dict[str, Any]:
    return {
        "id": f"review-{number}",
        "member": {"identifier": "m-1"},
        "occurred_at": "2026-01-01T00:00:00Z",
        "product": "tea",
        "stars": 5,
        **change,
    }


def count(world: World, *reviews: dict[str, Any]) -> list[facts.Counted | Problem]:
    wanted = [ReviewCreate(**one) for one in reviews]
    with world.database.write() as session:
        return facts.count(session, settings=world.settings, brand=1, kind=REVIEW, wanted=wanted)


def test_another_kind_is_a_schema_and_a_mapping(reviews: World) -> None:
    """SPEC 9.63, 9.64"""
    [counted] = count(reviews, review())

    assert isinstance(counted, facts.Counted)
    [(source, kind, id, data)] = reviews.rows("SELECT source, type, external_id, data FROM event")
    assert (source, kind, id, orjson.loads(data)) == ("cdnow", "review", "review-1", {"product": "tea", "stars": 5})
    [(key, payload)] = reviews.rows("SELECT key, payload FROM operation")
    asked = orjson.loads(payload)
    assert (key, asked["rule"], asked["base_amount"]) == ("review/1/review-1", 7, "5")
    assert reviews.rows("SELECT activity, rule, base_amount, operation FROM award") == [
        ("review", 7, "5", counted.operation)
    ]


def test_another_kind_counts_once_and_is_no_purchase(reviews: World) -> None:
    """SPEC 9.6, 9.63"""
    [first] = count(reviews, review())
    again, other, unknown = count(reviews, review(), review(stars=1), review(2, member={"identifier": "nobody"}))
    bought = reviews.brand.write("/v1/purchases", {**purchase(), "id": "review-1"})

    assert isinstance(first, facts.Counted)
    assert isinstance(again, facts.Counted)
    assert (again.status, again.operation) == ("replayed", first.operation)
    assert isinstance(other, FactConflict)
    assert isinstance(unknown, MemberUnknown)
    assert bought.status_code == 202, "ids of another kind are other ids"
    assert reviews.rows("SELECT type FROM event ORDER BY id") == [("review",), ("purchase",)]
    assert len(reviews.rows("SELECT 1 FROM award")) == 2


def test_another_kind_comes_as_lines_too(reviews: World) -> None:
    """SPEC 9.7, 9.63"""
    bodies = [orjson.dumps(one) for one in (review(1), review(2, stars="many"), review(1), review(3))]
    lines = [Line(number, raw) for number, raw in enumerate(bodies, 1)]

    with reviews.database.write() as session:
        told = facts.count_lines(session, settings=reviews.settings, brand=1, kind=REVIEW, lines=lines)

    answers = [orjson.loads(one) for one in told]
    assert [one["status"] for one in answers] == ["accepted", "refused", "replayed", "accepted"]
    assert answers[1]["problem"]["error"] == "LineMalformed"
    assert answers[0]["operation"] == answers[2]["operation"] != answers[3]["operation"]


def test_activity_without_a_rule_leaves_no_fact_behind(reviews: World) -> None:
    """SPEC 9.62, 9.64: a fact and what it is worth are written together or not at all."""
    reviews.mirror()
    reviews.run("DELETE FROM rule WHERE rule_id = '7'")

    [refused] = count(reviews, review())

    assert isinstance(refused, RuleMissing)
    for table in ("event", "award", "operation"):
        assert reviews.rows(f"SELECT 1 FROM {table}") == []


def test_fact_that_is_known_is_told_though_its_rule_is_over(world: World) -> None:
    """SPEC 9.6, 9.62"""
    world.member()
    first = world.brand.write("/v1/purchases", purchase())
    world.mirror()
    world.run("DELETE FROM rule")

    again = world.brand.write("/v1/purchases", purchase())
    other = world.brand.write("/v1/purchases", purchase(2))

    assert again.json()["operation"]["id"] == first.json()["operation"]["id"]
    assert other.json()["error"] == "RuleMissing"


def test_outcome_of_an_award_is_the_chains_and_goes_with_it(world: World) -> None:
    """SPEC 9.64"""
    world.member()
    world.brand.write("/v1/purchases", purchase())

    def outcome() -> awards.Outcome:
        with Session(world.database.engine) as session:
            return awards.outcome(session, 1)["purchase"]

    assert outcome() == awards.Outcome("queued", None, None)
    world.run("UPDATE operation SET state = 'confirmed', result = :r", r='{"points": "4399", "version": "1"}')
    assert outcome() == awards.Outcome("confirmed", 4399, 1)
    world.run("UPDATE operation SET state = 'sent', result = NULL")
    assert outcome() == awards.Outcome("sent", None, None)


def test_purchases_of_before_have_the_hashes_that_they_had(world: World) -> None:
    """SPEC 9.6: an order that was counted before there were kinds is still the same order."""
    member = world.member()
    world.brand.write("/v1/purchases", purchase())
    world.brand.write("/v1/purchases", purchase(2, amount="0", free=True))

    # sha256 over member, amount, currency, time and whether it is free, a line each.
    wanted = [
        hashlib.sha256(f"{member['id']}\n{amount}\nUSD\n1997-01-01T00:00:00+00:00\n{free}".encode()).hexdigest()
        for amount, free in (("2933", "False"), ("0", "True"))
    ]
    assert world.rows("SELECT content_hash FROM event ORDER BY id") == [(one,) for one in wanted]
