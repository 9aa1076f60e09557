"""`moa books --json`: what a machine reads of the books."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from chain.mirror.books import BrandBooks, Difference
from scripts.cli.books import show, told
from scripts.stack.brand_names import NamedBrand


def test_books_are_json_values_with_amounts_as_strings() -> None:
    """SPEC 11.12"""
    brand = BrandBooks(1, "0xc1", 100, 100, 90, 5, 3, (Difference("0xaa", 2**60, 1),))

    assert orjson.loads(orjson.dumps(told(brand, [NamedBrand(1, "cdnow", "0xc1")]))) == {
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


@pytest.mark.parametrize("as_json", [True, False])
def test_books_that_cannot_be_compared_are_said_to_be_neither(tmp_path: Path, capsys: Any, as_json: bool) -> None:
    """SPEC 11.12: 1 would say that something drifts."""
    database = f"sqlite:///{tmp_path / 'none.db'}"
    code = show(database_url=database, rpc_url="http://127.0.0.1:1", chain_id=7, deployments=tmp_path, as_json=as_json)

    printed = capsys.readouterr().out
    assert code == 2
    assert not list(tmp_path.iterdir()), "to look makes nothing"
    if as_json:
        assert orjson.loads(printed)["balanced"] is None
