"""Every route from its negative side: nobody, the wrong one, without a key, and what the document says of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from api.app import openapi
from chain.base.scalars import Address
from chain.contracts.deployment import Contract
from scripts.generate.openapi import TARGET
from tests.api.conftest import Caller, World

PUBLIC = {
    "/v1/brands/{slug}/badges",
    "/v1/brands/{slug}/badges/{address}",
    "/v1/proposals",
    "/v1/proposals/{proposal}",
    "/.well-known/moa-keys.json",
    "/health",
    "/ready",
    "/v1/books",
    "/v1/log",
    "/v1/log/checkpoint",
    "/v1/log/proof/inclusion",
    "/v1/log/proof/consistency",
    "/v1/log/tile/{level}/{number}",
    "/v1/log/cosignatures",
    "/v1/events/policy",
    "/v1/identity/policy",
    "/v1/privacy/data",
    "/v1/privacy/texts",
    "/v1/sign-in/codes",
    "/v1/sign-in/sessions",
    "/v1/sign-in/passkeys/options",
    "/v1/sign-in/passkeys",
    "/v1/sign-in/wallets/messages",
    "/v1/sign-in/wallets",
    "/v1/sign-in/refresh",
}
MEMBER = "mem_" + "0" * 32
HOLD = "hold_" + "0" * 32
CHALLENGE = "chl_" + "0" * 32
EMAIL = {"kind": "email", "value": "ada@example.org"}
FILL = {
    "{slug}": "cdnow",
    "{key_id}": "0" * 12,
    "{session_id}": "0" * 12,
    "{member_id}": MEMBER,
    "{hold_id}": HOLD,
    "{operation_id}": "1",
    "{entry_id}": "1",
    "{proposal}": "1",
    "{merge_id}": "mrg_" + "0" * 32,
    "{identifier_id}": "1",
    "{passkey_id}": "1",
    "{correction_id}": "cor_" + "0" * 32,
    "{role_id}": "0" * 12,
    "{device_id}": "0" * 12,
    "{key}": "k-1",
    "{address}": "0x" + "0" * 40,
}
DOCUMENT = openapi()
OPERATIONS = [
    (method.upper(), path, operation)
    for path, methods in sorted(DOCUMENT["paths"].items())
    for method, operation in methods.items()
]
GUARDED = [one for one in OPERATIONS if one[1] not in PUBLIC]
WRITES = [one for one in GUARDED if any(p["name"] == "idempotency-key" for p in one[2].get("parameters", ()))]


@pytest.fixture(scope="module")
def world(shared_world: World) -> World:
    """Nothing here changes anything, so all share one gateway."""
    return shared_world


@pytest.fixture(scope="module")
def member(world: World) -> Caller:
    return world.session(world.member())


@pytest.fixture(scope="module")
def auditor(world: World) -> Caller:
    return world.auditor()


def named(operation: tuple[str, str, Any]) -> str:
    return f"{operation[0]} {operation[1]}"


def filled(path: str) -> str:
    for name, value in FILL.items():
        path = path.replace(name, value)
    return path


def call(caller: Caller, method: str, path: str, **headers: str) -> Any:
    body = b"{}" if method == "POST" else b""
    sent = {"Content-Type": "application/json", **caller.headers, **headers}
    return caller.client.request(method, filled(path), content=body, headers=sent)


def test_openapi_document_is_fresh() -> None:
    assert TARGET.read_bytes() == orjson.dumps(DOCUMENT, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"


def test_every_write_takes_an_idempotency_key() -> None:
    """SPEC 9.5"""
    quotes = {"/v1/awards/quote", "/v1/exchanges/quote"}
    # Each of their messages has an id that counts once (SPEC 22.11).
    messages = {one[1] for one in GUARDED if one[1].startswith("/segment/")}
    writes = {named(one) for one in GUARDED if one[0] != "GET" and one[1] not in quotes | messages}

    assert {named(one) for one in WRITES} == writes


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
def test_every_route_is_described_with_examples(operation: tuple[str, str, Any]) -> None:
    _, path, told = operation

    assert told["operationId"].isidentifier()
    assert len(told["operationId"]) <= 20
    assert told.get("description")
    good = [status for status in told["responses"] if status.startswith("2")]
    assert good
    for status, answer in told["responses"].items():
        if status.startswith(("4", "5")) and path != "/ready":
            assert "application/problem+json" in answer["content"], (path, status)
            assert answer["content"]["application/problem+json"]["schema"]["$ref"].endswith("/ProblemDocument")


def test_every_field_of_every_schema_has_an_example() -> None:
    bare = [
        f"{name}.{field}"
        for name, schema in DOCUMENT["components"]["schemas"].items()
        for field, told in schema.get("properties", {}).items()
        if "$ref" not in str(told) and not {"examples", "const", "enum"} & told.keys() and "examples" not in str(told)
    ]

    assert bare == []


@pytest.mark.parametrize("operation", GUARDED, ids=named)
def test_nobody_gets_in_without_a_key(world: World, operation: tuple[str, str, Any]) -> None:
    """SPEC 9.1"""
    method, path, _ = operation

    answer = call(world.anyone, method, path, **{"Idempotency-Key": "k"})

    assert (answer.status_code, answer.json()["error"]) == (401, "KeyMissing")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "key", ["moa", "moa_b_x_y", "moa_b_000000000000_" + "a" * 43, "moa_o_000000000000_" + "a" * 43]
)
def test_unknown_keys_are_refused_alike(world: World, key: str) -> None:
    """SPEC 9.1"""
    answer = Caller(world.client, key).get("/v1/operations")

    assert (answer.status_code, answer.json()["error"]) == (401, "KeyInvalid")


@pytest.mark.parametrize("operation", GUARDED, ids=named)
def test_callers_of_another_kind_are_refused(
    world: World, member: Caller, auditor: Caller, operation: tuple[str, str, Any]
) -> None:
    """SPEC 9.1"""
    method, path, told = operation
    [scheme] = [name for needed in told["security"] for name in needed]
    wrong = {
        "operatorKey": [world.brand, member, auditor],
        "auditorKey": [world.operator, world.brand, member],
        "auditorKeyOrOperatorKey": [world.brand, member],
        "brandKey": [world.operator, member, auditor],
        "writeKey": [world.operator, member, auditor],
        "brandKeyOrAuditorKey": [world.operator, member],
        "memberSession": [world.operator, world.brand, auditor],
        "brandKeyOrMemberSession": [world.operator, auditor],
    }[scheme]

    for caller in wrong:
        answer = call(caller, method, path, **{"Idempotency-Key": "k"})
        assert (answer.status_code, answer.json()["error"]) == (403, "NotYours")


@pytest.mark.parametrize("operation", WRITES, ids=named)
@pytest.mark.parametrize(
    ("key", "error"),
    [(None, "IdempotencyKeyMissing"), ("x" * 129, "IdempotencyKeyMalformed"), ("a b", "IdempotencyKeyMalformed")],
)
def test_write_without_a_good_idempotency_key_is_refused(
    world: World, member: Caller, operation: tuple[str, str, Any], key: str | None, error: str
) -> None:
    """SPEC 9.5"""
    method, path, told = operation
    [scheme] = [name for needed in told["security"] for name in needed]
    caller = {"operatorKey": world.operator, "brandKey": world.brand, "memberSession": member}.get(scheme, world.brand)
    bodies = {
        "/v1/members": {"identifier": "x"},
        "/v1/identity/resolve": {"identifiers": [{"kind": "till", "value": "T-0001"}]},
        "/v1/identity/merges": {"one": MEMBER, "other": MEMBER, "case": "1"},
        "/v1/me/claims": {"code": "0000-0000-0000"},
        "/v1/me/identifiers": {"challenge": CHALLENGE, "identifier": EMAIL, "code": "00000000"},
        "/v1/me/identifiers/codes": {"identifier": EMAIL},
        "/v1/me/merges": {"challenge": CHALLENGE},
        "/v1/me/passkeys": {"challenge": CHALLENGE, "credential": {}},
        "/v1/me/wallets": {"challenge": CHALLENGE, "message": "m", "signature": "0x00"},
        "/v1/me/wallets/messages": {"address": "0x" + "0" * 40},
        "/v1/me/consents": {"purpose": "marketing", "channel": "email", "granted": True, "text_version": 1},
        "/v1/members/{member_id}/consents": {
            "purpose": "marketing",
            "channel": "email",
            "granted": True,
            "text_version": 1,
        },
        "/v1/me/points/gather": {"brand": "cdnow", "from": MEMBER},
        "/v1/me/erasure": {"confirm": "erase everything"},
        "/v1/staff": {"identifier": EMAIL, "role": "till"},
        "/v1/brands/{slug}/owners": EMAIL,
        "/v1/operators/staff": {"identifier": EMAIL, "role": "auditor"},
        "/v1/log/statements": {"act": "adjustment.made", "brand": "cdnow"},
        "/v1/purchases": {
            "id": "1",
            "member": {"identifier": "m-1"},
            "amount": "1",
            "occurred_at": "2026-01-01T00:00:00Z",
        },
        "/v1/corrections": {
            "reference": "c-1",
            "member": {"id": MEMBER},
            "points": "1",
            "purpose": "goodwill",
            "reason": "late",
        },
        "/v1/corrections/{correction_id}/approval": {"signer": "0x" + "0" * 40, "signature": "0x" + "0" * 130},
        "/v1/badges": {"reference": "b-1", "definition": "1", "members": [{"id": MEMBER}]},
        "/v1/badges/withdrawals": {"reference": "b-1", "definition": "1", "member": {"id": MEMBER}},
        "/v1/events/ceiling": {"amount": None},
        "/v1/returns": {"id": "r-1", "order": "1", "occurred_at": "2026-01-01T00:00:00Z"},
        "/v1/holds": {"member": {"identifier": "m-1"}, "points": "1"},
        "/v1/me/votes": {"proposal": "1", "brand": "cdnow", "choice": "for"},
        "/v1/exchanges": {"from": "cdnow", "to": "beans", "points_in": "1", "minimum_out": "1", "agreement_version": 1},
    }
    headers = {
        "Content-Type": "application/json",
        **caller.headers,
        **({} if key is None else {"Idempotency-Key": key}),
    }
    before = world.everything()

    answer = world.client.request(method, filled(path), content=orjson.dumps(bodies.get(path, {})), headers=headers)

    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert world.everything() == before


def test_the_contracts_of_evidence_are_told_where_they_are(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC 13.11: a deployment from before badges and votes has none of theirs"""
    deployment = world.app.state.moa.deployment
    registry, badges, governor = ("0x" + digit * 40 for digit in "ABC")

    def told(**contracts: str) -> tuple[str | None, ...]:
        made = {name: Contract(name, Address(at), "0x" + "00" * 32) for name, at in contracts.items()}
        monkeypatch.setattr(world.app.state.moa, "deployment", replace(deployment, contracts=made))
        answer = world.client.get("/.well-known/moa-keys.json").json()
        return answer["registry"], answer["badges"], answer["governor"]

    ours = {"PartnerRegistry": registry, "Badges": badges, "ProgrammeGovernor": governor}
    assert told(**ours) == (registry.lower(), badges.lower(), governor.lower())
    assert told(PartnerRegistry=registry) == (registry.lower(), None, None)


def test_unknown_route_and_method_are_told_as_problems(world: World) -> None:
    nowhere = [world.client.request(method, "/v1/nowhere") for method in ("GET", "POST", "PATCH", "DELETE")]
    wrong_method = [
        (world.client.request("PATCH", "/v1/purchases"), "POST"),
        (world.client.request("DELETE", "/v1/members"), "GET, POST"),
        (world.client.request("POST", "/v1/me/view"), "GET"),
        (world.client.request("PUT", f"/v1/holds/{HOLD}"), "GET"),
    ]

    for answer in nowhere:
        assert (answer.status_code, answer.json()["error"]) == (404, "RouteUnknown")
        assert answer.headers["content-type"] == "application/problem+json"
    for answer, allowed in wrong_method:
        assert (answer.status_code, answer.json()["error"]) == (405, "MethodUnknown")
        assert answer.headers["allow"] == allowed


def test_body_beyond_the_bound_is_refused_announced_or_not(world: World) -> None:
    headers = {**world.brand.headers, "Content-Type": "application/json", "Idempotency-Key": "k"}
    large = b" " * (world.settings.body_bytes_max + 1)

    announced = world.client.post("/v1/purchases", content=large, headers=headers)
    chunked = world.client.post("/v1/purchases", content=iter([large[:50_000], large[50_000:]]), headers=headers)

    for answer in (announced, chunked):
        assert (answer.status_code, answer.json()["error"]) == (413, "BodyTooLarge")
