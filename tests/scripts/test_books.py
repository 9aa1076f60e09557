"""`moa books --json`: what a machine reads of the books."""

from __future__ import annotations

import orjson

from chain.books import BrandBooks, Difference
from scripts.books import told


def test_books_are_json_values_with_amounts_as_strings() -> None:
    """SPEC 11.12"""
    brand = BrandBooks("cdnow", "0xc1", 100, 100, 90, 5, 3, (Difference("0xaa", 2**60, 1),))

    assert orjson.loads(orjson.dumps(told(brand))) == {
        "brand": "cdnow",
        "token": "0xc1",
        "supply_on_chain": "100",
        "sum_on_chain": "100",
        "sum_in_mirror": "90",
        "held": "5",
        "drift": str(2**60 - 1),
        "accounts": 3,
        "differences": [{"account": "0xaa", "on_chain": str(2**60), "in_mirror": "1"}],
    }
