"""The gateway's own acts in the log: what is recorded, what is counted, and what is never in it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from api import audit_log
from api.audit_log import names, tallies
from api.audit_log.kinds import KINDS
from api.audit_log.leaves import leaf
from api.audit_log.loop import due, sequencer_of
from api.audit_log.sequencer import GRACE_MS, Sequencer, close_windows, drain
from api.audit_log.tallies import GROUPS_MAX, NOBODY_GROUPS_MAX, Count, Group, Tallies
from api.kit.clock import now_ms
from chain.tlog.errors import LogForked
from tests.api.conftest import NDJSON, Caller, World, Worlds, purchase
from tests.api.conftest import both as kind  # noqa: F401


@pytest.fixture
def world(make_world: Worlds) -> World:
    """Nothing is put in order but by the test, so that it sees each step."""
    return make_world(checkpoint_every=timedelta(0), refusal_window=timedelta(hours=1))


def sequencer(world: World) -> Sequencer:
    return sequencer_of(world.app.state.moa)


def logged(world: World) -> list[dict[str, Any]]:
    """Every act that has happened, in its order; windows are closed at once."""
    with world.database.write() as session:
        close_windows(session.connection(), before_ms=now_ms() + 3_600_000)
    drain(sequencer(world), seconds_max=10)
    return [orjson.loads(leaf) for (leaf,) in world.rows("SELECT leaf FROM log_entry ORDER BY seq")]


def broken(world: World) -> dict[str, str]:
    """What /ready says is wrong, by name."""
    checks = world.client.get("/ready").json()["checks"]
    return {check["name"]: check["detail"] for check in checks if not check["ok"]}


def of(world: World, act: str) -> list[dict[str, Any]]:
    return [one for one in logged(world) if one["act"] == act]


def test_acts_of_the_operator_are_in_the_log_with_their_actor(world: World) -> None:
    """SPEC 14.8"""
    member = world.member()
    made = world.operator.write("/v1/brands/cdnow/keys").json()
    world.operator.write(f"/v1/brands/cdnow/keys/{made['id']}", method="DELETE")
    world.session(member)
    auditor = world.operator.write("/v1/auditors/keys").json()
    operator = f"operator/{world.operator.key.split('_')[2]}"

    told = logged(world)

    assert {"brand.made", "key.made", "gateway.started"} <= {one["act"] for one in told}
    by_operator = [(one["act"], one["subject"]) for one in told if one["actor"] == operator]
    assert by_operator[0] == ("key.made", f"key/{made['id']}")
    assert by_operator[1] == ("key.revoked", f"key/{made['id']}")
    assert by_operator[2][0] == "session.made"
    assert by_operator[3] == ("key.made", f"key/{auditor['id']}")
    assert all(one["version"] == 1 and len(one["salt"]) == 32 for one in told)


def test_replayed_write_is_one_act_and_a_refused_one_none(world: World) -> None:
    """SPEC 14.8"""
    world.operator.write("/v1/brands/cdnow/keys", key="once")
    world.operator.write("/v1/brands/cdnow/keys", key="once")
    world.operator.write("/v1/brands/nobody/keys")

    made = [one for one in of(world, "key.made") if one["actor"].startswith("operator/")]

    assert len(made) == 1
    [refused] = of(world, "request.refused")
    assert refused["detail"]["error"] == "BrandUnknown"
    assert refused["detail"]["route"] == "/v1/brands/{slug}/keys"


def test_refusals_of_known_callers_are_counted_before_they_are_answered(world: World) -> None:
    """SPEC 14.9"""
    member = world.member()
    for _ in range(3):
        assert world.other.get(f"/v1/members/{member['id']}").status_code == 404
    assert world.brand.write(f"/v1/members/{member['id']}/sessions").status_code == 403
    assert world.brand.write("/v1/members", {"identifier": "with space"}).status_code == 422

    counted = {
        (one["actor"].split("/")[1], one["detail"]["error"]): one["detail"] for one in of(world, "request.refused")
    }

    assert counted.keys() == {("beans", "MemberUnknown"), ("cdnow", "NotYours")}
    assert counted["beans", "MemberUnknown"]["count"] == 3
    assert counted["beans", "MemberUnknown"]["route"] == "/v1/members/{member_id}"
    assert counted["beans", "MemberUnknown"]["first_at"] <= counted["beans", "MemberUnknown"]["last_at"]


def test_failed_sign_ins_name_a_key_that_exists_and_no_other(world: World) -> None:
    """SPEC 14.9"""
    key_id = world.brand.key.split("_")[2]
    world.anyone.get("/v1/operations")
    Caller(world.client, f"moa_b_{key_id}_{'A' * 43}").get("/v1/operations")
    Caller(world.client, f"moa_b_{'0' * 12}_{'A' * 43}").get("/v1/operations")
    Caller(world.client, "moa_m_" + "0" * 12 + "_" + "A" * 43).get("/v1/me/view")
    Caller(world.client, "password").get("/v1/operations")

    told = sorted(
        (one["detail"]["error"], one["detail"]["kind"], one["subject"], one["actor"])
        for one in of(world, "signin.failed")
    )

    assert told == [
        ("KeyInvalid", "b", "", "nobody"),
        ("KeyInvalid", "b", f"key/{key_id}", "nobody"),
        ("KeyInvalid", "m", "", "nobody"),
        ("KeyInvalid", "none", "", "nobody"),
        ("KeyMissing", "none", "", "nobody"),
    ]


def test_flood_of_failed_sign_ins_stays_one_row(world: World) -> None:
    """SPEC 14.9"""

    def fail(number: int) -> int:
        status: int = Caller(world.client, f"moa_b_{number:012x}_{'A' * 43}").get("/v1/operations").status_code
        return status

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(fail, range(300)))

    assert statuses == [401] * 300
    assert world.rows("SELECT COUNT(*), SUM(count) FROM act_tally") == [(1, 300)]
    assert world.rows("SELECT COUNT(*) FROM act_pending") == [(0,)] or not of(world, "request.refused")


def test_tallies_hold_a_bounded_number_of_different_things() -> None:
    """SPEC 14.9: what is beyond the bound is counted together, and nothing is lost."""
    kept = Tallies()

    for number in range(GROUPS_MAX + 500):
        kept.put(Group("request.refused", f"brand/b/{number}", "", (("error", "NotYours"),)), 1_000, 60_000)
    for number in range(NOBODY_GROUPS_MAX + 500):
        kept.put(Group("signin.failed", names.NOBODY, f"key/{number}", (("error", "KeyInvalid"),)), 1_000, 60_000)

    assert len(kept.counts) == GROUPS_MAX + NOBODY_GROUPS_MAX + 2
    assert sum(count.count for count in kept.counts.values()) == GROUPS_MAX + NOBODY_GROUPS_MAX + 1_000
    kept.put(Group("signin.failed", names.NOBODY, "key/new", (("error", "KeyInvalid"),)), 61_000, 60_000)
    assert (60_000, Group("signin.failed", names.NOBODY, "key/new", (("error", "KeyInvalid"),))) in kept.counts


def test_refused_lines_of_a_body_are_counted_with_their_chunk(world: World) -> None:
    """SPEC 14.9"""
    world.member("m-1")
    lines = [
        purchase(1),
        purchase(2),
        {**purchase(1), "amount": "9"},
        {**purchase(3), "member": {"identifier": "ghost"}},
    ]
    body = b"\n".join([*map(orjson.dumps, lines), b"nonsense"])

    world.brand.write("/v1/purchases", body, **NDJSON)

    told = {one["detail"]["error"]: one["detail"]["count"] for one in of(world, "lines.refused")}
    assert told == {"PurchaseConflict": 1, "MemberUnknown": 1}


def test_looks_of_a_brand_at_a_member_are_in_the_log_and_a_members_own_are_not(world: World) -> None:
    """SPEC 14.10"""
    world.mirror()
    member = world.member("m-1")
    world.brand.get("/v1/members", identifier="m-1")
    world.brand.get(f"/v1/members/{member['id']}")
    world.brand.get(f"/v1/members/{member['id']}/view")
    world.brand.get(f"/v1/members/{member['id']}/view")
    world.brand.get(f"/v1/members/{member['id']}/entries")
    world.session(member).get("/v1/me/view")

    looks = {one["detail"]["route"]: one["detail"]["count"] for one in of(world, "personal.seen")}

    assert looks == {
        "/v1/members": 1,
        "/v1/members/{member_id}": 1,
        "/v1/members/{member_id}/view": 2,
        "/v1/members/{member_id}/entries": 1,
    }
    subjects = {one["subject"] for one in of(world, "personal.seen")}
    with world.database.engine.connect() as connection:
        assert subjects == {names.name_of(connection, member["id"])}


def test_nothing_personal_is_in_the_log(world: World) -> None:
    """SPEC 14.11"""
    world.mirror()
    member = world.member("jane.doe@example.com")
    session = world.session(member)
    world.brand.get("/v1/members", identifier="jane.doe@example.com")
    world.brand.get("/v1/members", identifier="ghost@example.com")
    world.brand.write("/v1/members", {"identifier": "jane.doe@example.com", "id": "mem_" + "0" * 32})
    session.get("/v1/me/entries", brand="ghost")
    session.write(
        "/v1/exchanges", {"from": "cdnow", "to": "ghost", "points_in": "1", "minimum_out": "1", "agreement_version": 1}
    )
    world.brand.get(f"/v1/members/mem_{'0' * 32}/view")

    text = orjson.dumps(logged(world)).decode()

    assert [one["act"] for one in logged(world)].count("request.refused") >= 4
    for secret in ("jane", "ghost@", "mem_", member["id"][4:], member["address"].lower(), world.brand.key[-20:]):
        assert secret not in text


def test_members_salt_can_be_destroyed_and_the_log_still_holds(world: World) -> None:
    """SPEC 14.11"""
    member = world.member()
    world.session(member)
    before = logged(world)
    with world.database.engine.connect() as connection:
        hidden = names.name_of(connection, member["id"])
    assert hidden in {one["subject"] for one in before}

    with world.database.write() as session:
        assert names.forget(session.connection(), member["id"])
        assert not names.forget(session.connection(), member["id"])

    with world.database.engine.connect() as connection:
        assert names.name_of(connection, member["id"]) is None
    assert logged(world)[: len(before)] == before
    world.session(member)
    assert logged(world)[-1]["subject"] != hidden


def test_field_or_member_that_does_not_belong_is_never_recorded() -> None:
    """SPEC 14.8"""
    good = {"at_ms": 1, "actor": "gateway", "subject": None}
    assert leaf("worker.started", **good, detail={"version": "1"})
    with pytest.raises(AssertionError):
        leaf("worker.started", **good, detail={"e-mail": "jane@example.com"})
    with pytest.raises(AssertionError):
        leaf("worker.started", **good, detail={"version": "mem_" + "0" * 32})
    with pytest.raises(KeyError):
        leaf("worker.slept", **good, detail={})
    assert all(one.sentence.endswith(".") for one in KINDS.values())


def test_act_of_a_transaction_that_rolls_back_never_happened(world: World) -> None:
    """SPEC 14.8"""
    before = len(logged(world))

    with suppress(RuntimeError), world.database.write() as session:
        audit_log.record(session.connection(), "export.made", actor="gateway", what="entries")
        raise RuntimeError

    assert len(logged(world)) == before
    audit_log.record_now(world.database, "export.made", actor="gateway", what="entries", brand=None)
    assert logged(world)[-1]["detail"] == {"what": "entries"}


def test_statement_of_the_operator_is_an_act(world: World) -> None:
    """SPEC 14.8"""
    wanted = {"act": "adjustment.made", "brand": "cdnow", "tx_hash": "0x" + "5a" * 32}

    assert world.operator.write("/v1/log/statements", wanted).status_code == 201
    assert world.operator.write("/v1/log/statements", {**wanted, "brand": "nobody"}).json()["error"] == "BrandUnknown"
    assert world.operator.write("/v1/log/statements", {**wanted, "act": "key.made"}).status_code == 422

    assert [one["detail"] for one in of(world, "adjustment.made")] == [{"brand": "cdnow", "tx_hash": "0x" + "5a" * 32}]


def test_count_that_comes_after_its_window_was_closed_is_a_second_act(world: World) -> None:
    """SPEC 14.9"""
    counts = {(60_000, Group("signin.failed", names.NOBODY, "", (("error", "KeyMissing"),))): Count(2, 60_001, 60_002)}
    for _ in range(2):
        with world.database.write() as session:
            tallies.add(session.connection(), counts)
        logged(world)

    assert [one["detail"]["count"] for one in of(world, "signin.failed")] == [2, 2]


def test_nothing_is_due_when_nothing_happened(world: World) -> None:
    logged(world)
    order = sequencer(world)

    assert order.step().integrated == 0
    assert not world.database.reads(lambda read: due(read, order))
    world.operator.write("/v1/brands/cdnow/keys")
    deadline = time.monotonic() + 20
    while world.rows("SELECT COUNT(*) FROM act_pending") != [(0,)] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert world.rows("SELECT COUNT(*) FROM act_pending") == [(0,)]
    assert GRACE_MS < 10_000


@pytest.mark.parametrize("lie", ["cut", "changed"])
def test_changed_tree_is_never_signed_over(world: World, lie: str) -> None:
    """SPEC 14.13"""
    for _ in range(5):
        world.operator.write("/v1/brands/cdnow/keys")
    logged(world)
    if lie == "cut":
        world.run("UPDATE log_state SET size = size - 2")
    else:
        for level, number, hashes in world.rows("SELECT level, number, hashes FROM log_tile"):
            changed = bytes(len(hashes))
            world.run("UPDATE log_tile SET hashes = :h WHERE level = :l AND number = :n", h=changed, l=level, n=number)
    world.run("INSERT INTO act_pending (leaf) VALUES ('{}')")

    with pytest.raises(LogForked):
        sequencer(world).step()

    assert world.rows("SELECT COUNT(*) FROM act_pending") == [(1,)]
    deadline = time.monotonic() + 20
    while "log" not in (found := broken(world)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "is forked" in found["log"]


def test_memo_that_is_erased_is_an_act(world: World) -> None:
    """SPEC 14.8"""
    world.member("m-1")
    answer = world.brand.write("/v1/purchases", {**purchase(1), "memo": {"item.1": "1 tea, jasmine"}})
    assert answer.status_code == 202, answer.text
    operation = answer.json()["operation"]["id"]

    erased = world.brand.write(f"/v1/operations/{operation}/memo", method="DELETE")

    assert erased.status_code == 200, erased.text
    [act] = of(world, "memo.erased")
    assert act["subject"] == f"operation/{operation}"
    assert "jasmine" not in str(act)


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_words_of_an_erased_memo_are_in_no_file_of_sqlite(world: World) -> None:
    """SPEC 13.9"""
    world.member("m-1")
    answer = world.brand.write("/v1/purchases", {**purchase(1), "memo": {"item.1": "1 tea, jasmine" * 40}})
    files = [Path(f"{world.database.engine.url.database}{end}") for end in ("", "-wal")]
    assert any(b"jasmine" in file.read_bytes() for file in files if file.exists())

    world.brand.write(f"/v1/operations/{answer.json()['operation']['id']}/memo", method="DELETE")

    assert not any(b"jasmine" in file.read_bytes() for file in files if file.exists())
