"""An erasure against everything that happens at once with it, and killed between its last two steps."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from api.identity import merges
from api.kit.clock import now_ms
from api.kit.settings import Settings
from api.members import devices
from api.members.errors import MemberUnknown
from api.privacy import erasure, tasks
from api.vault.sealing import vault_of
from tests.api.auth.test_access import refusal
from tests.api.conftest import World, Worlds, purchase, state_without_node
from tests.api.conftest import both as kind  # noqa: F401
from tests.api.identity.test_who_is_who import merged, vault
from tests.api.privacy.test_privacy import erased, said
from tests.api.sign_in.test_sign_in import ADA, BOB, asked, caller, entered, post

# So long an erasure is given to run past what it should wait for.
AHEAD_S = 0.5


@pytest.fixture
def world(make_world: Worlds) -> World:
    return make_world(outbox_shown=True)


def erase(world: World, member_id: str) -> dict[str, Any]:
    with world.database.write() as session:
        return erasure.erase(
            session, vault(world), world.app.state.moa.keystore, member_ids=[member_id], actor="command/test"
        )


def begun(act: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """What is done in another thread; it has had time to run as far as it gets."""
    told: list[Any] = []

    def run() -> None:
        told.append(act())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(AHEAD_S)
    return thread, told


def alive(world: World) -> list[str]:
    return sorted(one for (one,) in world.rows("SELECT id FROM member WHERE erased_at_ms IS NULL"))


def test_a_device_that_signs_in_while_its_member_is_erased_does_not_outlive_it(world: World) -> None:
    """SPEC 20.7"""
    member = entered(world)["member"]

    with world.database.write() as session:
        devices.begin(session, vault(world), member_id=member, means="email", label=None, access_s=600, device_s=9_000)
        thread, told = begun(lambda: erase(world, member))
        assert told == [], "it waits for who is coming in"
    thread.join()

    assert told[0]["removed"]["devices"] == 2
    for table in ("device", "member_session"):
        assert world.rows(f"SELECT COUNT(*) FROM {table}") == [(0,)], table


def test_who_signs_in_while_being_erased_is_somebody_new(world: World) -> None:
    """SPEC 20.7: the code that was sent opens, but not what is gone."""
    member = entered(world)["member"]
    code = asked(world)

    with world.database.write() as session:
        erasure.erase(session, vault(world), world.app.state.moa.keystore, member_ids=[member], actor="command/test")
        thread, told = begun(lambda: post(world, "sessions", code))
        assert told == []
    thread.join()

    assert told[0].status_code == 201
    assert alive(world) == [told[0].json()["member"]] != [member]


def test_nothing_is_written_for_who_is_erased(world: World) -> None:
    """SPEC 20.7: devices, words, points: by no session, and by no brand that kept the id."""
    world.mirror()
    member = world.member()
    ada = world.session(member)
    world.holds_points(member["address"], 100)
    erased(world, ada)
    before = world.everything()

    with world.database.write() as session, pytest.raises(MemberUnknown):
        devices.begin(
            session, vault(world), member_id=member["id"], means="email", label="x", access_s=600, device_s=9_000
        )
    by_id = {"id": member["id"]}
    assert refusal(said(world.brand, True, path=f"/v1/members/{member['id']}")) == (404, "MemberUnknown")
    hold = {"points": "50", "member": by_id}
    assert refusal(world.brand.write("/v1/holds", hold)) == (404, "MemberUnknown")
    assert refusal(world.brand.write("/v1/purchases", purchase() | {"member": by_id})) == (404, "MemberUnknown")
    assert refusal(world.brand.get(f"/v1/members/{member['id']}")) == (404, "MemberUnknown")
    assert refusal(world.brand.get(f"/v1/members/{member['id']}/view")) == (404, "MemberUnknown")
    assert world.everything() == before


def test_a_merge_at_once_with_an_erasure_is_before_it_or_after_it(world: World) -> None:
    """SPEC 20.7: who became the same person in time is erased too, and nobody else."""
    one, other = entered(world)["member"], entered(world, BOB)["member"]

    with world.database.write() as session:
        merges.merge(session, vault(world), one=one, other=other, reason="support", why={}, actor="command/test")
        # Asked for when it was one member alone.
        thread, told = begun(lambda: erase(world, one))
        assert told == []
    thread.join()

    assert alive(world) == []
    assert len(told[0]["subjects"]) == 2
    assert refusal(merged(world, one, other)) == (404, "MemberUnknown")


def killed(settings: Settings, member_id: str) -> None:
    """A gateway's process that ends by kill -9 once it has destroyed the keys, before it commits."""
    state = state_without_node(settings)
    keys = vault_of(state).keys
    shred = keys.shred

    def last(*subjects: str) -> None:
        shred(*subjects)
        os.kill(os.getpid(), signal.SIGKILL)

    keys.shred = last  # type: ignore[method-assign]
    with state.database.write() as session:
        erasure.erase(session, vault_of(state), state.keystore, member_ids=[member_id], actor="command/test")


def test_an_erasure_killed_before_its_commit_is_finished_whole(world: World) -> None:
    """SPEC 20.8: all keys of the person are gone or none is; and no restart is needed to finish it."""
    ada, bob = entered(world), entered(world, BOB)
    merged(world, ada["member"], bob["member"])
    stays = entered(world, {"kind": "email", "value": "eve@example.org"})
    sealed = {one: bytes(value) for one, value in world.rows("SELECT member_id, sealed FROM identifier_link")}
    process = multiprocessing.get_context("spawn").Process(target=killed, args=(world.settings, ada["member"]))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL, "it came as far as that"
    gone = {ada["member"], bob["member"]}
    assert gone < set(alive(world)), "rolled back"
    assert {one for one, value in sealed.items() if vault(world).open(one, "identifier/email", value) is None} == gone

    erasure.reapply(world.app.state.moa, vault(world))

    assert alive(world) == [stays["member"]]
    assert caller(world, ada).get("/v1/me/view").status_code == 401
    assert entered(world, ADA)["member"] not in gone


def test_an_old_copy_with_an_older_merge_loses_nobody_else(world: World) -> None:
    """SPEC 20.8: of two who were one then and two when one was erased, the other stays."""
    world.mirror()
    ada, bob = entered(world), entered(world, BOB)
    erased(world, caller(world, ada))
    world.run("UPDATE member SET erased_at_ms = NULL WHERE id = :a", a=ada["member"])
    merge = merged(world, ada["member"], bob["member"])
    assert merge.status_code == 201

    assert erasure.reapply(world.app.state.moa, vault(world)) == 1

    assert alive(world) == [bob["member"]]
    kept = caller(world, bob)
    assert kept.get("/v1/me/view").json()["member"]["id"] == bob["member"]
    assert world.rows("SELECT survivor_id, absorbed FROM member WHERE id = :b", b=bob["member"]) == [(None, 0)]


def test_the_hourly_task_finishes_what_another_process_left(world: World) -> None:
    """SPEC 20.8"""
    state, member = world.app.state.moa, entered(world)["member"]
    vault(world).shred(member)

    tasks.hourly(state, at_ms=now_ms())

    assert alive(world) == []
