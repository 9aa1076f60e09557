"""The key of a batch: sent again whole or cut off, changed before or after a mark, or longer than it was."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from api.writes.ndjson import END_MARK
from tests.api.conftest import NDJSON, World, Worlds, purchase

CHUNK, LINES = 4, 10


@pytest.fixture
def world(make_world: Worlds) -> World:
    """Marks after lines 1, 4, 8 and 10 of a batch of ten."""
    made = make_world(chunk_lines=CHUNK)
    made.member()
    return made


def batch(count: int = LINES, *, first: int = 1, changed: int | None = None) -> bytes:
    """Orders in lines; the one of line `changed` has another amount."""
    lines = [purchase(first + at, amount="1" if at + 1 == changed else "2933") for at in range(count)]
    return b"\n".join(map(orjson.dumps, lines))


def sent(world: World, body: bytes, key: str = "night") -> list[Any]:
    """The statuses of the answered lines, or the error of a refused body."""
    answer = world.brand.write("/v1/purchases", body, key=key, **NDJSON)
    if answer.status_code != 200:
        return [answer.json()["error"]]
    told = [orjson.loads(line) for line in answer.content.splitlines()]
    return [one["problem"]["error"] if one["status"] == "refused" else one["status"] for one in told]


@pytest.mark.parametrize("cut", [1, 4, 5, 9])
def test_a_batch_that_was_cut_off_goes_on_when_it_is_sent_whole(world: World, cut: int) -> None:
    """SPEC 9.8"""
    # What was cut off on the way left no mark of an end: as when the line broke.
    assert sent(world, batch(cut)) == ["accepted"] * cut
    world.run("DELETE FROM idempotent_batch WHERE line = :end", end=END_MARK)

    again = sent(world, batch())

    assert again == ["replayed"] * cut + ["accepted"] * (LINES - cut)
    assert world.everything()["event"] == LINES
    assert sent(world, batch()) == ["replayed"] * LINES


def test_a_shorter_body_under_the_key_counts_nothing_twice(world: World) -> None:
    """SPEC 9.8"""
    assert sent(world, batch()) == ["accepted"] * LINES
    before = world.everything()

    assert sent(world, batch(CHUNK)) == ["replayed"] * CHUNK
    assert world.everything() == before


@pytest.mark.parametrize("changed", [1, 2, 4, 5, 8, 9, 10])
def test_a_changed_line_refuses_its_chunk_and_all_that_follow(world: World, changed: int) -> None:
    """SPEC 9.8"""
    assert sent(world, batch()) == ["accepted"] * LINES
    before = world.everything()
    good = (changed - 1) // CHUNK * CHUNK

    told = sent(world, batch(changed=changed))

    # A body that is refused before anything was answered is refused as a whole.
    refused = min(CHUNK, LINES - good) if good else 1
    assert told == ["replayed"] * good + ["IdempotencyKeyReused"] * refused
    assert world.everything() == before


@pytest.mark.parametrize("more", [1, CHUNK, 3 * CHUNK])
def test_what_goes_on_after_the_end_that_was_marked_is_refused_from_there(world: World, more: int) -> None:
    """SPEC 9.8"""
    assert sent(world, batch()) == ["accepted"] * LINES
    before = world.everything()

    told = sent(world, batch(LINES + more))

    assert told == ["replayed"] * 8 + ["IdempotencyKeyReused"] * min(CHUNK, LINES + more - 8)
    assert world.everything() == before


def test_the_lines_order_is_part_of_the_body(world: World) -> None:
    """SPEC 9.8"""
    lines = batch().splitlines()
    assert sent(world, batch()) == ["accepted"] * LINES

    swapped = [lines[1], lines[0], *lines[2:]]

    assert sent(world, b"\n".join(swapped)) == ["IdempotencyKeyReused"]
    assert sent(world, b"\n".join(swapped), key="another") == ["replayed"] * LINES


def test_two_keys_of_one_brand_share_its_batches_and_two_brands_do_not(world: World) -> None:
    """SPEC 9.5, 9.8"""
    assert sent(world, batch()) == ["accepted"] * LINES
    made = world.operator.write("/v1/brands/cdnow/keys").json()["key"]
    world.member(brand=world.other)

    world.brand.key = made
    assert sent(world, batch(changed=2)) == ["IdempotencyKeyReused"]
    assert sent(world, batch()) == ["replayed"] * LINES
    answer = world.other.write("/v1/purchases", batch(), key="night", **NDJSON)
    statuses = {orjson.loads(line)["status"] for line in answer.content.splitlines()}
    assert statuses in ({"accepted"}, {"refused"})
    assert "IdempotencyKeyReused" not in answer.text
