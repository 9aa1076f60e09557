"""Every bound of the terms of agreements, rules and tokens, at itself and beyond, as the rules list them."""

from dataclasses import fields, replace
from typing import Any

import pytest

from chain.model.agreements import AgreementTerms
from chain.model.call import NOBODY
from chain.model.errors import AddressMissing, AgreementTermsInvalid, RuleTermsInvalid, TermsInvalid, TreasuryUnfit
from chain.model.policy import Policy
from chain.model.registry import Invitation
from chain.model.rules import Rounding, RuleKind, RuleTerms

GOOD = AgreementTerms(1, 1, 0, 10, 10, 1, 1, 3_600, 1, 0)
BOUNDS = {
    "numerator": (1, 2**48 - 1),
    "denominator": (1, 2**48 - 1),
    "fee_bps": (0, 5_000),
    "daily_cap": (0, 2**48 - 1),
    "exposure_cap": (0, 2**96 - 1),
    "value_numerator": (1, 2**64 - 1),
    "value_denominator": (1, 2**32 - 1),
    "notice_s": (3_600, 31_536_000),
    "minimum_in": (1, 2**40 - 1),
    "unwind_s": (0, 31_622_400),
}


def test_every_term_has_its_bounds() -> None:
    assert [one.name for one in fields(AgreementTerms)] == list(BOUNDS)


@pytest.mark.parametrize("field", BOUNDS)
def test_a_term_may_be_at_its_bounds_and_not_beyond(field: str) -> None:
    """SPEC 4.1"""
    least, most = BOUNDS[field]
    for good in (least, most):
        replace(GOOD, **{field: good}).check()
    # Nothing is below 0: numbers are unsigned on the chain.
    for bad in (one for one in (least - 1, most + 1) if one >= 0):
        with pytest.raises(AgreementTermsInvalid):
            replace(GOOD, **{field: bad}).check()


HASH = "0x" + "00" * 32
RATE = RuleTerms(HASH, RuleKind.RATE, Rounding.DOWN, 1, 1, 0, 0, 0, 0, 2**40 - 1, 3_600, HASH)
FIXED = replace(RATE, kind=RuleKind.FIXED)
CORRECTION = replace(RATE, kind=RuleKind.CORRECTION, cap_per_award=9, cap_per_member_day=9)
OF_EACH = {
    "budget": (0, 2**56 - 1),
    "end": (1, 2**40 - 1),
    "notice_s": (3_600, 31_536_000),
    "return_window_s": (0, 31_536_000),
    "lock_s": (0, 31_536_000),
    "day_start": (0, 86_399),
}
OF_RULES: list[tuple[RuleTerms, dict[str, tuple[int, int]]]] = [
    (RATE, {**OF_EACH, "numerator": (1, 2**48 - 1), "denominator": (1, 2**48 - 1), "cap_per_award": (0, 2**48 - 1),
            "cap_per_member_day": (0, 2**48 - 1), "second_above": (0, 0)}),
    (FIXED, {**OF_EACH, "numerator": (1, 2**48 - 1), "denominator": (1, 1), "cap_per_award": (0, 2**48 - 1),
             "cap_per_member_day": (0, 2**48 - 1), "second_above": (0, 0)}),
    (CORRECTION, {**OF_EACH, "numerator": (1, 1), "denominator": (1, 1), "cap_per_award": (1, 2**48 - 1),
                  "cap_per_member_day": (1, 2**48 - 1), "second_above": (0, 9)}),
]  # fmt: skip
EACH_OF_RULES = [(good, field, *bounds) for good, table in OF_RULES for field, bounds in table.items()]


@pytest.mark.parametrize(("good", "field", "least", "most"), EACH_OF_RULES)
def test_a_rules_term_may_be_at_its_bounds_and_not_beyond(good: RuleTerms, field: str, least: int, most: int) -> None:
    """SPEC 2.1"""
    for fine in (least, most):
        replace(good, **{field: fine}).check()  # type: ignore[arg-type]
    for bad in (one for one in (least - 1, most + 1) if one >= 0):
        with pytest.raises(RuleTermsInvalid):
            replace(good, **{field: bad}).check()  # type: ignore[arg-type]


def test_a_rule_ends_after_it_begins() -> None:
    """SPEC 2.1"""
    replace(RATE, start=8, end=9).check()
    for start in (9, 10):
        with pytest.raises(RuleTermsInvalid) as refused:
            replace(RATE, start=start, end=9).check()
        assert refused.value.values() == ("end",)


@pytest.mark.parametrize(
    ("rounding", "base", "points"),
    [
        (Rounding.DOWN, 7, 4), (Rounding.NEAREST, 7, 5), (Rounding.UP, 7, 5), (Rounding.NEAREST, 6, 4),
        (Rounding.UP, 6, 4), (Rounding.DOWN, 0, 0), (Rounding.UP, 0, 0), (Rounding.NEAREST, 4, 3),
    ],
)  # fmt: skip
def test_a_rate_is_cut_to_its_cap_and_a_standing_is_of_what_is_left(rounding: Rounding, base: int, points: int) -> None:
    """SPEC 2.9, 2.10, 2.24"""
    terms = replace(RATE, rounding=rounding, numerator=2, denominator=3)
    assert terms.points(base) == terms.paid(base) == terms.standing(base + 2, 2) == points * (base > 0)
    assert replace(terms, cap_per_award=3).paid(base) == min(points, 3)
    assert (terms.standing(base, base), terms.standing(base, base + 1)) == (0, 0)


def test_a_fixed_award_is_the_same_for_every_amount() -> None:
    """SPEC 2.9"""
    terms = replace(FIXED, numerator=5)
    assert (terms.points(0), terms.points(10**9), replace(terms, cap_per_award=4).paid(1)) == (5, 5, 4)


OWNER, TREASURY, HOUSE = ("0x" + digit * 40 for digit in "123")
INVITED = Invitation("N", "S", 3_600, 1, 0, Policy.OPEN, OWNER, TREASURY, HASH)


@pytest.mark.parametrize(
    ("good", "bad", "field"),
    [
        ({"name": "é" * 32}, {"name": "é" * 32 + "n"}, "name"),
        ({"name": "N"}, {"name": ""}, "name"),
        ({"symbol": "S" * 11}, {"symbol": "S" * 12}, "symbol"),
        ({"symbol": "S"}, {"symbol": ""}, "symbol"),
        ({"epoch_s": 3_600}, {"epoch_s": 3_599}, "epochSeconds"),
        ({"epoch_s": 31_622_400}, {"epoch_s": 31_622_401}, "epochSeconds"),
        ({"lifetime_epochs": 15}, {"lifetime_epochs": 16}, "lifetimeEpochs"),
        ({"grace_s": 15 * 3_600}, {"grace_s": 15 * 3_600 + 1}, "graceSeconds"),
        ({"lifetime_epochs": 0}, {"lifetime_epochs": 0, "grace_s": 1}, "graceSeconds"),
        ({}, {"name": "", "symbol": "", "epoch_s": 0}, "name"),
    ],
)
def test_a_tokens_terms_may_be_at_their_bounds_and_not_beyond(
    good: dict[str, Any], bad: dict[str, Any], field: str
) -> None:
    """SPEC 1.2"""
    replace(INVITED, **good).check(HOUSE)
    with pytest.raises(TermsInvalid) as refused:
        replace(INVITED, **bad).check(HOUSE)
    assert refused.value.values() == (field,)


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        ({"owner": NOBODY}, AddressMissing), ({"treasury": NOBODY}, AddressMissing),
        ({"treasury": HOUSE}, TreasuryUnfit),
    ],
)  # fmt: skip
def test_an_invitation_names_an_owner_and_a_treasury_that_is_not_the_house(
    bad: dict[str, str], kind: type[Exception]
) -> None:
    """SPEC 6.4, 6.6"""
    with pytest.raises(kind):
        replace(INVITED, **bad).check(HOUSE)  # type: ignore[arg-type]
