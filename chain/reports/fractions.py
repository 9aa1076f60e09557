"""Exact shares and prices as text: `3/10`. Never decimals, so that nobody asks which float was meant."""

import re
from fractions import Fraction
from typing import Final

from chain.reports.errors import FractionInvalid

PATTERN: Final = re.compile(r"[0-9]{1,18}(?:/[0-9]{1,18})?")


def fraction_of(text: str) -> Fraction:
    """The fraction written as `numerator/denominator` or a whole number. Raises FractionInvalid."""
    if not PATTERN.fullmatch(text):
        raise FractionInvalid(text)
    numerator, _, denominator = text.partition("/")
    if denominator and not int(denominator):
        raise FractionInvalid(text)
    return Fraction(int(numerator), int(denominator or 1))
