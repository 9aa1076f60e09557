"""What a rule or an agreement gives, as the contracts compute it (SPEC 2 and 4). Pure integers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LOT_POINTS_MAX = 2**48 - 1
BPS = 10_000


def award_points(terms: Mapping[str, Any], base_amount: int) -> int:
    """Points of one award under a rule's terms, cut to its cap; budgets and days are not looked at.

    terms: RewardRules.Terms as the mirror keeps them (kind 0 rate, 1 fixed; rounding 0 down, 1 nearest, 2 up).
    """
    numerator, denominator = int(terms["numerator"]), int(terms["denominator"])
    if int(terms["kind"]) == 1:
        points = numerator
    else:
        product = base_amount * numerator
        rounding = int(terms["rounding"])
        if rounding == 0:
            points = product // denominator  # floor
        elif rounding == 1:
            points = (2 * product + denominator) // (2 * denominator)  # half goes up
        else:
            points = -(-product // denominator)  # ceiling
    cap = int(terms["capPerAward"])
    return min(points, cap) if cap else points


def return_terms(terms: Mapping[str, Any]) -> dict[str, Any]:
    """For how many seconds after an award its goods may come back, and what becomes of points spent by then.

    Rules of before there were returns name neither, and take none.
    """
    shortfall = "debt" if int(terms.get("shortfall", 0)) == 1 else "forgive"
    return {"return_window_s": int(terms.get("returnWindow", 0)), "shortfall": shortfall}


def exchange_out(terms: Mapping[str, Any], points_in: int) -> tuple[int, int]:
    """(points out, fee) under an agreement's terms: gross rounded down, fee rounded up and taken from it."""
    gross = points_in * int(terms["numerator"]) // int(terms["denominator"])  # floor
    fee = -(-gross * int(terms["feeBps"]) // BPS)  # ceiling
    return gross - fee, fee
