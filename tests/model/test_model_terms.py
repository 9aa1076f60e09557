"""Every bound of an agreement's terms, at itself and beyond, as the rule lists them."""

from dataclasses import fields, replace

import pytest

from chain.model.agreements import AgreementTerms
from chain.model.errors import AgreementTermsInvalid

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
