"""An auditor reads everything of the ledger, nothing personal, changes nothing, and is seen looking."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.routing import Route

from api.app import create_app
from api.auth import callers
from tests.api.audit_log.test_acts import of
from tests.api.conftest import TOKENS, Caller, World
from tests.api.conftest import both as kind  # noqa: F401
from tests.api.test_routes import GUARDED, PUBLIC, call, filled, named

AUDITORS = {"auditorKey", "auditorKeyOrOperatorKey", "brandKeyOrAuditorKey"}
ALLOWED = [one for one in GUARDED if one[2]["security"][0].keys() & AUDITORS]
FORBIDDEN = [one for one in GUARDED if one not in ALLOWED]
# What a route needs besides its path, where it needs anything.
QUERY: dict[str, dict[str, str]] = {"/v1/audit/balances": {"brand": "cdnow"}}


@pytest.fixture(scope="module")
def world(shared_world: World) -> World:
    return shared_world


@pytest.fixture(scope="module")
def auditor(world: World) -> Caller:
    return world.auditor()


@pytest.fixture(scope="module")
def member(world: World) -> dict[str, Any]:
    """A member with everything that a member may have."""
    world.mirror(7)
    world.rule()
    world.agreement()
    made = world.member("jane.doe@example.com")
    world.holds_points(made["address"], 900)
    world.entry(made["address"], 900)
    answer = world.brand.write(
        "/v1/purchases",
        {
            "id": "order-of-jane",
            "member": {"identifier": "jane.doe@example.com"},
            "amount": "2933",
            "currency": "USD",
            "occurred_at": "1997-01-01T00:00:00Z",
        },
    )
    assert answer.status_code == 202, answer.text
    world.session(made)
    return made


def test_every_route_of_the_application_is_judged_here() -> None:
    """SPEC 14.15: a route that is added later is in these lists by itself, or this fails."""
    top = create_app().routes
    routes = [found for one in top if hasattr(one, "original_router") for found in one.original_router.routes]
    ours = [route for route in routes if isinstance(route, APIRoute)]
    served = {(method, route.path_format) for route in ours for method in route.methods}
    plain = {route.path for route in top if isinstance(route, Route)}
    assert plain == {"/openapi.json", "/v1/me/view"}
    assert ours == routes
    public = {(method, path) for method, path in served if (method, path) not in {(one[0], one[1]) for one in GUARDED}}

    assert {path for _, path in public} == PUBLIC
    assert len(ALLOWED) + len(FORBIDDEN) + len(public) == len(served)


@pytest.mark.parametrize("operation", FORBIDDEN, ids=named)
def test_auditor_gets_nowhere_else(world: World, auditor: Caller, operation: tuple[str, str, Any]) -> None:
    """SPEC 14.15"""
    method, path, _ = operation
    before = world.everything()

    answer = call(auditor, method, path, **{"Idempotency-Key": "k"})

    assert (answer.status_code, answer.json()["error"]) == (403, "NotYours")
    assert world.everything() == before


@pytest.mark.parametrize("operation", ALLOWED, ids=named)
def test_nothing_that_an_auditor_may_call_writes(operation: tuple[str, str, Any]) -> None:
    """SPEC 14.15"""
    assert operation[0] == "GET"


@pytest.mark.parametrize("operation", [one for one in ALLOWED if one[1].startswith("/v1/audit")], ids=named)
def test_nothing_personal_is_told_to_an_auditor(
    world: World, auditor: Caller, member: dict[str, Any], operation: tuple[str, str, Any]
) -> None:
    """SPEC 14.15"""
    path = operation[1].replace("{address}", member["address"])

    answer = auditor.get(filled(path), **QUERY.get(path, {}))

    assert answer.status_code == 200, answer.text
    for secret in (member["id"], "mem_", "jane", "order-of-jane", "secret_hash"):
        assert secret not in answer.text
    assert not re.search(r"(identifier|e-?mail|secret|payload)", answer.text)


def test_auditor_reads_the_ledger_by_address(world: World, auditor: Caller, member: dict[str, Any]) -> None:
    """SPEC 14.15"""
    address = member["address"]

    [balance] = auditor.get(f"/v1/audit/accounts/{address}/balances").json()["balances"]
    [entry] = auditor.get(f"/v1/audit/accounts/{address}/entries").json()["entries"]
    [same] = auditor.get("/v1/audit/balances", brand="cdnow").json()["balances"]
    [operation] = auditor.get("/v1/audit/operations").json()["operations"]
    rule, _ = auditor.get("/v1/audit/rules").json()["rules"]
    [agreement] = auditor.get("/v1/audit/agreements").json()["agreements"]

    assert (balance["account"], balance["points"], balance["brand"]) == (address, "900", "cdnow")
    assert same == balance
    assert (entry["account"], entry["points"], entry["detail"]["rule"]) == (address, "900", "1")
    assert (operation["kind"], operation["brand"], operation["state"]) == ("award", "cdnow", "queued")
    assert rule["terms"]["numerator"] == "3"
    assert agreement["versions"][0]["version"] == 1
    assert {brand["token"].lower() for brand in auditor.get("/v1/audit/brands").json()["brands"]} == set(
        TOKENS.values()
    )
    assert {key["role"] for key in auditor.get("/v1/audit/keys").json()["keys"]} == {"operator", "brand", "auditor"}


def test_pages_follow_each_other_without_gap_or_repetition(
    world: World, auditor: Caller, member: dict[str, Any]
) -> None:
    """SPEC 14.15"""
    for index in range(1, 8):
        world.entry(member["address"], 1, index=index)
    keys: list[str] = []
    entries: list[str] = []
    cursor: str | None = None
    while True:
        page = auditor.get("/v1/audit/entries", limit=3, **({"cursor": cursor} if cursor else {})).json()
        entries += [entry["id"] for entry in page["entries"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    while True:
        page = auditor.get("/v1/audit/keys", limit=2, **({"cursor": cursor} if cursor else {})).json()
        keys += [key["id"] for key in page["keys"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert entries == sorted(set(entries), key=int)
    assert len(entries) == world.rows("SELECT COUNT(*) FROM entry")[0][0]
    assert len(set(keys)) == len(keys) == world.rows("SELECT COUNT(*) FROM api_key")[0][0]


@pytest.mark.parametrize(
    ("query", "status", "errors"),
    [
        ({"cursor": "no cursor"}, 422, {"RequestMalformed"}),
        ({"cursor": "-1"}, 422, {"RequestMalformed"}),
        ({"cursor": "9" * 40}, 422, {"CursorMalformed"}),
        ({"cursor": "x" * 101}, 422, {"RequestMalformed"}),
        ({"limit": "0"}, 422, {"RequestMalformed"}),
        ({"limit": "501"}, 422, {"RequestMalformed"}),
        ({"brand": "ghost"}, 404, {"BrandUnknown"}),
        ({"brand": "'; DROP TABLE entry"}, 422, {"RequestMalformed"}),
    ],
)
def test_page_that_cannot_be_is_refused(
    world: World, auditor: Caller, query: dict[str, str], status: int, errors: set[str]
) -> None:
    """SPEC 14.15"""
    answer = auditor.get("/v1/audit/entries", **query)

    assert answer.status_code == status
    assert answer.json()["error"] in errors
    assert auditor.get("/v1/audit/accounts/0x12/entries").status_code == 422


def test_auditors_looks_are_in_the_log(make_world: Any) -> None:
    """SPEC 14.15"""
    from datetime import timedelta

    world = make_world(checkpoint_every=timedelta(0), refusal_window=timedelta(hours=1))
    world.mirror()
    auditor = world.auditor()
    address = "0x" + "Ab" * 20
    for _ in range(2):
        auditor.get("/v1/audit/entries")
    auditor.get(f"/v1/audit/accounts/{address}/entries")
    auditor.get("/v1/log/entries")
    auditor.write("/v1/purchases", {})

    looks = {(one["detail"]["route"], one["subject"]): one["detail"]["count"] for one in of(world, "audit.seen")}
    [refused] = of(world, "request.refused")

    assert looks == {
        ("/v1/audit/entries", ""): 2,
        ("/v1/audit/accounts/{address}/entries", f"account/{address.lower()}"): 1,
        ("/v1/log/entries", ""): 1,
    }
    assert refused["actor"].startswith("auditor/")
    assert {one["actor"] for one in of(world, "audit.seen")} == {refused["actor"]}


def test_ended_auditors_key_opens_nothing(make_world: Any) -> None:
    """SPEC 9.2"""
    world = make_world()
    auditor = world.auditor()
    [key] = world.operator.get("/v1/auditors/keys").json()["keys"]
    assert auditor.get("/v1/audit/rules").status_code == 200
    by_brand = world.operator.write(f"/v1/brands/cdnow/keys/{key['id']}", method="DELETE")
    assert by_brand.json()["error"] == "KeyUnknown"

    ended = world.operator.write(f"/v1/auditors/keys/{key['id']}", method="DELETE")

    assert ended.json()["prefix"].startswith("moa_a_")
    assert ended.json()["revoked_at"] is not None
    assert auditor.get("/v1/audit/rules").json()["error"] == "KeyInvalid"
    as_operator = Caller(world.client, auditor.key.replace("moa_a_", "moa_o_"))
    assert as_operator.get("/v1/brands").json()["error"] == "KeyInvalid"


def test_identity_has_four_kinds_of_callers() -> None:
    """A fifth kind must be judged here too."""
    assert {one.__name__ for one in callers.Caller.__args__} == {
        "OperatorCaller",
        "AuditorCaller",
        "BrandCaller",
        "MemberCaller",
    }
