"""Who works for a brand comes in as everybody does, and does what the role does and no more (SPEC 21.13 to 21.15)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from api.auth.roles import BRAND_ROLES, MAY, MONEY, may, needs_second_factor
from tests.api.auth.test_access import acts, refusal
from tests.api.conftest import Caller, World, Worlds, purchase
from tests.api.conftest import both as kind  # noqa: F401
from tests.api.sign_in.test_sign_in import ADA, BOB, by_passkey, caller, entered, proof, registered
from tests.api.test_routes import OPERATIONS, filled
from tests.support.authenticator import Authenticator

EVE = {"kind": "email", "value": "eve@example.org"}
NAMES = {told["operationId"] for _, _, told in OPERATIONS}
BRANDS = [one for one in OPERATIONS if any("brand" in name for name in str(one[2].get("security", "")).split("'"))]


@pytest.fixture
def world(make_world: Worlds) -> World:
    return make_world(outbox_shown=True)


def gave(world: World, role: str, who: dict[str, str] = ADA, brand: Caller | None = None) -> str:
    """The id of a role that the brand gave."""
    answer = (brand or world.brand).write("/v1/staff", {"identifier": who, "role": role})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def took_up(world: World, ada: Caller, role_id: str) -> Caller:
    """Somebody at work in the role."""
    answer = ada.write(f"/v1/me/roles/{role_id}/sessions")
    assert answer.status_code == 201, answer.text
    return Caller(world.client, answer.json()["token"], answer.json()["token"][6:18])


def test_a_role_is_had_by_who_proves_the_address_that_it_was_given_to(world: World) -> None:
    """SPEC 21.13"""
    role_id = gave(world, "till")
    ada, bob = caller(world, entered(world)), caller(world, entered(world, BOB))

    [mine] = ada.get("/v1/me/roles").json()["roles"]
    assert (mine["id"], mine["role"], mine["brand"], mine["shown"]) == (role_id, "till", "cdnow", "a…@example.org")
    assert bob.get("/v1/me/roles").json()["roles"] == []
    assert refusal(bob.write(f"/v1/me/roles/{role_id}/sessions")) == (403, "RoleNotYours")
    # A session that the operator made proves no device.
    made = world.session(world.member("m-9"))
    assert refusal(made.write(f"/v1/me/roles/{role_id}/sessions")) == (403, "RoleNotYours")
    till = took_up(world, ada, role_id)

    assert till.write("/v1/members", {"identifier": "m-1"}).status_code == 201
    assert till.write("/v1/purchases", purchase()).status_code == 202
    assert world.other.get("/v1/members", identifier="m-1").status_code == 404, "for its own brand alone"
    assert refusal(till.get("/v1/me/devices")) == (403, "NotYours"), "no member's token"
    assert refusal(ada.get("/v1/members", identifier="m-1")) == (403, "NotYours"), "and no member is staff by itself"
    assert "ada@" not in str(world.rows("SELECT * FROM staff_role"))
    assert [act["detail"]["role"] for act in acts(world, "role.taken_up")] == ["till"]


def test_who_gives_and_takes_roles(world: World) -> None:
    """SPEC 21.13"""
    role_id, body = gave(world, "till"), {"identifier": EVE, "role": "viewer"}
    member = world.session(world.member())
    assert refusal(world.anyone.write("/v1/staff", body)) == (401, "KeyMissing")
    for other in (world.operator, member, world.auditor()):
        assert refusal(other.write("/v1/staff", body)) == (403, "NotYours")
    assert refusal(world.brand.write("/v1/staff", {"identifier": ADA, "role": "till"})) == (409, "RoleGiven")
    assert world.brand.write("/v1/staff", {"identifier": ADA, "role": "operator"}).status_code == 422
    assert refusal(world.other.write(f"/v1/staff/{role_id}", method="DELETE")) == (404, "RoleUnknown")
    assert world.other.get("/v1/staff").json()["roles"] == []
    ada = caller(world, entered(world))
    till = took_up(world, ada, role_id)
    assert refusal(till.write("/v1/staff", body)) == (403, "NotYours"), "a till makes nobody staff"

    assert world.brand.write(f"/v1/staff/{role_id}", method="DELETE").json()["roles"] == []

    assert refusal(till.get("/v1/members", identifier="m-1")) == (401, "KeyInvalid"), "at once"
    assert ada.get("/v1/me/roles").json()["roles"] == []
    owner = world.operator.write("/v1/brands/cdnow/owners", ADA)
    assert owner.status_code == 201
    assert refusal(world.brand.write("/v1/brands/cdnow/owners", ADA)) == (403, "NotYours")


def test_a_role_ends_with_its_device_and_with_the_proof_of_its_address(world: World) -> None:
    """SPEC 21.14"""
    role_id = gave(world, "viewer")
    tokens, again = entered(world), entered(world)
    ada = caller(world, again)
    viewer = took_up(world, caller(world, tokens), role_id)
    other = took_up(world, ada, role_id)
    assert viewer.get("/v1/operations").status_code == 200

    ada.write(f"/v1/me/devices/{tokens['device']}", method="DELETE")

    assert refusal(viewer.get("/v1/operations")) == (401, "KeyInvalid")
    assert other.get("/v1/operations").status_code == 200
    [link] = ada.get("/v1/me/identifiers").json()["identifiers"]
    ada.write(f"/v1/me/identifiers/{link['id']}", method="DELETE")
    assert refusal(other.get("/v1/operations")) == (401, "KeyInvalid"), "the address is nobody's any more"


def test_a_roles_token_lives_for_minutes(world: World) -> None:
    """SPEC 21.14"""
    viewer = took_up(world, caller(world, entered(world)), gave(world, "viewer"))
    world.run("UPDATE staff_session SET expires_at_ms = 1")

    assert refusal(viewer.get("/v1/operations")) == (401, "SessionExpired")


def test_money_needs_a_second_factor(world: World) -> None:
    """SPEC 21.15"""
    world.mirror()
    role_id, device = gave(world, "treasurer"), Authenticator()
    tokens = entered(world)
    registered(world, tokens, device)
    refund = ("/v1/holds/hold_" + "0" * 32 + "/refund", {})
    weak = took_up(world, caller(world, tokens), role_id)
    strong = took_up(world, caller(world, by_passkey(world, device)[0].json()), role_id)

    assert refusal(weak.write(*refund)) == (403, "SecondFactorNeeded")
    assert refusal(strong.write(*refund)) == (404, "HoldUnknown"), "it may"
    assert weak.get("/v1/operations").status_code == 200, "to look needs none"
    # Whoever holds the programme's own role needs one to make keys.
    given = world.operator.write("/v1/operators/staff", {"identifier": ADA, "role": "operator"}).json()
    operator = took_up(world, caller(world, tokens), given["id"])
    assert operator.get("/v1/brands").status_code == 200
    assert refusal(operator.write("/v1/operators/keys")) == (403, "SecondFactorNeeded")
    auditor = world.operator.write("/v1/operators/staff", {"identifier": ADA, "role": "auditor"}).json()
    assert took_up(world, caller(world, tokens), auditor["id"]).get("/v1/audit/brands").status_code == 200
    assert refusal(operator.get("/v1/audit/brands")) == (403, "NotYours")


def test_every_route_of_a_brand_is_open_to_the_roles_that_have_it_and_to_no_other(world: World) -> None:
    """SPEC 21.13: the matrix of all routes and roles, from the document itself."""
    assert len(BRANDS) > 25
    tokens = entered(world)
    ada = caller(world, tokens)
    for role in BRAND_ROLES:
        at_work = took_up(world, ada, gave(world, role))
        for method, path, told in BRANDS:
            body = {} if method in ("POST", "PUT", "PATCH") else None
            answer = at_work.get(filled(path)) if method == "GET" else at_work.write(filled(path), body, method=method)
            error = answer.json().get("error") if answer.headers["content-type"].endswith("json") else None
            name = told["operationId"]
            if not may(role, name):
                assert (answer.status_code, error) == (403, "NotYours"), (role, name)
            elif needs_second_factor(name):
                assert (answer.status_code, error) == (403, "SecondFactorNeeded"), (role, name)
            else:
                assert answer.status_code not in (401, 403), (role, name, answer.text)


def test_the_table_of_roles_names_operations_that_there_are() -> None:
    """SPEC 21.13"""
    named: set[Any] = set().union(*MAY.values()) | MONEY

    assert named <= NAMES
    assert not may("till", "giveRole")
    assert not may("viewer", "getMember")
    assert may("owner", "giveRole")


def test_a_role_is_of_who_took_it_up_first_and_not_of_who_comes_by_the_address_later(world: World) -> None:
    """SPEC 21.13: a mailbox that is another person's by now."""
    role_id = gave(world, "support")
    ada = caller(world, entered(world))
    at_work = took_up(world, ada, role_id)
    [link] = ada.get("/v1/me/identifiers").json()["identifiers"]
    assert ada.write("/v1/me/identifiers/codes", {"identifier": BOB}).status_code == 202
    ada.write(f"/v1/me/identifiers/{link['id']}", method="DELETE")
    eve = caller(world, entered(world))

    assert eve.get("/v1/me/roles").json()["roles"] == []
    assert refusal(eve.write(f"/v1/me/roles/{role_id}/sessions")) == (403, "RoleNotYours")
    assert refusal(at_work.get("/v1/operations")) == (401, "KeyInvalid"), "nor does the first one's token live again"
    world.brand.write(f"/v1/staff/{role_id}", method="DELETE")
    assert took_up(world, eve, gave(world, "support")).get("/v1/operations").status_code == 200


def test_two_who_take_a_role_up_at_once_are_one_person(world: World) -> None:
    """SPEC 21.13"""
    role_id = gave(world, "viewer")
    tokens = [entered(world), entered(world)]
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda one: caller(world, one).write(f"/v1/me/roles/{role_id}/sessions"), tokens))

    assert [one.status_code for one in made] == [201, 201]
    assert world.rows("SELECT COUNT(DISTINCT member_id) FROM staff_role WHERE member_id IS NOT NULL") == [(1,)]


REFUND: tuple[str, dict[str, Any]] = ("/v1/holds/hold_" + "0" * 32 + "/refund", {})
NEEDED = (403, "SecondFactorNeeded")


def test_who_has_the_mailbox_adds_a_passkey_and_is_no_stronger_for_it(world: World) -> None:
    """SPEC 21.15"""
    role_id, own, added, third = gave(world, "treasurer"), Authenticator(), Authenticator(), Authenticator()
    registered(world, entered(world), own)
    stolen = entered(world)
    registered(world, stolen, added)
    thief = caller(world, by_passkey(world, added)[0].json())

    assert refusal(took_up(world, thief, role_id).write(*REFUND)) == NEEDED
    # Nor once the true key is gone, nor by a key that the added one vouches for.
    [true] = [one["id"] for one in thief.get("/v1/me/passkeys").json()["passkeys"]][:1]
    thief.write(f"/v1/me/passkeys/{true}", method="DELETE")
    registered(world, by_passkey(world, added)[0].json(), third)
    again = caller(world, by_passkey(world, third)[0].json())
    assert refusal(took_up(world, again, role_id).write(*REFUND)) == NEEDED


def test_a_key_that_a_strong_device_adds_is_strong(world: World) -> None:
    """SPEC 21.15"""
    role_id, first, second = gave(world, "treasurer"), Authenticator(), Authenticator()
    registered(world, entered(world), first)
    registered(world, by_passkey(world, first)[0].json(), second)

    at_work = took_up(world, caller(world, by_passkey(world, second)[0].json()), role_id)

    assert refusal(at_work.write(*REFUND)) == (404, "HoldUnknown"), "it may"


def test_a_merge_lends_nobody_a_second_factor(world: World) -> None:
    """SPEC 21.15: a thief with the mailbox and a passkey of a member of his own."""
    world.mirror()
    role_id, thiefs = gave(world, "treasurer"), Authenticator()
    took_up(world, caller(world, entered(world)), role_id)
    registered(world, entered(world, BOB), thiefs)
    strong = by_passkey(world, thiefs)[0].json()
    bob = caller(world, strong)
    told, body = proof(world, bob, ADA)
    assert told.json()["outcome"] == "merge"
    assert bob.write("/v1/me/merges", {"challenge": body["challenge"]}).status_code == 201

    assert refusal(took_up(world, caller(world, strong), role_id).write(*REFUND)) == NEEDED
    more = Authenticator()
    registered(world, strong, more)
    assert refusal(took_up(world, caller(world, by_passkey(world, more)[0].json()), role_id).write(*REFUND)) == NEEDED


def test_who_lost_every_passkey_begins_anew_by_the_operators_word(world: World) -> None:
    """SPEC 21.15"""
    tokens, lost, new = entered(world), Authenticator(), Authenticator()
    registered(world, tokens, lost)
    path = f"/v1/members/{tokens['member']}/passkeys"
    ada = caller(world, tokens)
    for other in (world.brand, world.auditor(), ada):
        assert refusal(other.write(path, method="DELETE")) == (403, "NotYours")
    assert refusal(world.anyone.write(path, method="DELETE")) == (401, "KeyMissing")
    assert refusal(world.operator.write(f"/v1/members/mem_{0:032x}/passkeys", method="DELETE")) == (
        404, "MemberUnknown"
    )  # fmt: skip

    assert world.operator.write(path, method="DELETE").json() == {"passkeys": []}

    assert refusal(ada.get("/v1/me/view")) == (401, "SessionExpired")
    assert refusal(by_passkey(world, lost)[0]) == (401, "PasskeyRefused")
    registered(world, entered(world), new)
    at_work = took_up(world, caller(world, by_passkey(world, new)[0].json()), gave(world, "treasurer"))
    assert refusal(at_work.write(*REFUND)) == (404, "HoldUnknown")


def test_an_erasure_takes_the_persons_roles_back(world: World) -> None:
    """SPEC 20.7, 21.13"""
    role_id, kept = gave(world, "owner"), gave(world, "till", EVE)
    ada = caller(world, entered(world))
    at_work = took_up(world, ada, role_id)

    assert ada.write("/v1/me/erasure", {"confirm": "erase everything"}).status_code == 200

    assert refusal(at_work.get("/v1/operations")) == (401, "KeyInvalid")
    assert [one["id"] for one in world.brand.get("/v1/staff").json()["roles"]] == [kept]
    assert caller(world, entered(world)).get("/v1/me/roles").json()["roles"] == []


def test_of_two_passkeys_added_at_once_one_is_the_first(world: World) -> None:
    """SPEC 21.15"""
    tokens = [entered(world), entered(world)]
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda one: registered(world, one, Authenticator())[0], tokens))

    assert [one.status_code for one in made] == [201, 201]
    assert sorted(bool(strong) for (strong,) in world.rows("SELECT strong FROM passkey")) == [False, True]
