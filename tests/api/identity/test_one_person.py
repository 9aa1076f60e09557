"""What a person of several members has is the person's, whichever of them it lies with; and what was asked before a
merge and is asked again after it, or after its end, is one thing."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from eth_keys.datatypes import Signature

from chain.contracts import authorisation
from chain.contracts.authorisation import Domain
from tests.api.auth.test_access import acts, refusal
from tests.api.conftest import TOKENS, Caller, World, Worlds
from tests.api.conftest import both as kind  # noqa: F401
from tests.api.identity.test_who_is_who import merged, spendable, undone
from tests.api.sign_in.test_sign_in import BOB, by_passkey, caller, entered, proof, refreshed, registered
from tests.support.authenticator import Authenticator

HOLD = {"brand": "cdnow", "points": "20", "lifetime_s": 900}
PAUSE = {"quiet_from": "22:00", "quiet_to": "07:00", "zone": "Asia/Seoul", "paused_until": None}


@pytest.fixture
def pair(world: World) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two members with 50 points each; the first one is the older and stands for both once they are one."""
    world.mirror()
    one, other = world.member("m-1"), world.member("m-2")
    for member in (one, other):
        world.holds_points(member["address"], 50)
    return one, other


def counted(world: World) -> int:
    return int(world.rows("SELECT COUNT(*) FROM hold_request")[0][0])


def state_of(caller: Caller, key: str) -> str:
    return str(caller.get(f"/v1/me/intentions/{key}").json()["state"])


def test_a_retry_after_a_merge_or_after_its_end_counts_once(world: World, pair: Any) -> None:
    """SPEC 19.12: by the same session, and by one of another of the person's members."""
    one, other = pair
    first, second = world.session(one), world.session(other)
    before = second.write("/v1/holds", HOLD, key="k-1")
    assert (before.status_code, state_of(first, "k-1")) == (202, "unknown")
    merge = merged(world, one["id"], other["id"]).json()["id"]

    again = [caller.write("/v1/holds", HOLD, key="k-1") for caller in (second, first)]

    assert [one.json()["id"] for one in again] == [before.json()["id"]] * 2
    assert [one.headers["Idempotency-Replayed"] for one in again] == ["true"] * 2
    assert state_of(first, "k-1") == state_of(second, "k-1") == "settling"
    assert refusal(first.write("/v1/holds", HOLD | {"points": "21"}, key="k-1")) == (422, "IdempotencyKeyReused")
    assert counted(world) == 1
    together = second.write("/v1/holds", HOLD, key="k-2").json()["id"]
    undone(world, merge)

    assert second.write("/v1/holds", HOLD, key="k-2").json()["id"] == together, "the session's own, after the end too"
    assert counted(world) == 2


def test_what_was_withdrawn_before_a_merge_never_counts_after_it(world: World, pair: Any) -> None:
    """SPEC 19.12"""
    one, other = pair
    first, second = world.session(one), world.session(other)
    second.write("/v1/me/intentions/k-1/withdraw", key="w-1")
    merged(world, one["id"], other["id"])

    assert state_of(first, "k-1") == "withdrawn"
    assert refusal(first.write("/v1/holds", HOLD, key="k-1")) == (422, "IdempotencyKeyReused")
    assert counted(world) == 0


def test_what_the_chain_refused_is_asked_anew_after_a_merge_too(world: World, pair: Any) -> None:
    """SPEC 19.12, 9.5"""
    one, other = pair
    first, second = world.session(one), world.session(other)
    refused = second.write("/v1/holds", HOLD, key="k-1").json()["id"]
    world.finish("hold", "failed", "HoldExists")
    merged(world, one["id"], other["id"])

    anew = first.write("/v1/holds", HOLD, key="k-1")
    again = second.write("/v1/holds", HOLD, key="k-1")

    assert anew.status_code == again.status_code == 202
    assert refused != anew.json()["id"] == again.json()["id"]
    assert counted(world) == 2


def test_a_person_sees_and_ends_what_belongs_to_any_of_its_members(world: World, pair: Any) -> None:
    """SPEC 19.6: holds, entries, sessions."""
    one, other = pair
    first, second, lost = world.session(one), world.session(other), world.session(other)
    world.entry(other["address"], 7)
    hold = second.write("/v1/holds", HOLD).json()["id"]
    merged(world, one["id"], other["id"])

    assert [told["id"] for told in first.get("/v1/me/holds").json()["holds"]] == [hold]
    [entry] = first.get("/v1/me/entries").json()["entries"]
    assert first.get(f"/v1/me/entries/{entry['id']}").json() == entry
    sessions = second.get("/v1/me/sessions").json()["sessions"]
    assert len(sessions) == 3
    assert second.write("/v1/me/session", method="DELETE").status_code == 200, "the absorbed one's own"
    assert refusal(second.get("/v1/me/view")) == (401, "SessionExpired")
    ended = world.operator.write(f"/v1/members/{one['id']}/sessions", method="DELETE").json()["sessions"]
    assert len(ended) == 2, "the operator ends a person's sessions, not one member's"
    assert refusal(lost.get("/v1/me/view")) == refusal(first.get("/v1/me/view")) == (401, "SessionExpired")


def test_a_person_can_lift_the_quiet_that_any_of_its_members_asked_for(world: World, pair: Any) -> None:
    """SPEC 20.5"""
    one, other = pair
    first, second = world.session(one), world.session(other)
    second.write("/v1/me/preferences", PAUSE, method="PUT")
    merged(world, one["id"], other["id"])

    assert first.get("/v1/me/preferences").json()["quiet_from"] == "22:00", "what holds is told"
    first.write("/v1/me/preferences", PAUSE | {"quiet_from": None, "quiet_to": None}, method="PUT")

    assert world.rows("SELECT DISTINCT quiet_from, quiet_to FROM preference") == [(None, None)]


def test_who_signed_in_while_two_were_one_is_nobody_else_when_the_merge_is_undone(make_world: Worlds) -> None:
    """SPEC 21.16: devices, passkeys, addresses that were proved, receipts."""
    world = make_world(outbox_shown=True)
    world.mirror()
    ada, bob = entered(world), entered(world, BOB)
    merge = merged(world, ada["member"], bob["member"]).json()["id"]
    assert entered(world, BOB)["member"] == ada["member"], "told as one"
    late = entered(world, BOB)
    bobs, key = caller(world, late), Authenticator()
    registered(world, late, key)
    proof(world, bobs, {"kind": "email", "value": "bob@example.org"})
    guest = world.brand.write("/v1/guests").json()
    address = world.rows("SELECT address FROM member WHERE id = :i", i=guest["member"])[0][0]
    world.holds_points(address, 40)
    assert bobs.write("/v1/me/claims", {"code": guest["code"]}).status_code == 200
    assert spendable(caller(world, ada)) == spendable(bobs) == {"cdnow": 40}

    assert undone(world, merge).status_code == 200

    assert bobs.get("/v1/me/view").json()["member"]["id"] == bob["member"]
    assert refreshed(world, late).json()["member"] == bob["member"]
    assert by_passkey(world, key)[0].json()["member"] == bob["member"]
    assert entered(world, {"kind": "email", "value": "bob@example.org"})["member"] == bob["member"]
    assert (spendable(caller(world, ada)), spendable(bobs)) == ({}, {"cdnow": 40})
    assert [one["means"] for one in caller(world, ada).get("/v1/me/devices").json()["devices"]] == ["email"]


def test_a_merge_that_was_undone_is_not_made_again_by_the_same_proof(make_world: Worlds) -> None:
    """SPEC 21.6: a challenge confirms one merge."""
    world = make_world(outbox_shown=True)
    world.mirror()
    ada, bob = caller(world, entered(world)), caller(world, entered(world, BOB))
    told, body = proof(world, ada, BOB)
    assert told.json()["outcome"] == "merge"
    confirm = {"challenge": body["challenge"]}
    merge = ada.write("/v1/me/merges", confirm).json()["id"]
    assert bob.write(f"/v1/me/merges/{merge}", method="DELETE").status_code == 200

    assert refusal(ada.write("/v1/me/merges", confirm)) == (409, "ProofMissing")


def test_points_that_lie_apart_are_gathered_by_both_keys(world: World, pair: Any) -> None:
    """SPEC 19.13"""
    one, other = pair
    first, second, stranger = world.session(one), world.session(other), world.session(world.member("m-3"))
    path, wanted = "/v1/me/points/gather", {"brand": "cdnow", "from": other["id"]}
    assert refusal(first.write(path, wanted)) == (403, "NotYours"), "not before they are one"
    merge = merged(world, one["id"], other["id"]).json()["id"]
    assert refusal(first.write("/v1/holds", HOLD | {"points": "60"})) == (409, "PointsApart")
    before = world.everything()
    for caller_ in (world.brand, world.operator):
        assert refusal(caller_.write(path, wanted)) == (403, "NotYours")
    assert refusal(world.anyone.write(path, wanted)) == (401, "KeyMissing")
    assert refusal(stranger.write(path, wanted)) == (403, "NotYours")
    assert refusal(first.write(path, wanted | {"from": one["id"]})) == (403, "NotYours"), "it lies there already"
    assert refusal(first.write(path, wanted | {"brand": "nobody"})) == (404, "BrandUnknown")
    assert refusal(first.write(path, wanted | {"brand": "beans"})) == (409, "ERC20InsufficientBalance")
    assert world.everything() == before

    asked = second.write(path, wanted, key="g-1")
    again = first.write(path, wanted, key="g-1")

    assert (asked.status_code, asked.json()["to"]) == (202, one["id"])
    assert again.json()["operation"]["id"] == asked.json()["operation"]["id"]
    [(ordering_key, payload)] = world.rows("SELECT ordering_key, payload FROM operation WHERE kind = 'leave'")
    signed = orjson.loads(payload) if isinstance(payload, str) else payload
    values = {name: signed[name] for name in ("wallet", "nonce", "deadline")} | {"member": ordering_key}
    digest = authorisation.digest(Domain("LoyaltyToken", "1", 1337, TOKENS["cdnow"]), "Leave", values)
    for name, member in (("member_signature", other), ("wallet_signature", one)):
        raw = bytes.fromhex(signed[name][2:])
        signer = Signature(raw[:64] + bytes([raw[64] - 27])).recover_public_key_from_msg_hash(digest).to_address()
        assert signer == member["address"].lower(), name
    assert (ordering_key, signed["wallet"]) == (other["address"].lower(), one["address"].lower())
    assert state_of(first, "g-1") == "settling"
    assert len(acts(world, "points.gathered")) == 1
    undone(world, merge)
    assert refusal(first.write(path, wanted)) == (403, "NotYours")
