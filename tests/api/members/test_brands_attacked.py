"""Brands against those who would be another: foreign keys, names that move, all at once, cut off between."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import event, text
from sqlmodel import Session

from api.auth.callers import BrandCaller
from api.decisions import awards
from api.events.errors import PurchaseConflict
from api.events.kinds import PURCHASE
from api.events.schemas import PurchaseCreate
from api.kit.database import Database
from api.kit.problems import Problem
from api.members import brands
from api.members import service as identity
from api.members.errors import BrandExists, MemberUnknown
from api.members.schemas import BrandChange, MemberReference
from api.points import facts, holds
from api.points.errors import HoldUnknown
from chain.mirror.queries.brands import rule_for
from tests.api.conftest import TERMS, World, purchase, settings_in
from tests.api.conftest import both as kind  # noqa: F401
from tests.api.members.test_brands import NAMES, document, invite, met, quiet, taken_in  # noqa: F401

TOGETHER = 4
# Who called as cdnow before names moved; its key belongs to the registry's first brand.
FIRST = BrandCaller("cdnow", "key", 1)


def at_once(*effects: Callable[[], Any]) -> list[Any]:
    """What each gave or was refused with, begun together."""
    together = threading.Barrier(len(effects))

    def one(effect: Callable[[], Any]) -> Any:
        together.wait(20)
        try:
            return effect()
        except Problem as refused:
            return refused

    with ThreadPoolExecutor(len(effects)) as pool:
        return [found.result(60) for found in [pool.submit(one, effect) for effect in effects]]


def counted(world: World, **change: Any) -> Any:
    wanted = PurchaseCreate(**{**purchase(), **change})
    with world.database.write() as session:
        [found] = facts.count(session, settings=world.settings, brand=1, kind=PURCHASE, wanted=[wanted])
    return found


def swapped(world: World) -> None:
    """The two brands have each other's names."""
    for slug, wanted in (("cdnow", "nobody"), ("beans", "cdnow"), ("nobody", "beans")):
        assert world.operator.write(f"/v1/brands/{slug}", {"slug": wanted}, method="PATCH").status_code == 200


def test_a_brand_that_came_later_belongs_to_nobody_else(world: World) -> None:
    """SPEC 9.2, 9.3, 9.60: another brand's key learns nothing of it, moves nothing of it and names nothing of it."""
    invite(world)
    met(world, 3)
    stranger = world.brand
    own = world.operator.write("/v1/brands/tea/keys").json()
    world.other.key = own["key"]
    member = world.member("guest", world.other)
    bought = world.other.write("/v1/purchases", {**purchase(), "member": {"identifier": "guest"}}).json()
    before = world.rows("SELECT * FROM brand ORDER BY slug"), world.rows("SELECT COUNT(*) FROM operation")

    refused = [
        stranger.get(f"/v1/members/{member['id']}"),
        stranger.get("/v1/members", identifier="guest"),
        stranger.get(f"/v1/operations/{bought['operation']['id']}"),
        stranger.write("/v1/purchases", {**purchase(2), "member": {"id": member["id"]}}),
        stranger.write("/v1/holds", {"brand": "tea", "member": {"id": member["id"]}, "points": "1"}),
        stranger.write("/v1/brands/tea/keys"),
        stranger.write("/v1/brands/tea", {"slug": "mine"}, method="PATCH"),
        world.other.write("/v1/brands/tea", {"name": "Ours"}, method="PATCH"),
        world.anyone.write("/v1/brands/tea", {"name": "Whose"}, method="PATCH"),
    ]

    assert [(answer.status_code, answer.json()["error"]) for answer in refused] == [
        (404, "MemberUnknown"), (404, "MemberUnknown"), (404, "OperationUnknown"), (404, "MemberUnknown"),
        (403, "NotYours"), (403, "NotYours"), (403, "NotYours"), (403, "NotYours"), (401, "KeyMissing"),
    ]  # fmt: skip
    assert (world.rows("SELECT * FROM brand ORDER BY slug"), world.rows("SELECT COUNT(*) FROM operation")) == before


def test_a_name_that_moves_while_a_caller_is_served_moves_nothing_of_its_own(world: World) -> None:
    """SPEC 9.61: who came as cdnow is the registry's first brand to the end, though another is called cdnow by then."""
    member = world.member()
    theirs = world.member("theirs", world.other)
    swapped(world)

    found = counted(world)

    assert isinstance(found, facts.Counted)
    assert (found.status, found.member_id) == ("accepted", member["id"])
    assert world.rows("SELECT source FROM event") == [("beans",)]
    assert world.rows("SELECT brand FROM operation") == [(1,)]
    world.run(
        "INSERT INTO hold_request"
        " (id, chain_id, brand, member_id, points, reward, hold_until, operation, created_at_ms)"
        " VALUES ('hold_1', '0x1', 'cdnow', :m, '1', '', 9, 1, 1)",
        m=theirs["id"],
    )
    with Session(world.database.engine) as session:
        with pytest.raises(HoldUnknown):
            holds.hold_of(session, caller=FIRST, hold_id="hold_1")
        with pytest.raises(MemberUnknown):
            identity.referred(session, caller=FIRST, reference=MemberReference(identifier="theirs"))
    with pytest.raises(MemberUnknown):
        world.database.reads(lambda read: identity.member_of(read, brand=1, identifier="theirs"))


def test_one_of_two_that_take_a_slug_at_once_has_it(world: World) -> None:
    """SPEC 9.61"""

    def take(slug: str) -> Any:
        with world.database.write() as session:
            return brands.rename(session, slug=slug, wanted=BrandChange(slug="music"), actor="operator/x").registry_id

    answers = at_once(lambda: take("cdnow"), lambda: take("beans"))

    refused = [one for one in answers if isinstance(one, BrandExists)]
    [had] = [one for one in answers if not isinstance(one, Problem)]
    assert len(refused) == 1, answers
    assert world.rows("SELECT registry_id FROM brand WHERE slug = 'music'") == [(had,)]
    assert len(world.rows("SELECT 1 FROM brand")) == 2


def test_gateways_that_meet_a_brand_at_once_name_it_once(quiet: World) -> None:  # noqa: F811
    """SPEC 9.60"""
    invite(quiet)

    named = at_once(*[lambda: taken_in(quiet)] * TOGETHER)

    assert sorted(named) == [[], [], [], ["tea"]]


def test_order_told_at_once_with_different_contents_counts_once(world: World) -> None:
    """SPEC 9.6: one content wins as a whole, the others are conflicts, and the same content is the same operation."""
    world.member()
    amounts = ["100", "200", "300", "100"]

    answers = at_once(*[lambda amount=amount: counted(world, amount=amount) for amount in amounts])

    [(data, rule_amount)] = world.rows(
        "SELECT e.data, a.base_amount FROM event e JOIN award a ON a.event = e.id"
        " JOIN operation o ON o.id = a.operation"
    )
    kept = (orjson.loads(data) if isinstance(data, str) else data)["amount"]
    assert kept == rule_amount
    for amount, answer in zip(amounts, answers, strict=True):
        assert isinstance(answer, facts.Counted if amount == kept else PurchaseConflict), (amount, kept, answer)
    assert [one.status for one in answers if isinstance(one, facts.Counted)].count("accepted") == 1
    assert len(world.rows("SELECT 1 FROM operation")) == len(world.rows("SELECT 1 FROM event")) == 1


def killed(url: str, folder: str, after: str) -> None:
    """A gateway's process that ends by kill -9 once it has written the fact, or the award too, before it commits."""
    done = {"fact": facts.facts.store, "award": awards.store}[after]

    def last(*values: Any, **named: Any) -> None:
        done(*values, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    if after == "fact":
        facts.facts.store = last  # type: ignore[assignment]
    else:
        awards.store = last
    with Database(url).write() as session:
        wanted = PurchaseCreate(**purchase())
        settings = settings_in(Path(folder), url)
        facts.count(session, settings=settings, brand=1, kind=PURCHASE, wanted=[wanted])


@pytest.mark.parametrize("after", ["fact", "award"])
def test_kill_nine_between_fact_and_award_leaves_neither(world: World, tmp_path: Path, after: str) -> None:
    """SPEC 9.64"""
    world.member()
    process = multiprocessing.get_context("spawn").Process(
        target=killed, args=(world.settings.database_url, str(tmp_path), after)
    )
    process.start()
    process.join(60)

    assert process.exitcode == -signal.SIGKILL
    for table in ("event", "award", "operation", "operation_counter"):
        assert world.rows(f"SELECT 1 FROM {table}") == [], table
    again = counted(world)
    assert isinstance(again, facts.Counted)
    assert again.status == "accepted"
    assert world.rows("SELECT operation_id FROM operation") == [("1",)]


@pytest.mark.parametrize(
    "change",
    [{"slug": "operator"}, {"name": "Te\u0000a"}, {"name": "T\u202eea"}, {"symbol": "T\u200bA"}],
    ids=["the operator", "NUL", "right to left", "no width"],
)
def test_names_that_would_pass_for_others_name_nobody(
    quiet: World,  # noqa: F811
    tmp_path: Path,
    change: dict[str, str],
) -> None:
    """SPEC 9.60, 9.61: neither by a document nor by the operator, and no other brand waits for it."""
    invite(quiet, symbol="LEAF", metadata=document(tmp_path, orjson.dumps({**NAMES, **change})))
    invite(quiet, 4, token="0x" + "44" * 20, symbol="OPERATOR")

    assert taken_in(quiet, tmp_path) == ["leaf", "brand-4"]
    assert quiet.operator.write("/v1/brands/leaf", change, method="PATCH").status_code == 422


def test_a_rule_that_was_changed_more_often_than_is_read_counts_by_its_newest_version(world: World) -> None:
    """SPEC 9.62"""
    review = orjson.dumps({**orjson.loads(TERMS), "activity": "0x" + b"review".hex()}).decode()
    with world.database.write() as session:
        for version in range(2, 1_100):
            session.execute(
                text(
                    "INSERT INTO rule (brand_id, rule_id, version, in_force_at, withdrawn, terms)"
                    " VALUES ('1', '1', :v, :v, false, :t)"
                ),
                {"v": version, "t": review if version == 1_099 else TERMS},
            )

    with Session(world.database.engine) as session:
        assert rule_for(session, 1, "review", at_s=2_000) == 1
        assert rule_for(session, 1, "purchase", at_s=2_000) is None
        assert rule_for(session, 1, "purchase", at_s=1_098) == 1


@pytest.mark.parametrize(
    ("mirror", "rule", "error"),
    [
        ("state = 'backfilling'", False, "RuleUnread"),
        ("state = 'live'", False, "RuleMissing"),
        ("state = 'backfilling', head_number = 7 + 256", True, None),
        ("state = 'backfilling', head_number = 7 + 257", True, "RuleUnread"),
        ("state = 'stopped', head_number = 9999", True, None),
    ],
)
def test_a_mirror_that_is_read_anew_refuses_no_order_for_good_and_decides_none_by_an_old_rule(
    world: World, mirror: str, rule: bool, error: str | None
) -> None:
    """SPEC 9.62"""
    world.member()
    world.mirror()
    known = world.brand.write("/v1/purchases", purchase(1))
    world.run(f"UPDATE mirror_checkpoint SET {mirror}")
    if not rule:
        world.run("DELETE FROM rule")

    again, fresh = (world.brand.write("/v1/purchases", purchase(number)) for number in (1, 2))

    assert again.json()["operation"]["id"] == known.json()["operation"]["id"], "what was decided is told"
    assert fresh.json().get("error") == error
    if error == "RuleUnread":
        assert (fresh.status_code, fresh.headers["Retry-After"]) == (503, "2")
    assert len(world.rows("SELECT 1 FROM event")) == (1 if error else 2)


def test_a_page_of_refused_operations_asks_once_what_its_brand_is_called(world: World) -> None:
    """SPEC 9.20"""
    world.member()
    for number in range(6):
        counted(world, id=f"order-{number}")
    world.run("UPDATE operation SET state = 'failed', error = 'BrandNotIssuing'")
    statements: list[str] = []

    def asked(limit: str) -> int:
        statements.clear()
        page = world.brand.get("/v1/operations/refused", limit=limit).json()["operations"]
        assert (len(page), {one["brand"] for one in page}) == (int(limit), {"cdnow"})
        return len(statements)

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.extend([statement] if "brand.slug" in statement else [])

    engine = world.app.state.moa.database.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        assert (asked("1"), asked("6")) == (1, 1)
    finally:
        event.remove(engine, "before_cursor_execute", note)
