"""A hold's short code: digits that a member reads out and a till types, the same in every language.

The last digit is Damm's check digit: one wrong digit, or two neighbours exchanged, is never another hold's code.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

DIGITS: Final = 9
TRIES_MAX: Final = 16
# Damm's table of order 10: a quasigroup without fixed points, whose diagonal is 0.
_TABLE: Final = (
    "0317598642", "7092154863", "4206871359", "1750983426", "6123045978",
    "3674209581", "5869720134", "8945362017", "9438617205", "2581436790",
)  # fmt: skip


def check_digit(digits: str) -> str:
    """The digit that makes a code of these."""
    found = "0"
    for digit in digits:
        found = _TABLE[int(found)][int(digit)]
    return found


def is_code(text: str) -> bool:
    """Whether all digits are there and agree."""
    return len(text) == DIGITS and text.isascii() and text.isdigit() and check_digit(text) == "0"


def fresh(is_taken: Callable[[str], bool]) -> str | None:
    """A code that is free, chosen by chance; None when none of a few tries was."""
    for _ in range(TRIES_MAX):
        digits = f"{secrets.randbelow(10 ** (DIGITS - 1)):0{DIGITS - 1}d}"
        code = digits + check_digit(digits)
        if not is_taken(code):
            return code
    return None
