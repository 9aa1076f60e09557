"""Currencies and their base units."""

from __future__ import annotations

import pytest

from api.kit.currency import decimals_of


@pytest.mark.parametrize(("currency", "decimals"), [("USD", 2), ("EUR", 2), ("KRW", 0), ("JPY", 0), ("KWD", 3)])
def test_a_currency_has_the_decimals_of_iso_4217(currency: str, decimals: int) -> None:
    assert decimals_of(currency) == decimals
