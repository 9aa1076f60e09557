"""The search for less that still fails: parts are left out, first halves, at last single ones, as long as it does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def shrink(failing: T, *, length: Callable[[T], int], without: Callable[[T, int, int], T | None], budget_s: float) -> T:
    """The least found within the budget.

    length: how many parts may be left out. without: what is left without the parts from the second argument to the
    third, if that is less and still fails; else None.
    """
    until = time.monotonic() + budget_s
    size = max(1, length(failing) // 2)
    while time.monotonic() < until:
        start, shorter = 0, False
        while start < length(failing) and time.monotonic() < until:
            less = without(failing, start, min(start + size, length(failing)))
            if less is None:
                start += size
            else:
                failing, shorter = less, True
        if size == 1 and not shorter:
            break
        size = max(1, size // 2)
    return failing
