"""`Prefer: wait=N`: answered when the operation is confirmed, refused, or the time is up; never longer than bounded."""

from __future__ import annotations

import threading
import time

import pytest

from api.writes.unit_of_work import WAIT_S_MAX, wanted_wait_s
from tests.api.conftest import World, Worlds, purchase


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("respond-async", 0),
        ("wait=0", 0),
        ("wait=1", 1),
        ("wait=30", 30),
        ("wait=31", 30),
        ("wait=9999", 30),
        ("wait=10000", 0),
        ("wait=-1", 0),
        ("wait=1.5", 0),
        ("wait=x", 0),
        ("respond-async, wait=7", 7),
        ("respond-async;wait=7", 7),
        ("await=7", 0),
        ("wait=7x", 0),
    ],
)
def test_a_preference_is_read_and_never_longer_than_thirty_seconds(prefer: str | None, seconds: int) -> None:
    """SPEC 9.9"""
    assert WAIT_S_MAX == 30
    assert wanted_wait_s(prefer) == seconds


def test_a_confirmed_operation_is_answered_with_201_and_its_place_on_the_chain(world: World) -> None:
    """SPEC 9.9"""
    world.member()
    world.settles("state = 'confirmed', tx_hash = '0xaa', block_number = 7, block_hash = '0xbb', log_index = 3")

    answer = world.brand.write("/v1/purchases", purchase(), Prefer="wait=20")

    assert answer.status_code == 201, answer.text
    operation = answer.json()["operation"]
    assert operation["state"] == "confirmed"
    assert (operation["receipt"]["tx_hash"], operation["receipt"]["block_number"]) == ("0xaa", 7)
    assert answer.headers["preference-applied"] == "wait=20"


@pytest.mark.parametrize("state", ["queued", "assigned", "sent", "mined"])
def test_an_operation_that_is_not_mirrored_is_not_confirmed(world: World, state: str) -> None:
    """SPEC 9.9: mined is not enough."""
    world.member()
    world.settles(f"state = '{state}'")

    answer = world.brand.write("/v1/purchases", purchase(), Prefer="wait=1")

    assert (answer.status_code, answer.json()["operation"]["state"]) == (202, state)


def test_without_the_preference_nobody_waits(world: World) -> None:
    """SPEC 9.9"""
    world.member()
    world.settles("state = 'confirmed'")

    answer = world.brand.write("/v1/purchases", purchase())

    assert answer.status_code == 202
    assert "preference-applied" not in answer.headers


def test_a_replay_that_waits_is_told_what_became_of_it(world: World) -> None:
    """SPEC 9.9, 9.5"""
    world.member()
    assert world.brand.write("/v1/purchases", purchase(), key="k").status_code == 202
    world.finish("award", "confirmed")

    again = world.brand.write("/v1/purchases", purchase(), key="k", Prefer="wait=20")

    assert (again.status_code, again.json()["operation"]["state"]) == (201, "confirmed")


def test_more_waiters_than_a_process_has_room_for_are_answered_at_once(make_world: Worlds) -> None:
    """SPEC 9.9"""
    world = make_world(waiters_max=0)
    world.member()
    began = time.monotonic()

    answer = world.brand.write("/v1/purchases", purchase(), Prefer="wait=30")

    assert answer.status_code == 202
    assert time.monotonic() - began < WAIT_S_MAX / 2


def test_who_waits_hears_of_the_confirmation_while_waiting(world: World) -> None:
    """SPEC 9.9"""
    world.member()
    answers = []
    waiting = threading.Thread(
        target=lambda: answers.append(world.brand.write("/v1/purchases", purchase(), Prefer="wait=30"))
    )
    waiting.start()
    deadline = time.monotonic() + 20
    while not world.rows("SELECT id FROM operation"):
        assert time.monotonic() < deadline, "the operation was never written"
        time.sleep(0.01)
    world.finish("award", "confirmed")
    waiting.join(25)

    assert not waiting.is_alive()
    assert [answer.status_code for answer in answers] == [201]
