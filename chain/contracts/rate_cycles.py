"""Agreements that together make points out of nothing: a round of exchanges whose product is above one.

[Agreement(1, 2, Fraction(12)), Agreement(2, 1, Fraction(1, 11))]  →  a round that makes 12/11 of each point
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

BPS: Final = 10_000
# Further rounds are found by leaving an agreement of the last one out; more than these tell nothing new.
ROUNDS_MAX: Final = 32


@dataclass(frozen=True, slots=True)
class Rate:
    """Points of the brand entered for a point of the brand left, fee taken off, nothing rounded."""

    agreement_id: int
    from_brand_id: int
    to_brand_id: int
    out: Fraction


@dataclass(frozen=True, slots=True)
class Round:
    """Exchanges one after the other that end at the brand where they began, with `product` points for one."""

    rates: tuple[Rate, ...]
    product: Fraction


def rate(agreement_id: int, from_brand_id: int, to_brand_id: int, terms: dict[str, str]) -> Rate:
    """An agreement's rate by its terms, as its events have them."""
    gross = Fraction(int(terms["numerator"]), int(terms["denominator"]))
    return Rate(agreement_id, from_brand_id, to_brand_id, gross * (BPS - int(terms["feeBps"])) / BPS)


def gaining(rates: Sequence[Rate]) -> list[Round]:
    """Rounds whose product is above one, at most ROUNDS_MAX; empty exactly when there is none."""
    left, found = list(rates), list[Round]()
    while len(found) < ROUNDS_MAX and (one := _gaining(left)) is not None:
        found.append(one)
        left.remove(one.rates[0])
    return found


def _gaining(rates: Sequence[Rate]) -> Round | None:
    """Bellman and Ford's search, with products of fractions in the place of sums."""
    brands = {brand for each in rates for brand in (each.from_brand_id, each.to_brand_id)}
    best = dict.fromkeys(brands, Fraction(1))
    by: dict[int, Rate] = {}
    last = None
    for _ in brands:
        last = None
        for each in rates:
            if best[each.from_brand_id] * each.out > best[each.to_brand_id]:
                best[each.to_brand_id] = best[each.from_brand_id] * each.out
                by[each.to_brand_id] = each
                last = each.to_brand_id
    # What still grows after as many turns as there are brands hangs on a round.
    return None if last is None else _round_before(last, by, len(brands))


def _round_before(brand: int, by: dict[int, Rate], brands: int) -> Round:
    for _ in range(brands):
        brand = by[brand].from_brand_id
    rates, product, at = list[Rate](), Fraction(1), brand
    while not rates or at != brand:
        rates.insert(0, by[at])
        product *= by[at].out
        at = by[at].from_brand_id
    return Round(tuple(rates), product)
