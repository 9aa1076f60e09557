"""A purchase that is repeated, with the memo that it had, another one, none, or one that was erased meanwhile."""

from __future__ import annotations

import orjson
import pytest

from api.events.memos import FIELDS_MAX, MEMO_BYTES_MAX, VALUE_CHARS_MAX
from tests.api.conftest import NDJSON, World, purchase

TEA, COFFEE = {"item.1": "1 tea, jasmine"}, {"item.1": "1 coffee"}
MORE = {**TEA, "item.2": "1 cup"}
MEMOS = {"none": None, "tea": TEA, "coffee": COFFEE, "tea and more": MORE}


@pytest.fixture(scope="module")
def world(shared_world: World) -> World:
    shared_world.member()
    return shared_world


@pytest.fixture
def number(world: World) -> int:
    """An order that is not known yet."""
    return 1 + int(world.rows("SELECT COUNT(*) FROM event")[0][0])


def order(number: int, memo: dict[str, str] | None) -> dict[str, object]:
    return purchase(number, **({} if memo is None else {"memo": memo}))


@pytest.mark.parametrize("again", MEMOS)
@pytest.mark.parametrize("first", MEMOS)
def test_an_order_repeated_with_another_memo_is_another_content(
    world: World, number: int, first: str, again: str
) -> None:
    """SPEC 13.9, 9.6"""
    made = world.brand.write("/v1/purchases", order(number, MEMOS[first]))
    assert made.status_code == 202, made.text
    operations = world.everything()["operation"]

    answer = world.brand.write("/v1/purchases", order(number, MEMOS[again]))

    assert world.everything()["operation"] == operations
    if first == again:
        assert answer.status_code == 202
        assert answer.json()["operation"]["id"] == made.json()["operation"]["id"]
    else:
        assert (answer.status_code, answer.json()["error"]) == (409, "PurchaseConflict")


@pytest.mark.parametrize("again", MEMOS)
@pytest.mark.parametrize("first", MEMOS)
def test_the_same_holds_for_two_lines_of_one_batch(world: World, number: int, first: str, again: str) -> None:
    """SPEC 13.9, 9.6, 9.7"""
    lines = [order(number, MEMOS[first]), order(number + 1, COFFEE), order(number, MEMOS[again])]
    body = b"\n".join(map(orjson.dumps, lines))

    answer = world.brand.write("/v1/purchases", body, **NDJSON)

    one, _, two = (orjson.loads(line) for line in answer.content.splitlines()[:3])
    assert one["status"] == "accepted"
    if first == again:
        assert (two["status"], two["operation"]) == ("replayed", one["operation"])
    else:
        assert (two["status"], two["problem"]["error"]) == ("refused", "PurchaseConflict")


@pytest.mark.parametrize("again", MEMOS)
def test_an_order_whose_memo_was_erased_is_known_whatever_memo_it_comes_with(
    world: World, number: int, again: str
) -> None:
    """SPEC 13.9: nothing is kept by which another memo could be told."""
    made = world.brand.write("/v1/purchases", order(number, TEA)).json()["operation"]["id"]
    assert world.brand.write(f"/v1/operations/{made}/memo", method="DELETE").status_code == 200

    answer = world.brand.write("/v1/purchases", order(number, MEMOS[again]))

    assert answer.status_code == 202, answer.text
    assert answer.json()["operation"]["id"] == made
    assert world.rows("SELECT fields FROM memo WHERE operation = :o", o=int(made)) == [("[]",)]


@pytest.mark.parametrize(
    ("memo", "error"),
    [
        ({f"item.{index}": "x" for index in range(FIELDS_MAX)}, None),
        ({f"item.{index}": "x" for index in range(FIELDS_MAX + 1)}, "MemoTooLarge"),
        ({"item": "x" * VALUE_CHARS_MAX}, None),
        ({"item": "x" * (VALUE_CHARS_MAX + 1)}, "MemoTooLarge"),
        ({f"{index}".rjust(4, "a"): "x" * 1_020 for index in range(MEMO_BYTES_MAX // 1_024)}, None),
        ({f"{index}".rjust(4, "a"): "x" * 1_021 for index in range(MEMO_BYTES_MAX // 1_024)}, "MemoTooLarge"),
        ({"item": "é" * VALUE_CHARS_MAX}, None),
        ({f"item.{index}": "é" * VALUE_CHARS_MAX for index in range(4)}, "MemoTooLarge"),
        ({"a" * 64: "x"}, None),
        ({"a" * 65: "x"}, "MemoMalformed"),
        ({"1item": "x"}, "MemoMalformed"),
        ({"Item": "x"}, "MemoMalformed"),
        ({"": "x"}, "MemoMalformed"),
        ({"item": ""}, "MemoMalformed"),
        ({"item": "a\x00b"}, "CharacterRefused"),
        ({"item": "a\nb"}, None),
    ],
)
def test_a_memos_bounds_are_met_to_the_field_the_character_and_the_byte(
    world: World, number: int, memo: dict[str, str], error: str | None
) -> None:
    """SPEC 13.9"""
    before = world.everything()

    answer = world.brand.write("/v1/purchases", order(number, memo))

    if error is None:
        assert answer.status_code == 202, answer.text
    else:
        assert (answer.status_code, answer.json()["error"]) == (422, error)
        assert world.everything() == before
