"""Sessions and operator keys are ended, by whom they may be and by nobody else (SPEC 9.33, 9.34)."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import orjson
import pytest
from click.testing import Result
from typer.testing import CliRunner

from api.audit_log import names
from scripts.cli.app import app
from tests.api.conftest import Caller, World, Worlds, served
from tests.api.test_databases import world as either_world
from tests.api.views.test_stream import listening

both = either_world
END = "DELETE"


def acts(world: World, act: str) -> list[dict[str, Any]]:
    """What was recorded of a kind, in the order in which it was, wherever it stands by now."""
    leaves = [
        *world.rows("SELECT leaf FROM log_entry ORDER BY seq"),
        *world.rows("SELECT leaf FROM act_pending ORDER BY id"),
    ]
    return [one for (leaf,) in leaves if (one := orjson.loads(leaf))["act"] == act]


def ids(caller: Caller, path: str = "/v1/me/sessions") -> list[str]:
    return [one["id"] for one in caller.get(path).json()["sessions"]]


def id_of(caller: Caller) -> str:
    return caller.key.split("_")[2]


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


# Sessions


def test_a_member_ends_its_own_session_and_is_out_from_the_next_request_on(world: World) -> None:
    """SPEC 9.33"""
    member = world.member()
    phone, desk = world.session(member), world.session(member)
    assert sorted(ids(phone)) == sorted([id_of(phone), id_of(desk)])
    assert [one["id"] for one in phone.get("/v1/me/sessions").json()["sessions"] if one["current"]] == [id_of(phone)]

    ended = phone.write("/v1/me/session", method=END)

    assert (ended.status_code, ended.json()["id"], ended.json()["ended_at"] is not None) == (200, id_of(phone), True)
    assert refusal(phone.get("/v1/me/sessions")) == (401, "SessionExpired")
    assert refusal(phone.write("/v1/me/session", method=END)) == (401, "SessionExpired")
    assert desk.get("/v1/me/sessions").status_code == 200
    [act] = acts(world, "session.ended")
    assert act["actor"] == act["subject"] != names.member(member["id"])


def test_a_member_ends_another_session_of_its_own_and_only_of_its_own(world: World) -> None:
    """SPEC 9.33"""
    member, third_party = world.member(), world.session(world.member("m-2"))
    phone, desk = world.session(member), world.session(member)

    refused = [
        third_party.write(f"/v1/me/sessions/{id_of(desk)}", method=END),
        phone.write("/v1/me/sessions/" + "0" * 12, method=END),
        world.brand.write(f"/v1/me/sessions/{id_of(desk)}", method=END),
        world.anyone.write(f"/v1/me/sessions/{id_of(desk)}", method=END),
        phone.write("/v1/me/sessions/x", method=END),
    ]
    assert [refusal(answer) for answer in refused] == [
        (404, "SessionUnknown"), (404, "SessionUnknown"), (403, "NotYours"), (401, "KeyMissing"),
        (422, "RequestMalformed"),
    ]  # fmt: skip
    assert desk.get("/v1/me/sessions").status_code == 200, "what was refused changed nothing"

    first = phone.write(f"/v1/me/sessions/{id_of(desk)}", method=END)
    again = phone.write(f"/v1/me/sessions/{id_of(desk)}", method=END)

    assert first.json() == again.json()
    assert refusal(desk.get("/v1/me/view")) == (401, "SessionExpired")
    assert len(acts(world, "session.ended")) == 1, "twice is once"


def test_the_operator_ends_one_or_all_sessions_of_a_member_and_nobody_else_can(world: World) -> None:
    """SPEC 9.33"""
    member, other = world.member(), world.member("m-2")
    phone, desk, tablet = (world.session(member) for _ in range(3))
    third_party = world.session(other)
    path = f"/v1/members/{member['id']}/sessions"
    for caller in (world.brand, world.other, phone, world.auditor()):
        assert refusal(caller.get(path)) == (403, "NotYours")
        assert refusal(caller.write(path, method=END)) == (403, "NotYours")
        assert refusal(caller.write(f"{path}/{id_of(phone)}", method=END)) == (403, "NotYours")
    assert refusal(world.anyone.write(path, method=END)) == (401, "KeyMissing")
    assert refusal(world.operator.write(f"{path}/{id_of(third_party)}", method=END)) == (404, "SessionUnknown")
    nobody = f"/v1/members/mem_{0:032x}/sessions"
    assert refusal(world.operator.write(nobody, method=END)) == (404, "MemberUnknown")
    assert set(ids(world.operator, path)) == {id_of(phone), id_of(desk), id_of(tablet)}

    one = world.operator.write(f"{path}/{id_of(phone)}", method=END)
    rest = world.operator.write(path, method=END)
    none = world.operator.write(path, method=END)

    assert one.json()["ended_at"] is not None
    assert {ended["id"] for ended in rest.json()["sessions"]} == {id_of(desk), id_of(tablet)}
    assert none.json()["sessions"] == []
    assert [refusal(each.get("/v1/me/view")) for each in (phone, desk, tablet)] == [(401, "SessionExpired")] * 3
    assert third_party.get("/v1/me/sessions").status_code == 200
    assert [act["actor"].split("/")[0] for act in acts(world, "session.ended")] == ["operator"] * 3
    assert all(member["id"] not in orjson.dumps(act).decode() for act in acts(world, "session.ended"))


def test_an_open_stream_ends_with_a_session_that_is_ended(make_world: Worlds) -> None:
    """SPEC 9.13, 9.33: without a request of its own that could be refused."""
    world = make_world(heartbeat=timedelta(milliseconds=100), stream_poll=timedelta(milliseconds=20))
    world.mirror()
    member = world.member()
    caller = world.session(member)
    with served(world) as (url, _), listening(url, caller.key) as events:
        events.until("view")
        world.run("UPDATE member_session SET expires_at_ms = 1, ended_at_ms = 1 WHERE id = :id", id=id_of(caller))
        with pytest.raises(EOFError):
            events.until("nothing that ever comes")


# Operator keys


def keys(world: World, caller: Caller | None = None) -> dict[str, Any]:
    return {key["id"]: key for key in (caller or world.operator).get("/v1/operators/keys").json()["keys"]}


def further(world: World) -> Caller:
    made = world.operator.write("/v1/operators/keys")
    assert made.status_code == 201, made.text
    assert made.json()["prefix"].startswith("moa_o_")
    return Caller(world.client, made.json()["key"], "further")


def test_the_last_operator_key_cannot_be_ended_before_its_successor_is_made(world: World) -> None:
    """SPEC 9.34"""
    own = f"/v1/operators/keys/{id_of(world.operator)}"
    assert refusal(world.operator.write(own, method=END)) == (409, "LastOperatorKey")
    assert world.operator.get("/v1/brands").status_code == 200

    second = further(world)
    ended = world.operator.write(own, method=END)

    assert ended.json()["revoked_at"] is not None
    assert refusal(world.operator.get("/v1/brands")) == (401, "KeyInvalid")
    assert second.write(own, method=END).json() == ended.json() | {"last_used_at": second_look(second, own)}
    assert refusal(second.write(f"/v1/operators/keys/{id_of(second)}", method=END)) == (409, "LastOperatorKey")
    assert [act["subject"] for act in acts(world, "key.revoked")] == [f"key/{id_of(world.operator)}"], "twice is once"


def second_look(caller: Caller, path: str) -> Any:
    return next(
        key["last_used_at"]
        for key in caller.get("/v1/operators/keys").json()["keys"]
        if key["id"] == path.rsplit("/", 1)[1]
    )


def test_only_the_operator_makes_sees_and_ends_operator_keys(world: World) -> None:
    """SPEC 9.34"""
    second = further(world)
    path = f"/v1/operators/keys/{id_of(second)}"
    member = world.session(world.member())
    before = world.everything()
    for caller, refused in (
        (world.anyone, (401, "KeyMissing")), (world.brand, (403, "NotYours")), (member, (403, "NotYours")),
    ):  # fmt: skip
        assert refusal(caller.get("/v1/operators/keys")) == refused
        assert refusal(caller.write("/v1/operators/keys")) == refused
        assert refusal(caller.write(f"{path}/rotate")) == refused
        assert refusal(caller.write(path, method=END)) == refused
    [brand_key] = world.operator.get("/v1/brands/cdnow/keys").json()["keys"]
    for unknown in ("0" * 12, brand_key["id"]):
        assert refusal(world.operator.write(f"/v1/operators/keys/{unknown}", method=END)) == (404, "KeyUnknown")
        assert refusal(world.operator.write(f"/v1/operators/keys/{unknown}/rotate")) == (404, "KeyUnknown")
    assert refusal(world.operator.write(f"/v1/brands/cdnow/keys/{id_of(second)}", method=END)) == (404, "KeyUnknown")
    assert refusal(world.operator.write(f"/v1/auditors/keys/{id_of(second)}", method=END)) == (404, "KeyUnknown")
    assert world.everything() == before
    assert second.get("/v1/brands").status_code == 200


def test_a_rotated_key_opens_until_the_overlap_is_over_and_its_successor_at_once(world: World) -> None:
    """SPEC 9.34"""
    old = id_of(world.operator)
    made = world.operator.write(f"/v1/operators/keys/{old}/rotate", {"overlap_s": 600}, key="rotation")
    successor = Caller(world.client, made.json()["key"], "successor")

    assert successor.get("/v1/brands").status_code == world.operator.get("/v1/brands").status_code == 200
    assert keys(world)[old]["revoked_at"] is not None
    replayed = world.operator.write(f"/v1/operators/keys/{old}/rotate", {"overlap_s": 600}, key="rotation")
    assert (replayed.status_code, replayed.json()["key"]) == (201, None), "the secret is shown once"
    assert refusal(world.operator.write(f"/v1/operators/keys/{old}/rotate")) == (409, "KeyEnded")
    # A key whose end is set is no successor of another.
    last = f"/v1/operators/keys/{id_of(successor)}"
    assert refusal(successor.write(last, method=END)) == (409, "LastOperatorKey")

    world.run("UPDATE api_key SET revoked_at_ms = :past WHERE id = :id", past=int(time.time() * 1000) - 1, id=old)
    assert refusal(world.operator.get("/v1/brands")) == (401, "KeyInvalid")
    [act] = acts(world, "key.revoked")
    assert (act["subject"], act["detail"]["role"], "ends_at" in act["detail"]) == (f"key/{old}", "operator", True)


def test_a_rotation_without_overlap_ends_the_key_at_once_and_one_with_too_much_is_refused(world: World) -> None:
    """SPEC 9.34"""
    old = f"/v1/operators/keys/{id_of(world.operator)}/rotate"
    for wrong in (-1, 604_801, "x"):
        assert refusal(world.operator.write(old, {"overlap_s": wrong})) == (422, "RequestMalformed")
    made = world.operator.write(old, {"overlap_s": 0})

    assert refusal(world.operator.get("/v1/brands")) == (401, "KeyInvalid")
    assert Caller(world.client, made.json()["key"]).get("/v1/brands").status_code == 200


def test_two_who_end_each_others_keys_at_once_leave_one(both: World) -> None:
    """SPEC 9.34"""
    pair = [both.operator, further(both)]
    together = threading.Barrier(2)

    def end(number: int) -> int:
        together.wait()
        answer = pair[number].write(f"/v1/operators/keys/{id_of(pair[1 - number])}", method=END)
        return int(answer.status_code)

    with ThreadPoolExecutor(2) as pool:
        codes = sorted(pool.map(end, range(2)))

    assert codes[0] == 200
    assert codes[1] in (401, 409), "too late to be known, or the other's was the last"
    [(left,)] = both.rows("SELECT COUNT(*) FROM api_key WHERE kind = 'o' AND revoked_at_ms IS NULL")
    assert left == 1


# Commands


def moa(world: World, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--json"], env={"MOA_DATABASE_URL": world.settings.database_url})


def test_commands_see_make_and_end_keys_where_no_key_is_left_to_ask_with(world: World) -> None:
    """SPEC 9.34: whoever may write the database comes in again, and the log says so."""
    own = id_of(world.operator)
    assert [key["id"] for key in orjson.loads(moa(world, "keys", "list").stdout)] == [own]
    last = moa(world, "keys", "revoke", own)
    assert (last.exit_code, "LastOperatorKey" in last.stderr) == (1, True)

    made = orjson.loads(moa(world, "keys", "make").stdout)
    rotated = orjson.loads(moa(world, "keys", "rotate", made["id"], "--overlap-s", "0").stdout)
    ended = moa(world, "keys", "revoke", own)
    unknown = moa(world, "keys", "revoke", "0" * 12)

    assert ended.exit_code == 0, ended.stderr
    assert (unknown.exit_code, "KeyUnknown" in unknown.stderr) == (1, True)
    assert Caller(world.client, rotated["key"]).get("/v1/brands").status_code == 200
    assert refusal(Caller(world.client, made["key"]).get("/v1/brands")) == (401, "KeyInvalid")
    assert {act["actor"] for act in acts(world, "key.revoked")} == {"command/keys-revoke", "command/keys-rotate"}
    assert "command/keys-make" in {act["actor"] for act in acts(world, "key.made")}


def test_commands_see_and_end_sessions(world: World) -> None:
    """SPEC 9.33"""
    member = world.member()
    phone, desk = world.session(member), world.session(member)
    listed = orjson.loads(moa(world, "sessions", "list", member["id"]).stdout)
    one = moa(world, "sessions", "end", member["id"], "--session", id_of(phone))
    rest = moa(world, "sessions", "end", member["id"])
    unknown = moa(world, "sessions", "end", f"mem_{0:032x}")

    assert {session["id"] for session in listed} == {id_of(phone), id_of(desk)}
    assert [len(orjson.loads(each.stdout)) for each in (one, rest)] == [1, 1]
    assert refusal(desk.get("/v1/me/view")) == refusal(phone.get("/v1/me/view")) == (401, "SessionExpired")
    assert (unknown.exit_code, "MemberUnknown" in unknown.stderr) == (1, True)
    assert {act["actor"] for act in acts(world, "session.ended")} == {"command/sessions-end"}


def test_commands_refuse_a_database_that_is_not_the_gateways(tmp_path: Any) -> None:
    """SPEC 7.25"""
    missing = CliRunner().invoke(app, ["keys", "list", "--database", f"sqlite:///{tmp_path}/none.db"])

    assert missing.exit_code == 2
    assert not (tmp_path / "none.db").exists()
