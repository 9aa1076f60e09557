"""Badges over HTTP: in batches, once by a reference, by nobody but the brand (SPEC 26.12 to 26.15)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from api.badges import giving
from chain.contracts.badges import Definition
from tests.api.auth.test_access import acts, refusal
from tests.api.conftest import Caller, World
from tests.api.conftest import both as kind  # noqa: F401

TIER = Definition(1, "tier", "issuer", 3, True, 10, 0, 2_000, 86_400, "0x" + "6b" * 32)


@pytest.fixture
def definitions(monkeypatch: pytest.MonkeyPatch) -> dict[int, Definition]:
    """What the node would tell, at second 1,000; on a real one: tests/end_to_end/test_badges_over_http.py."""
    known = {1: TIER, 2: replace(TIER, number=2)}
    monkeypatch.setattr(giving.badges, "CONTRACT", "RewardRules")
    monkeypatch.setattr(giving.badges, "definition", lambda *_, number, **__: (1_000, known[number]))
    return known


def members(world: World, count: int) -> list[str]:
    return [world.member(f"m-{number}")["id"] for number in range(count)]


def give(world: World, *named: str, by: Caller | None = None, key: str | None = None, **more: Any) -> Any:
    body = {"reference": "gold", "definition": "1", "members": [{"identifier": one} for one in named], **more}
    return (by or world.brand).write("/v1/badges", body, key=key)


def take(world: World, member: str = "m-0", *, by: Caller | None = None, **more: Any) -> Any:
    body = {"reference": "back", "definition": "1", "member": {"identifier": member}, **more}
    return (by or world.brand).write("/v1/badges/withdrawals", body)


def rows(world: World) -> list[tuple[str, str]]:
    return [(row.kind, row.key) for row in world.rows("SELECT kind, key FROM operation ORDER BY id")]


@pytest.mark.usefixtures("definitions")
def test_a_batch_is_one_operation_and_counts_once_by_its_reference(world: World) -> None:
    """SPEC 26.12"""
    ids = members(world, 3)

    answer = give(world, "m-0", "m-1")

    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert (told["reference"], told["members"], told["given"], told["refused"]) == ("gold", ids[:2], None, None)
    assert give(world, "m-0", "m-1").json()["operation"]["id"] == told["operation"]["id"]
    assert refusal(give(world, "m-0", "m-2")) == (409, "BadgeConflict")
    assert refusal(give(world, "m-0", "m-1", definition="2")) == (409, "BadgeConflict")
    assert refusal(take(world, reference="gold")) == (409, "BadgeConflict"), "one row of references for both"
    assert rows(world) == [("badge", "badge/1/gold")]
    assert [one["detail"]["definition"] for one in acts(world, "badges.given")] == ["1"]
    back = take(world)
    assert (back.status_code, back.json()["members"]) == (202, ids[:1])
    assert take(world).json()["operation"]["id"] == back.json()["operation"]["id"]
    assert refusal(take(world, "m-1")) == (409, "BadgeConflict")
    assert len(acts(world, "badge.withdrawn")) == 1
    world.finish("badge", "failed", "GivingOver")
    assert give(world, "m-0", "m-1").json()["operation"]["state"] == "queued", "refused, it is asked for again"
    assert len(rows(world)) == 2


@pytest.mark.usefixtures("definitions")
def test_nobody_but_the_brand_gives_its_badges_and_to_its_own_members(world: World) -> None:
    """SPEC 26.12"""
    session = world.session({"id": members(world, 1)[0]})
    assert refusal(give(world, "m-0", by=world.anyone)) == (401, "KeyMissing")
    for other in (world.operator, session, world.auditor()):
        assert refusal(give(world, "m-0", by=other)) == (403, "NotYours")
        assert refusal(take(world, by=other)) == (403, "NotYours")
    assert refusal(give(world, "m-0", by=world.other)) == (404, "MemberUnknown")
    assert refusal(take(world, by=world.other)) == (404, "MemberUnknown")
    assert refusal(give(world, "m-0", "nobody")) == (404, "MemberUnknown")
    assert refusal(give(world, "m-0", "m-0")) == (422, "MemberRepeated")
    assert refusal(give(world)) == (422, "RequestMalformed")
    assert refusal(give(world, *[f"m-{number}" for number in range(101)])) == (422, "RequestMalformed")
    assert refusal(give(world, members=[{}])) == (422, "RequestMalformed")
    assert refusal(give(world, "m-0", definition="0")) == (422, "RequestMalformed")
    assert rows(world) == []


def test_what_the_definition_does_not_allow_is_not_asked_for(world: World, definitions: dict[int, Definition]) -> None:
    """SPEC 26.13"""
    members(world, 1)
    definitions[1] = replace(TIER, giver="till")
    assert refusal(give(world, "m-0")) == (409, "BadgeGiverElsewhere")
    assert refusal(take(world)) == (409, "BadgeGiverElsewhere")
    definitions[1] = replace(TIER, end=1_000)
    assert refusal(give(world, "m-0")) == (409, "GivingOver")
    assert take(world).status_code == 202, "what is over is still taken back"
    definitions[1] = replace(TIER, withdrawable=False)
    assert refusal(take(world, reference="other")) == (409, "BadgeNotWithdrawable")
    assert rows(world) == [("badge_withdraw", "badge/1/back")]


def test_without_a_node_nothing_is_asked_for_and_nothing_told(world: World) -> None:
    """SPEC 26.13, 26.14"""
    members(world, 1)
    world.app.state.moa.deployment.contracts["Badges"] = world.app.state.moa.deployment.contracts["RewardRules"]
    assert refusal(give(world, "m-0")) == (503, "NodeUnavailable")
    assert refusal(world.anyone.get("/v1/brands/cdnow/badges")) == (503, "NodeUnavailable")
    assert refusal(world.anyone.get("/v1/brands/nobody/badges")) == (404, "BrandUnknown")
    assert refusal(world.anyone.get("/v1/brands/cdnow/badges/0x12")) == (422, "AddressMalformed")
    assert rows(world) == []
