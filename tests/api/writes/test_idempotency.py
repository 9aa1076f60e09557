"""A write counts once: told twice, at once, by two brands, across a restart."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from api.writes.idempotency import hash_of
from tests.api.conftest import Caller, World, Worlds, purchase


def test_same_key_and_body_is_answered_from_what_was_stored(world: World) -> None:
    """SPEC 9.5"""
    world.member()
    first = world.brand.write("/v1/purchases", purchase(), key="k")

    again = world.brand.write("/v1/purchases", purchase(), key="k")

    assert again.status_code == first.status_code == 202
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers


def test_same_key_with_another_body_is_refused_and_changes_nothing(world: World) -> None:
    """SPEC 9.5"""
    world.member()
    world.brand.write("/v1/purchases", purchase(1), key="k")
    before = world.everything()

    answer = world.brand.write("/v1/purchases", purchase(2), key="k")

    assert (answer.status_code, answer.json()["error"]) == (422, "IdempotencyKeyReused")
    assert world.everything() == before


def test_same_key_on_another_route_is_refused(world: World) -> None:
    """SPEC 9.5"""
    world.brand.write("/v1/members", {"identifier": "m-1"}, key="k")

    answer = world.brand.write("/v1/purchases", purchase(), key="k")

    assert (answer.status_code, answer.json()["error"]) == (422, "IdempotencyKeyReused")


def test_two_brands_may_use_the_same_key(world: World) -> None:
    ours = world.brand.write("/v1/members", {"identifier": "m-1"}, key="k")
    theirs = world.other.write("/v1/members", {"identifier": "m-1"}, key="k")

    assert ours.json()["id"] != theirs.json()["id"]


def test_refused_write_leaves_its_key_free(world: World) -> None:
    """SPEC 9.5"""
    refused = world.brand.write("/v1/purchases", purchase(), key="k")
    world.member()

    accepted = world.brand.write("/v1/purchases", purchase(), key="k")

    assert refused.json()["error"] == "MemberUnknown"
    assert accepted.status_code == 202


def test_spacing_and_order_of_fields_do_not_make_another_body() -> None:
    assert hash_of(b'{"a": 1, "b": [2]}') == hash_of(b'{"b":[2],"a":1}')
    assert hash_of(b'{"a": 1}') != hash_of(b'{"a": "1"}')


def test_key_holds_across_a_restart(make_world: Worlds) -> None:
    """SPEC 9.5"""
    world = make_world()
    world.member()
    first = world.brand.write("/v1/purchases", purchase(), key="k")
    world.database.close()
    after = make_world(fresh=False)

    again = Caller(after.client, world.brand.key).write("/v1/purchases", purchase(), key="k")

    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize("round_number", range(3))
def test_the_same_write_many_times_at_once_has_one_effect(world: World, round_number: int) -> None:
    """SPEC 9.5"""
    world.member()
    threads = 8
    together = threading.Barrier(threads)

    def write(_: int) -> Any:
        together.wait()
        return world.brand.write("/v1/purchases", purchase(), key="k")

    with ThreadPoolExecutor(threads) as pool:
        answers = list(pool.map(write, range(threads)))

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert world.rows("SELECT COUNT(*) FROM operation") == [(1,)]


def test_the_same_order_under_many_keys_at_once_is_one_operation(world: World) -> None:
    """SPEC 9.6"""
    world.member()
    threads = 8
    together = threading.Barrier(threads)

    def write(number: int) -> Any:
        together.wait()
        return world.brand.write("/v1/purchases", purchase(), key=f"k-{number}")

    with ThreadPoolExecutor(threads) as pool:
        answers = list(pool.map(write, range(threads)))

    assert len({answer.json()["operation"]["id"] for answer in answers}) == 1
    assert world.rows("SELECT COUNT(*) FROM operation") == [(1,)]


def test_operation_ids_stay_dense_under_concurrent_writes(world: World) -> None:
    """SPEC 9.6"""
    world.member()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: world.brand.write("/v1/purchases", purchase(number)), range(40)))

    assert {answer.status_code for answer in answers} == {202}
    ids = sorted(int(found) for (found,) in world.rows("SELECT operation_id FROM operation"))
    assert ids == list(range(ids[0], ids[0] + 40))
