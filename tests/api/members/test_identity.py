"""Brands, members, keys and sessions."""

from __future__ import annotations

import re
import time
from pathlib import Path

import orjson
import pytest

from api.auth.tokens import new_token, read_token
from api.members import service as identity
from tests.api.conftest import NDJSON, Caller, World, Worlds, purchase


def test_keys_are_kept_as_hashes_only(world: World) -> None:
    """SPEC 9.2"""
    token = read_token(world.brand.key)
    assert token is not None
    file = Path(world.settings.database_url.removeprefix("sqlite:///"))

    stored = b"".join(part.read_bytes() for part in file.parent.glob("moa.db*"))

    assert token.secret.encode() not in stored
    assert token.secret_hash.encode() in stored


def test_token_is_opened_by_its_own_secret_only() -> None:
    token, other = new_token("b"), new_token("b")

    assert token.opens(token.secret_hash)
    assert not token.opens(other.secret_hash)
    assert read_token(token.text) == token
    assert read_token(token.text + "x") is None


def test_right_id_with_wrong_secret_is_refused(world: World) -> None:
    token = read_token(world.brand.key)
    assert token is not None
    forged = f"{token.prefix}_{'A' * 43}"
    operators = forged.replace("moa_b_", "moa_o_")

    for key in (
        forged,
        operators,
        world.brand.key.replace("moa_b_", "moa_o_"),
        world.brand.key.replace("moa_b_", "moa_m_"),
    ):
        answer = Caller(world.client, key).get("/v1/operations")
        assert (answer.status_code, answer.json()["error"]) == (401, "KeyInvalid")


def test_bootstrap_again_makes_nothing_and_shows_nothing(world: World) -> None:
    before = world.everything()

    again = identity.bootstrap(world.database, brand_keys=True)

    assert again.operator_key is None
    assert dict(again.brand_keys) == {"beans": None, "cdnow": None}
    assert world.everything() == before


def test_new_key_works_and_is_shown_once(world: World) -> None:
    """SPEC 9.2"""
    first = world.operator.write("/v1/brands/cdnow/keys", key="k")
    again = world.operator.write("/v1/brands/cdnow/keys", key="k")

    made = Caller(world.client, first.json()["key"])
    assert made.get("/v1/operations").status_code == 200
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == {**first.json(), "key": None}
    assert first.json()["key"] not in str(world.rows("SELECT answer FROM idempotent_write"))


def test_revoked_key_is_refused_at_once(world: World) -> None:
    """SPEC 9.2"""
    made = world.operator.write("/v1/brands/cdnow/keys").json()
    caller = Caller(world.client, made["key"])
    assert caller.get("/v1/operations").status_code == 200

    gone = world.operator.write(f"/v1/brands/cdnow/keys/{made['id']}", method="DELETE")

    assert gone.json()["revoked_at"] is not None
    assert caller.get("/v1/operations").json()["error"] == "KeyInvalid"
    assert world.brand.get("/v1/operations").status_code == 200


def test_key_of_another_brand_is_not_revoked_under_this_one(world: World) -> None:
    made = world.operator.write("/v1/brands/cdnow/keys").json()

    answer = world.operator.write(f"/v1/brands/beans/keys/{made['id']}", method="DELETE")

    assert (answer.status_code, answer.json()["error"]) == (404, "KeyUnknown")
    assert Caller(world.client, made["key"]).get("/v1/operations").status_code == 200


@pytest.mark.parametrize("path", ["/v1/brands/nobody/keys"])
def test_unknown_brand_is_refused(world: World, path: str) -> None:
    before = world.everything()

    answer = world.operator.write(path)

    assert (answer.status_code, answer.json()["error"]) == (404, "BrandUnknown")
    assert world.everything() == before


def test_brands_are_listed_with_their_tokens(world: World) -> None:
    told = world.operator.get("/v1/brands").json()["brands"]

    assert [(brand["slug"], brand["brand_id"]) for brand in told] == [("beans", "2"), ("cdnow", "1")]


def test_last_use_of_a_key_is_noted(make_world: Worlds) -> None:
    world = make_world()
    world.brand.get("/v1/operations")
    world.client.__exit__(None, None, None)  # the gateway ends and writes down what it kept

    assert world.rows("SELECT COUNT(*) FROM api_key WHERE brand = 'cdnow' AND last_used_at_ms > 0") == [(1,)]
    world.client.__enter__()


def test_member_has_an_address_of_its_own(world: World) -> None:
    one, two = world.member("m-1"), world.member("m-2")

    assert re.fullmatch(r"0x[0-9a-fA-F]{40}", one["address"])
    assert one["address"] != two["address"]
    assert one["address"] != one["address"].lower()


def test_identifier_enrolled_again_is_the_same_member(world: World) -> None:
    first = world.member()

    again = world.brand.write("/v1/members", {"identifier": "m-1"})

    assert (again.status_code, again.json()["id"]) == (200, first["id"])
    assert world.rows("SELECT COUNT(*) FROM member") == [(1,)]


def test_member_is_shared_by_its_id_and_known_by_each_brands_own_name(world: World) -> None:
    member = world.member("m-1")

    linked = world.other.write("/v1/members", {"identifier": "guest-9", "id": member["id"]})

    assert linked.status_code == 201
    assert linked.json()["address"] == member["address"]
    assert world.other.get("/v1/members", identifier="guest-9").json()["id"] == member["id"]
    assert world.other.get("/v1/members", identifier="m-1").json()["error"] == "MemberUnknown"
    assert world.brand.get("/v1/members", identifier="guest-9").json()["error"] == "MemberUnknown"


def test_other_brands_member_is_unknown_by_every_route(world: World) -> None:
    """SPEC 9.3"""
    world.mirror()
    member = world.member()

    answers = [
        world.other.get(f"/v1/members/{member['id']}"),
        world.other.get("/v1/members", identifier="m-1"),
        world.other.get(f"/v1/members/{member['id']}/view"),
        world.other.get(f"/v1/members/{member['id']}/entries"),
    ]

    assert [(answer.status_code, answer.json()["error"]) for answer in answers] == [(404, "MemberUnknown")] * 4


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"identifier": "m-1", "id": "mem_" + "0" * 32}, "IdentifierTaken"),
        ({"identifier": "m-9", "id": "mem_" + "0" * 32}, "MemberUnknown"),
        ({"identifier": "m-9", "id": "0x12"}, "RequestMalformed"),
        ({"identifier": "with space"}, "RequestMalformed"),
        ({}, "RequestMalformed"),
        ({"identifier": "m-9", "email": "a@b.c"}, "RequestMalformed"),
    ],
)
def test_bad_enrolment_is_refused_and_changes_nothing(world: World, body: dict[str, str], error: str) -> None:
    world.member("m-1")
    before = world.everything()

    answer = world.brand.write("/v1/members", body)

    assert answer.json()["error"] == error
    assert world.everything() == before


def test_members_come_as_lines(world: World) -> None:
    world.member("m-1")
    shared = world.other.write("/v1/members", {"identifier": "guest"}).json()
    body = b"\n".join(
        [
            b'{"identifier": "m-1"}',
            b'{"identifier": "m-2"}',
            b"nonsense",
            b'{"identifier": "m-2"}',
            orjson.dumps({"identifier": "m-3", "id": shared["id"]}),
            orjson.dumps({"identifier": "m-1", "id": shared["id"]}),
            orjson.dumps({"identifier": "m-4", "id": "mem_" + "0" * 32}),
        ]
    )

    lines = [orjson.loads(line) for line in world.brand.write("/v1/members", body, **NDJSON).content.splitlines()]

    assert [line["status"] for line in lines] == [
        "replayed",
        "accepted",
        "refused",
        "replayed",
        "accepted",
        "refused",
        "refused",
    ]
    assert lines[1]["member"] == lines[3]["member"]
    assert lines[4]["member"]["address"] == shared["address"]
    assert [lines[index]["problem"]["error"] for index in (2, 5, 6)] == [
        "LineMalformed",
        "IdentifierTaken",
        "MemberUnknown",
    ]


def test_session_is_made_by_the_operator_only(world: World) -> None:
    """SPEC 9.3"""
    member = world.member()

    by_brand = world.brand.write(f"/v1/members/{member['id']}/sessions")
    of_nobody = world.operator.write("/v1/members/mem_" + "0" * 32 + "/sessions")

    assert by_brand.json()["error"] == "NotYours"
    assert of_nobody.json()["error"] == "MemberUnknown"
    assert world.rows("SELECT COUNT(*) FROM member_session") == [(0,)]


def test_session_ends(world: World) -> None:
    world.mirror()
    member = world.session(world.member())
    assert member.get("/v1/me/view").status_code == 200
    world.run("UPDATE member_session SET expires_at_ms = :now", now=int(time.time() * 1000))

    answer = member.get("/v1/me/view")

    assert (answer.status_code, answer.json()["error"]) == (401, "SessionExpired")


def test_member_reaches_no_route_of_a_brand(world: World) -> None:
    member = world.session(world.member())

    answer = member.write("/v1/purchases", purchase())

    assert (answer.status_code, answer.json()["error"]) == (403, "NotYours")
