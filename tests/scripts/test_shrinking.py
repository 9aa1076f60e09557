"""The search that the simulation and the differential test use: it ends, and what it keeps cannot be made less."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.shrinking import shrink


def least(parts: list[int], needed: set[int], *, budget_s: float = 60.0) -> tuple[list[int], int]:
    """What is left of parts of which only these are needed to fail, and how often it was tried."""
    tried = 0

    def without(left: list[int], start: int, end: int) -> list[int] | None:
        nonlocal tried
        tried += 1
        assert 0 <= start < end <= len(left), "something is left out each time"
        less = left[:start] + left[end:]
        return less if needed <= set(less) else None

    return shrink(parts, length=len, without=without, budget_s=budget_s), tried


@given(st.data(), st.integers(0, 60))
def test_only_what_is_needed_is_left(data: st.DataObject, count: int) -> None:
    needed = data.draw(st.sets(st.integers(0, count - 1), max_size=5)) if count else set()

    left, tried = least(list(range(count)), needed)

    assert left == sorted(needed)
    assert tried <= 4 * (count + 1) * (len(needed) + 1)


@pytest.mark.parametrize("budget_s", [0.0, -1.0])
def test_without_time_nothing_is_tried(budget_s: float) -> None:
    assert least([1, 2, 3], {2}, budget_s=budget_s) == ([1, 2, 3], 0)
