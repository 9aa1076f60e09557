"""How people come in: codes, passkeys, wallets, devices; and how others do not (SPEC 18)."""

from __future__ import annotations

import itertools
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from coincurve import PrivateKey
from starlette.testclient import TestClient

from api.auth.tokens import read_token
from api.kit.addresses import checksum
from api.kit.clock import now_ms
from api.sign_in import member_routes
from api.sign_in.wallets import signer_of
from chain.base.hashing import keccak
from tests.api.auth.test_access import acts, refusal
from tests.api.conftest import Caller, World, Worlds, purchase
from tests.api.conftest import both as kind  # noqa: F401
from tests.api.identity.test_who_is_who import resolve, spendable
from tests.support.authenticator import Authenticator

ADA = {"kind": "email", "value": "ada@example.org"}
BOB = {"kind": "phone", "value": "+82 10 1234 5678"}
NUMBERS = itertools.count()
CODE = re.compile(r"\d{8}")


@pytest.fixture
def world(make_world: Worlds) -> World:
    return make_world(outbox_shown=True)


def post(world: World, path: str, body: Any = None) -> Any:
    """Somebody of whom nothing is known asks."""
    return world.client.post(f"/v1/sign-in/{path}", json={} if body is None else body)


def sent(world: World) -> dict[str, Any]:
    """The newest message that was sent, with its code."""
    newest: dict[str, Any] = world.operator.get("/v1/sign-in/outbox").json()["messages"][0]
    return {**newest, "code": CODE.search(newest["text"])[0]}  # type: ignore[index]


def asked(world: World, who: dict[str, str] = ADA) -> dict[str, Any]:
    """A challenge and its code, ready to be entered."""
    answer = post(world, "codes", {"identifier": who})
    assert answer.status_code == 202, answer.text
    return {"challenge": answer.json()["challenge"], "identifier": who, "code": sent(world)["code"]}


def entered(world: World, who: dict[str, str] = ADA, **more: Any) -> dict[str, Any]:
    """The tokens of who signs in with a code."""
    answer = post(world, "sessions", asked(world, who) | more)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def caller(world: World, tokens: dict[str, Any]) -> Caller:
    return Caller(world.client, tokens["token"], f"{tokens['device']}-{next(NUMBERS)}")


def refreshed(world: World, tokens: dict[str, Any], attempt: str = "attempt-00000001") -> Any:
    return post(world, "refresh", {"refresh": tokens["refresh"], "attempt": attempt})


# Codes


def test_a_code_lets_in_whose_address_it_went_to_and_makes_a_member_at_the_first_time(world: World) -> None:
    """SPEC 21.1"""
    world.mirror()
    first, again = entered(world, label="Ada's telephone"), entered(world, ADA | {"value": " ADA@Example.ORG "})

    ada = caller(world, first)
    assert first["member"] == again["member"]
    assert first["token"] != again["token"]
    assert ada.get("/v1/me/view").json()["member"]["id"] == first["member"]
    assert [one["label"] for one in ada.get("/v1/me/devices").json()["devices"]] == [None, "Ada's telephone"]
    [known] = ada.get("/v1/me/identifiers").json()["identifiers"]
    assert (known["kind"], known["shown"], known["proven"], known["said_by"]) == ("email", "a…@example.org", True, None)
    assert len(acts(world, "signin.done")) == 2
    assert len(acts(world, "identifier.proven")) == 1


def test_whether_somebody_is_a_member_is_not_told_and_not_looked_at(world: World) -> None:
    """SPEC 21.2: the same answer, the same work, the same refusals."""
    entered(world)
    member = post(world, "codes", {"identifier": ADA})
    nobody = post(world, "codes", {"identifier": {"kind": "email", "value": "nobody@example.org"}})

    assert member.status_code == nobody.status_code == 202
    assert member.json().keys() == nobody.json().keys() == {"challenge", "expires_at"}
    wrong = [
        post(world, "sessions", {"challenge": one.json()["challenge"], "identifier": who, "code": "00000000"})
        for one, who in ((member, ADA), (nobody, {"kind": "email", "value": "nobody@example.org"}))
    ]
    assert len({(one.status_code, one.text) for one in wrong}) == 1
    statements: list[tuple[Any, str]] = []
    from sqlalchemy import event as hooks

    engine = world.app.state.moa.database._writer
    hooks.listen(engine, "before_cursor_execute", lambda *told: statements.append((told[0], told[2])))
    per_asked = []
    for who in (ADA, {"kind": "email", "value": "none@example.org"}):
        statements.clear()
        assert post(world, "codes", {"identifier": who}).status_code == 202
        # Of the transactions that count or write something down: others of the gateway go on meanwhile.
        ours = [used for used, one in statements if one.startswith(("INSERT INTO tried", "INSERT INTO challenge"))]
        per_asked.append([one for used, one in statements if any(used is mine for mine in ours) and "act_" not in one])
        assert len(per_asked[-1]) > 2
    assert per_asked[0] == per_asked[1]
    assert not [one for one in per_asked[0] if "member" in one.split("VALUES")[0] and "SELECT" in one]


def test_every_wrong_code_is_refused_alike(world: World) -> None:
    """SPEC 21.3: of another, of another address, used, too late, tried too often."""
    mine, bobs = asked(world), asked(world, BOB)
    digits = str((int(mine["code"]) + 1) % 10**8).zfill(8)
    wrong = [
        mine | {"code": digits},
        mine | {"code": bobs["code"]} if bobs["code"] != mine["code"] else mine | {"code": digits},
        mine | {"identifier": BOB},
        mine | {"challenge": "chl_" + "0" * 32},
        mine | {"challenge": bobs["challenge"]},
    ]
    answers = [post(world, "sessions", one) for one in wrong]
    late = asked(world)
    world.run("UPDATE challenge SET expires_at_ms = :at WHERE id = :i", at=now_ms() - 1, i=late["challenge"])
    answers.append(post(world, "sessions", late))
    used = asked(world)
    assert post(world, "sessions", used).status_code == 201
    answers.append(post(world, "sessions", used))

    assert {refusal(one) for one in answers} == {(401, "CodeWrong")}
    assert len({one.json()["detail"] for one in answers}) == 1
    assert world.rows("SELECT COUNT(*) FROM member") == [(1,)]


def test_a_code_is_tried_five_times_and_no_more(world: World) -> None:
    """SPEC 21.3"""
    mine = asked(world)
    wrong = mine | {"code": str((int(mine["code"]) + 1) % 10**8).zfill(8)}
    for _ in range(5):
        assert refusal(post(world, "sessions", wrong)) == (401, "CodeWrong")

    assert refusal(post(world, "sessions", mine)) == (401, "CodeWrong"), "the right one comes too late"


def test_codes_are_asked_for_a_few_times_an_hour_member_or_not(world: World) -> None:
    """SPEC 21.4"""
    entered(world)
    for who, more in ((ADA, 4), ({"kind": "email", "value": "nobody@example.org"}, 5)):
        answers = [post(world, "codes", {"identifier": who}) for _ in range(more + 1)]
        assert [one.status_code for one in answers] == [202] * more + [429]
        assert (answers[-1].json()["error"], answers[-1].headers["retry-after"]) == ("CodesTooMany", "3600")
    world.run("UPDATE tried SET window_ms = window_ms - 3600000")
    assert post(world, "codes", {"identifier": ADA}).status_code == 202
    assert world.rows("SELECT COUNT(*) FROM tried WHERE name LIKE '%ada%'") == [(0,)]


def test_one_code_entered_twice_at_once_lets_in_once(world: World) -> None:
    """SPEC 21.3"""
    mine = asked(world)
    ready = threading.Barrier(2)

    def enter(_: int) -> int:
        ready.wait()
        return int(post(world, "sessions", mine).status_code)

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(enter, range(2))) == [201, 401]
    assert world.rows("SELECT COUNT(*) FROM device") == [(1,)]


def test_the_code_is_nowhere_but_in_the_message(world: World) -> None:
    """SPEC 21.3, 20.1"""
    mine = asked(world)

    rows = world.rows("SELECT * FROM challenge") + world.rows("SELECT sealed FROM outbox_message")
    assert mine["code"] not in str(rows)
    assert "ada@example.org" not in str(rows)
    assert sent(world)["to"] == "ada@example.org"


def test_what_was_sent_is_shown_in_a_demo_only_and_to_the_operator(make_world: Worlds) -> None:
    """SPEC 21.5"""
    world = make_world()
    post(world, "codes", {"identifier": ADA})

    assert refusal(world.operator.get("/v1/sign-in/outbox")) == (404, "OutboxClosed")
    assert refusal(world.brand.get("/v1/sign-in/outbox")) == (403, "NotYours")
    assert refusal(world.anyone.get("/v1/sign-in/outbox")) == (401, "KeyMissing")


# What was before the sign-in


def test_what_brands_said_of_an_address_becomes_the_persons_who_proves_it(world: World) -> None:
    """SPEC 19.10"""
    world.mirror()
    at_cdnow = resolve(world, ("email", "ada@example.org"), ("partner", "m-1"))
    at_beans = resolve(world, ("email", "ada@example.org"), ("partner", "m-2"), brand=world.other)
    world.holds_points(at_cdnow["address"], 30)
    world.holds_points(at_beans["address"], 12, "beans")

    tokens = entered(world)

    ada = caller(world, tokens)
    assert spendable(ada) == {"cdnow": 30, "beans": 12}
    assert {one["reason"] for one in ada.get("/v1/me/merges").json()["merges"]} == {"asserted"}
    assert world.brand.get("/v1/members", identifier="m-1").json()["id"] == at_cdnow["member"], "stable for the brand"
    # A member whom somebody has proved to be is nobody else's, whatever a brand says.
    wrongly = resolve(world, ("phone", BOB["value"]), ("partner", "m-1"))
    assert wrongly["member"] == at_cdnow["member"]
    bob = caller(world, entered(world, BOB))
    assert spendable(bob) == {}
    # That was not me: undone, and it stays with the brand's own member.
    for merge in ada.get("/v1/me/merges").json()["merges"]:
        assert ada.write(f"/v1/me/merges/{merge['id']}", method="DELETE").status_code == 200
    assert spendable(ada) == {}


def test_what_was_done_before_the_sign_in_is_the_members_afterwards(world: World) -> None:
    """SPEC 19.11"""
    world.mirror()
    cookie = "c-" + "7" * 20
    visitor = resolve(world, ("cookie", cookie))
    sold = purchase(1) | {"member": {"id": visitor["member"]}}
    assert world.brand.write("/v1/purchases", sold).status_code == 202
    world.holds_points(visitor["address"], 44)

    tokens = entered(world, visitor={"kind": "cookie", "value": cookie, "brand": "cdnow"})

    assert tokens["visitor"] == "stitched"
    assert spendable(caller(world, tokens)) == {"cdnow": 44}
    assert resolve(world, ("cookie", cookie))["outcome"] == "created", "the cookie is nobody's again"


def test_two_people_on_one_tablet_stay_two(world: World) -> None:
    """SPEC 19.11"""
    world.mirror()
    tablet = {"kind": "device", "value": "tablet-" + "7" * 20, "brand": "cdnow"}
    seen = ("device", tablet["value"])
    before_ada = resolve(world, seen)
    ada = entered(world, visitor=tablet)
    before_bob = resolve(world, seen)
    bob = entered(world, BOB, visitor=tablet)
    nothing = entered(world, visitor=tablet)
    # The shop says that Bob's card was used with it, and then Ada signs in again.
    known = resolve(world, seen, ("card", "9410-77"))
    apart = entered(world, visitor=tablet)

    assert (ada["visitor"], bob["visitor"], nothing["visitor"], apart["visitor"]) == (
        "stitched", "stitched", "nothing", "apart",
    )  # fmt: skip
    assert ada["member"] != bob["member"]
    ids = {one["member"] for one in caller(world, ada).get("/v1/me/identifiers").json()["addresses"]}
    theirs = {one["member"] for one in caller(world, bob).get("/v1/me/identifiers").json()["addresses"]}
    assert before_ada["member"] in ids
    assert before_bob["member"] in theirs
    assert not ids & theirs
    assert known["member"] not in ids | theirs


# Further proofs


def proof(world: World, ada: Caller, who: dict[str, str]) -> Any:
    answer = ada.write("/v1/me/identifiers/codes", {"identifier": who})
    assert answer.status_code == 202, answer.text
    body = {"challenge": answer.json()["challenge"], "identifier": who, "code": sent(world)["code"]}
    return ada.write("/v1/me/identifiers", body), body


def test_a_further_address_is_proved_and_opens_the_same_member(world: World) -> None:
    """SPEC 21.6"""
    first = entered(world)
    ada = caller(world, first)
    told, body = proof(world, ada, BOB)

    assert told.json()["outcome"] == "added"
    assert entered(world, BOB)["member"] == first["member"]
    assert refusal(ada.write("/v1/me/identifiers", body)) == (401, "CodeWrong")
    # A code for one purpose opens nothing else.
    assert refusal(post(world, "sessions", proof(world, ada, ADA)[1])) == (401, "CodeWrong")
    third = caller(world, entered(world, {"kind": "email", "value": "eve@example.org"}))
    answer = ada.write("/v1/me/identifiers/codes", {"identifier": {"kind": "email", "value": "ada2@example.org"}})
    stolen = {
        "challenge": answer.json()["challenge"], "code": sent(world)["code"],
        "identifier": {"kind": "email", "value": "ada2@example.org"},
    }  # fmt: skip
    assert refusal(third.write("/v1/me/identifiers", stolen)) == (401, "CodeWrong")
    [phone] = [one for one in ada.get("/v1/me/identifiers").json()["identifiers"] if one["kind"] == "phone"]
    assert refusal(third.write(f"/v1/me/identifiers/{phone['id']}", method="DELETE")) == (404, "IdentifierUnknown")
    assert ada.write(f"/v1/me/identifiers/{phone['id']}", method="DELETE").status_code == 200
    assert entered(world, BOB)["member"] != first["member"]


def test_who_proves_to_be_two_members_sees_what_one_would_be_and_confirms_it(world: World) -> None:
    """SPEC 21.6, 19.7"""
    world.mirror()
    ada, bob = entered(world), entered(world, BOB)
    one = caller(world, ada)
    told, body = proof(world, one, BOB)

    assert (told.json()["outcome"], told.json()["preview"]["refused"]) == ("merge", None)
    assert world.rows("SELECT COUNT(*) FROM member_merge") == [(0,)]
    other = caller(world, bob)
    confirm = {"challenge": body["challenge"]}
    assert refusal(other.write("/v1/me/merges", confirm)) == (409, "ProofMissing")
    assert refusal(one.write("/v1/me/merges", {"challenge": "chl_" + "0" * 32})) == (409, "ProofMissing")
    made = one.write("/v1/me/merges", confirm)
    assert (made.status_code, made.json()["survivor"]) == (201, ada["member"])
    assert other.get("/v1/me/view").json()["member"]["id"] == ada["member"]
    assert refusal(one.write("/v1/me/merges", confirm)) == (409, "ProofMissing")
    undone = other.write(f"/v1/me/merges/{made.json()['id']}", method="DELETE")
    assert undone.status_code == 200
    assert other.get("/v1/me/view").json()["member"]["id"] == bob["member"]


# Tokens and devices


def test_a_token_lives_for_minutes_and_its_device_gets_the_next(world: World) -> None:
    """SPEC 21.7"""
    world.mirror()
    first = entered(world)
    lives_ms = world.rows("SELECT expires_at_ms - created_at_ms FROM member_session")[0][0]
    assert lives_ms == 600_000
    assert refusal(Caller(world.client, first["refresh"]).get("/v1/me/devices")) == (401, "KeyInvalid")

    second = refreshed(world, first).json()

    assert caller(world, second).get("/v1/me/view").status_code == 200
    assert second["member"] == first["member"]
    assert second["refresh"] != first["refresh"]
    third = refreshed(world, second, "attempt-00000002")
    assert third.status_code == 200
    forged = first | {"refresh": first["refresh"][:-4] + "AAAA"}
    assert refusal(refreshed(world, forged)) == (401, "KeyInvalid")
    assert caller(world, third.json()).get("/v1/me/view").status_code == 200
    world.run("UPDATE member_session SET expires_at_ms = 1")
    assert refusal(caller(world, second).get("/v1/me/view")) == (401, "SessionExpired")


def test_an_answer_that_was_lost_is_given_again_to_the_same_attempt(world: World) -> None:
    """SPEC 21.7"""
    first = entered(world)
    lost, again = refreshed(world, first).json(), refreshed(world, first).json()

    assert lost["refresh"] == again["refresh"]
    assert refreshed(world, again, "attempt-00000002").status_code == 200
    assert refusal(refreshed(world, first)) == (401, "RefreshReused"), "the successor was used: it was not lost"


def test_a_used_token_that_comes_again_ends_its_device_and_no_other(world: World) -> None:
    """SPEC 21.8"""
    world.mirror()
    robbed, other = entered(world), entered(world)
    thief = refreshed(world, robbed).json()
    assert caller(world, thief).get("/v1/me/view").status_code == 200

    reused = refreshed(world, robbed, "attempt-of-the-owner")

    assert refusal(reused) == (401, "RefreshReused")
    assert refusal(caller(world, thief).get("/v1/me/view")) == (401, "SessionExpired")
    assert refusal(caller(world, robbed).get("/v1/me/view")) == (401, "SessionExpired")
    assert refusal(refreshed(world, thief, "attempt-of-the-thief")) == (401, "SessionExpired")
    assert caller(world, other).get("/v1/me/view").status_code == 200
    ended = [one for one in caller(world, other).get("/v1/me/devices").json()["devices"] if one["ended_at"]]
    assert [(one["id"], one["ended_why"]) for one in ended] == [(robbed["device"], "reused")]
    living = refreshed(world, other).json()
    world.run("UPDATE refresh_token SET used_at_ms = used_at_ms - 700000000")
    assert refreshed(world, living, "attempt-00000002").status_code == 200
    assert refusal(refreshed(world, other, "attempt-00000003")) == (401, "KeyInvalid"), "too old to tell anything"
    assert caller(world, living).get("/v1/me/view").status_code == 200
    [act] = acts(world, "refresh.reused")
    assert act["subject"].startswith("member/")
    assert robbed["member"] not in str(act)


def test_devices_are_signed_out_one_by_one_and_everywhere(world: World) -> None:
    """SPEC 21.9"""
    world.mirror()
    phone, desk, bob = entered(world), entered(world), entered(world, BOB)
    ada, third = caller(world, phone), caller(world, bob)
    assert refusal(third.write(f"/v1/me/devices/{phone['device']}", method="DELETE")) == (404, "DeviceUnknown")
    assert refusal(world.brand.write(f"/v1/me/devices/{phone['device']}", method="DELETE")) == (403, "NotYours")

    assert ada.write(f"/v1/me/devices/{desk['device']}", method="DELETE").json()["ended_why"] == "member"

    assert refusal(caller(world, desk).get("/v1/me/view")) == (401, "SessionExpired")
    assert refusal(refreshed(world, desk)) == (401, "SessionExpired")
    assert ada.get("/v1/me/view").status_code == 200
    tablet = entered(world)
    made = world.session({"id": phone["member"]})
    everywhere = ada.write("/v1/me/sessions", method="DELETE")
    assert {one["id"] for one in everywhere.json()["devices"]} == {phone["device"], tablet["device"]}
    for gone in (ada, caller(world, tablet), made):
        assert refusal(gone.get("/v1/me/view")) == (401, "SessionExpired")
    assert refusal(refreshed(world, tablet)) == (401, "SessionExpired")
    assert third.get("/v1/me/view").status_code == 200


def test_the_operator_ends_devices_with_the_sessions(world: World) -> None:
    """SPEC 21.9"""
    tokens = entered(world)
    world.run("UPDATE member_session SET expires_at_ms = 1")

    world.operator.write(f"/v1/members/{tokens['member']}/sessions", method="DELETE")

    assert refusal(refreshed(world, tokens)) == (401, "SessionExpired")


def test_tokens_are_kept_as_hashes_only(world: World) -> None:
    """SPEC 21.7"""
    tokens = entered(world)
    rows = str(world.rows("SELECT * FROM refresh_token") + world.rows("SELECT * FROM member_session"))

    for name in ("token", "refresh"):
        token = read_token(tokens[name])
        assert token is not None
        assert token.secret not in rows
        assert token.secret_hash in rows


# Passkeys


def registered(world: World, tokens: dict[str, Any], device: Authenticator, **more: Any) -> Any:
    ada = caller(world, tokens)
    options = ada.write("/v1/me/passkeys/options").json()
    assert options["public_key"]["authenticatorSelection"]["userVerification"] == "required"
    body = {"challenge": options["challenge"], "credential": device.make(options["public_key"]), **more}
    return ada.write("/v1/me/passkeys", body), body


def by_passkey(world: World, device: Authenticator, **more: Any) -> Any:
    options = post(world, "passkeys/options").json()
    assert options["public_key"].get("allowCredentials", []) == [], "nobody is asked who they are"
    body = {"challenge": options["challenge"], "credential": device.sign(options["public_key"]), **more}
    return post(world, "passkeys", body), body


def test_a_passkey_lets_its_member_in(world: World) -> None:
    """SPEC 21.10"""
    tokens, device = entered(world), Authenticator()
    made, body = registered(world, tokens, device, label="Ada's key")

    entered_, used = by_passkey(world, device)

    assert (made.status_code, made.json()["label"]) == (201, "Ada's key")
    assert (entered_.status_code, entered_.json()["member"]) == (201, tokens["member"])
    assert refusal(post(world, "passkeys", used)) == (401, "PasskeyRefused"), "an answer is good once"
    ada = caller(world, tokens)
    assert refusal(ada.write("/v1/me/passkeys", body)) == (401, "CodeWrong")
    assert by_passkey(world, device)[0].status_code == 201
    [known] = ada.get("/v1/me/passkeys").json()["passkeys"]
    third = caller(world, entered(world, BOB))
    assert refusal(third.write(f"/v1/me/passkeys/{known['id']}", method="DELETE")) == (404, "PasskeyUnknown")
    assert ada.write(f"/v1/me/passkeys/{known['id']}", method="DELETE").json() == {"passkeys": []}
    assert refusal(by_passkey(world, device)[0]) == (401, "PasskeyRefused")
    assert len(acts(world, "passkey.added")) == len(acts(world, "passkey.removed")) == 1


@pytest.mark.parametrize(
    "lie",
    [{"origin": "https://evil.example"}, {"origin": "http://localhost:8001"}, {"verifies": False}, {"count": -10}],
    ids=str,
)
def test_a_passkey_of_another_origin_or_an_unverified_user_opens_nothing(world: World, lie: dict[str, Any]) -> None:
    """SPEC 21.10"""
    tokens, device = entered(world), Authenticator(count=10)
    assert registered(world, tokens, device)[0].status_code == 201
    for name, value in lie.items():
        setattr(device, name, 0 if name == "count" else value)

    assert refusal(by_passkey(world, device)[0]) == (401, "PasskeyRefused")


@pytest.mark.parametrize("lie", [{"origin": "https://evil.example"}, {"verifies": False}], ids=str)
def test_a_passkey_that_lies_at_its_making_is_not_taken(world: World, lie: dict[str, Any]) -> None:
    """SPEC 21.10"""
    tokens = entered(world)

    assert refusal(registered(world, tokens, Authenticator(**lie))[0]) == (401, "PasskeyRefused")
    assert world.rows("SELECT COUNT(*) FROM passkey") == [(0,)]


def test_a_passkey_is_one_members_and_another_key_does_not_sign_for_it(world: World) -> None:
    """SPEC 21.10"""
    ada, bob, device = entered(world), entered(world, BOB), Authenticator()
    assert registered(world, ada, device)[0].status_code == 201

    assert refusal(registered(world, bob, device)[0]) == (409, "PasskeyTaken")
    forger = Authenticator(id=device.id)
    assert refusal(by_passkey(world, forger)[0]) == (401, "PasskeyRefused")
    answered = device.sign(post(world, "passkeys/options").json()["public_key"])
    others = post(world, "passkeys/options").json()["challenge"]
    assert refusal(post(world, "passkeys", {"challenge": others, "credential": answered})) == (401, "PasskeyRefused")
    for nonsense in ({}, {"id": 7}, {"response": {"clientDataJSON": "x"}}, {"response": []}):
        answer = post(world, "passkeys", {"challenge": others, "credential": nonsense})
        assert refusal(answer) == (401, "PasskeyRefused")
    # What no database can look for, and answers whose parts are of other kinds.
    for wrong in ({"id": "\0"}, {"id": "x" * 5_000}, {"id": None}, {"id": []}, {"rawId": 7}, {"type": "\0"}):
        options = post(world, "passkeys/options").json()
        lied = device.sign(options["public_key"]) | wrong
        answer = post(world, "passkeys", {"challenge": options["challenge"], "credential": lied})
        assert answer.status_code in (401, 422), wrong
    for part in ("authenticatorData", "signature", "clientDataJSON"):
        for value in ("", "\0", "=", 7, None, {}, "A" * 4_000):
            options = post(world, "passkeys/options").json()
            lied = device.sign(options["public_key"])
            lied["response"][part] = value
            answer = post(world, "passkeys", {"challenge": options["challenge"], "credential": lied})
            assert answer.status_code in (401, 422), (part, value)
    assert by_passkey(world, device)[0].status_code == 201, "and the key is none the worse for it"


# Wallets


def signed(key: PrivateKey, message: str) -> str:
    digest = keccak(f"\x19Ethereum Signed Message:\n{len(message.encode())}".encode() + message.encode())
    signature = key.sign_recoverable(digest, hasher=None)
    return "0x" + (signature[:64] + bytes([signature[64] + 27])).hex()


def address_of(key: PrivateKey) -> str:
    return "0x" + keccak(key.public_key.format(compressed=False)[1:])[12:].hex()


def asked_wallet(world: World, address: str) -> dict[str, Any]:
    answer = post(world, "wallets/messages", {"address": address})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def by_wallet(world: World, key: PrivateKey, **more: Any) -> Any:
    told = asked_wallet(world, address_of(key))
    body = {"challenge": told["challenge"], "message": told["message"], "signature": signed(key, told["message"])}
    return post(world, "wallets", body | more), body


def test_a_wallet_signs_in_by_the_message_that_was_asked_for(world: World) -> None:
    """SPEC 21.11"""
    key = PrivateKey(b"\x11" * 32)
    first, body = by_wallet(world, key)
    again, _ = by_wallet(world, key)

    assert first.status_code == again.status_code == 201
    assert first.json()["member"] == again.json()["member"]
    assert refusal(post(world, "wallets", body)) == (401, "WalletRefused"), "a nonce is good once"
    lines = body["message"].split("\n")
    assert lines[0] == "localhost:8000 wants you to sign in with your Ethereum account:"
    assert lines[1] == checksum(address_of(key))
    assert {"URI: http://localhost:8000", "Version: 1", "Chain ID: 1337"} <= set(lines)


@pytest.mark.parametrize(
    ("what", "to"),
    [
        ("localhost:8000 wants", "evil.example wants"),
        ("URI: http://localhost:8000", "URI: http://evil.example"),
        ("Chain ID: 1337", "Chain ID: 1"),
        ("Version: 1", "Version: 2"),
        ("moves no points", "moves all points"),
        ("Nonce: ", "Nonce: 0"),
    ],
)
def test_a_message_with_another_word_is_refused_though_it_is_signed(world: World, what: str, to: str) -> None:
    """SPEC 21.11"""
    key = PrivateKey(b"\x11" * 32)
    told = asked_wallet(world, address_of(key))
    message = told["message"].replace(what, to)
    assert message != told["message"]
    body = {"challenge": told["challenge"], "message": message, "signature": signed(key, message)}

    assert refusal(post(world, "wallets", body)) == (401, "WalletRefused")
    assert world.rows("SELECT COUNT(*) FROM member") == [(0,)]


def test_what_is_no_signature_is_none(world: World) -> None:
    """SPEC 21.11"""
    key = PrivateKey(b"\x11" * 32)
    digest, order = keccak(b"x"), 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    good = key.sign_recoverable(digest, hasher=None)
    high = good[:32] + (order - int.from_bytes(good[32:64])).to_bytes(32) + bytes([1 - good[64]])

    assert signer_of(digest, good) == address_of(key)
    assert signer_of(digest, high) is None, "one message has one signature"
    for bad in (b"", good[:64], good + b"\0", good[:64] + b"\x05", b"\0" * 65, b"\xff" * 65):
        assert signer_of(digest, bad) is None


def test_a_wallet_becomes_a_way_in_for_a_member(world: World) -> None:
    """SPEC 21.6, 21.11"""
    tokens, key = entered(world), PrivateKey(b"\x12" * 32)
    ada = caller(world, tokens)
    told = ada.write("/v1/me/wallets/messages", {"address": address_of(key)}).json()
    body = {"challenge": told["challenge"], "message": told["message"], "signature": signed(key, told["message"])}
    third = caller(world, entered(world, BOB))

    assert refusal(post(world, "wallets", body)) == (401, "WalletRefused"), "asked for another purpose"
    assert refusal(third.write("/v1/me/wallets", body)) == (401, "WalletRefused")
    assert ada.write("/v1/me/wallets", body).json()["outcome"] == "added"
    assert by_wallet(world, key)[0].json()["member"] == tokens["member"]


# What is not told


def test_no_act_log_or_metric_names_who_signed_in(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """SPEC 21.12"""
    with caplog.at_level("INFO"):
        tokens = entered(world, label="Ada's telephone")
        refreshed(world, tokens)
        wrong = asked(world, BOB) | {"code": "00000000"}
        post(world, "sessions", wrong)
    told = " ".join(
        [
            caplog.text,
            world.operator.get("/metrics").text,
            *(leaf for (leaf,) in world.rows("SELECT leaf FROM act_pending UNION ALL SELECT leaf FROM log_entry")),
            str(world.rows("SELECT actor, subject, detail FROM act_tally")),
        ]
    )

    secrets = [tokens["member"], tokens["token"], tokens["refresh"]]
    for value in ("ada@", "example.org", "1012345678", "1234 5678", "telephone", *secrets):
        assert value not in told


def test_a_flood_from_one_address_is_refused_and_others_come_in(make_world: Worlds, monkeypatch: Any) -> None:
    """SPEC 21.4"""
    monkeypatch.setattr("api.sign_in.entering.ENTRIES_HOURLY_MAX", 3)
    world = make_world(access_lifetime=timedelta(minutes=1))
    answers = [post(world, "passkeys/options") for _ in range(4)]
    elsewhere = TestClient(world.app, client=("10.0.0.9", 1), raise_server_exceptions=False)

    assert [one.status_code for one in answers] == [200, 200, 200, 429]
    assert elsewhere.post("/v1/sign-in/passkeys/options", json={}).status_code == 200


def test_one_member_asks_and_tries_a_bounded_number_of_times(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC 21.4: a wallet's proof asks the node; nobody makes it ask without end."""
    monkeypatch.setattr(member_routes, "ASKED_HOURLY_MAX", 3)
    monkeypatch.setattr(member_routes, "PROVED_HOURLY_MAX", 2)
    ada, bob = caller(world, entered(world)), caller(world, entered(world, BOB))
    asking = [ada.write("/v1/me/passkeys/options") for _ in range(2)]
    asking += [ada.write("/v1/me/wallets/messages", {"address": "0x" + "77" * 20}) for _ in range(2)]
    wrong = {"challenge": "chl_" + "0" * 32, "identifier": BOB, "code": "00000000"}
    proving = [ada.write("/v1/me/identifiers", wrong) for _ in range(3)]

    assert [one.status_code for one in asking] == [200, 200, 200, 429]
    assert [refusal(one) for one in proving] == [(401, "CodeWrong")] * 2 + [(429, "CodesTooMany")]
    assert bob.write("/v1/me/passkeys/options").status_code == 200, "another's tries are another's"
