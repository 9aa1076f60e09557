"""Rounds of agreements that make points out of nothing are found, and no others."""

from fractions import Fraction
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from chain.contracts.rate_cycles import Rate, gaining, rate

TERMS = {"numerator": "12", "denominator": "1", "feeBps": "200"}


def test_there_and_back_with_a_fee_gains_nothing_and_without_sense_gains() -> None:
    """SPEC 11.17"""
    there = rate(1, 1, 2, TERMS)
    fair = rate(2, 2, 1, {"numerator": "1", "denominator": "13", "feeBps": "200"})
    generous = rate(2, 2, 1, {"numerator": "1", "denominator": "11", "feeBps": "0"})

    assert gaining([there, fair]) == []
    [found] = gaining([there, generous])
    assert found.product == Fraction(12 * 98, 11 * 100) > 1
    assert {each.agreement_id for each in found.rates} == {1, 2}


def test_a_product_of_exactly_one_is_no_gain() -> None:
    """SPEC 11.17"""
    assert gaining([Rate(1, 1, 2, Fraction(7, 3)), Rate(2, 2, 1, Fraction(3, 7))]) == []


@given(
    st.dictionaries(
        st.tuples(st.integers(1, 4), st.integers(1, 4)).filter(lambda pair: pair[0] != pair[1]),
        st.fractions(Fraction(1, 3), Fraction(3), max_denominator=6),
        max_size=12,
    )
)
def test_a_round_is_found_exactly_when_there_is_one(found: dict[tuple[int, int], Fraction]) -> None:
    """SPEC 11.17: every simple round of four brands is tried by hand"""
    rates = [Rate(number, *pair, out) for number, (pair, out) in enumerate(found.items(), 1)]

    def product(path: tuple[int, ...]) -> Fraction:
        whole = Fraction(1)
        for pair in zip(path, (*path[1:], path[0]), strict=True):
            whole *= found.get(pair, Fraction(0))
        return whole

    gains = any(product(path) > 1 for size in (2, 3, 4) for path in permutations((1, 2, 3, 4), size))

    assert bool(gaining(rates)) == gains
    for each in gaining(rates):
        assert each.product > 1
        assert all(one.to_brand_id == two.from_brand_id for one, two in zip(each.rates, each.rates[1:], strict=False))
        assert each.rates[-1].to_brand_id == each.rates[0].from_brand_id
