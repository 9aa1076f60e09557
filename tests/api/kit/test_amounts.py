"""Amounts as written: one spelling each, everything else refused by its own name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from api.kit.amounts import AMOUNT_MAX, AMOUNT_PROBLEMS, parse_amount, parse_positive

NAMES = {problem.__name__ for problem in AMOUNT_PROBLEMS}


def refusal(value: object) -> str:
    with pytest.raises(PydanticCustomError) as told:
        parse_positive(value)
    return told.value.type


@given(st.integers(1, AMOUNT_MAX))
def test_every_amount_in_range_is_read_back(amount: int) -> None:
    """SPEC 9.4"""
    assert parse_positive(str(amount)) == amount


@given(st.integers(AMOUNT_MAX + 1, 10**60))
def test_every_amount_above_is_too_large(amount: int) -> None:
    """SPEC 9.4"""
    assert refusal(str(amount)) == "AmountTooLarge"


@given(st.integers(1, 10**60))
def test_every_negative_is_negative(amount: int) -> None:
    assert refusal(f"-{amount}") == "AmountNegative"


@given(st.integers(0, 10**30), st.integers(0, 10**9))
def test_every_fraction_is_fractional(whole: int, part: int) -> None:
    assert refusal(f"{whole}.{part}") == "AmountFractional"


@given(st.text(max_size=60))
def test_any_text_is_an_amount_or_refused_by_a_known_name(text: str) -> None:
    """SPEC 9.4"""
    assert told(text) in NAMES | {text}


def told(text: str) -> str:
    """The amount as we would write it, or the name of the refusal."""
    try:
        return str(parse_amount(text))
    except PydanticCustomError as refused:
        return refused.type


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.binary(), st.lists(st.text())))
def test_anything_that_is_no_text_is_malformed(value: object) -> None:
    """SPEC 9.4"""
    assert refusal(value) == "AmountMalformed"


def test_the_bounds_themselves() -> None:
    assert parse_amount("0") == 0
    assert refusal("0") == "AmountZero"
    assert parse_amount(str(AMOUNT_MAX)) == AMOUNT_MAX
    assert refusal("9" * 10_000) == "AmountTooLarge"
