"""What the contracts can say and be told: addresses, amounts, hashes. No text but a token's name and symbol."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ABI = sorted((Path(__file__).resolve().parents[2] / "chain" / "contracts" / "abi").glob("*.json"))
# Of fixed size: nothing that a person wrote fits in it but by agreement.
PLAIN = re.compile(r"(address|bool|u?int\d+|bytes([1-9]|[12]\d|3[0-2]))(\[\d*\])*")
# What is of any length all the same.
ALLOWED = {
    ("signature", "bytes"),
    ("memberSignature", "bytes"),
    ("walletSignature", "bytes"),
    ("reason", "bytes"),  # of a refused award: the contract's own error
    ("data", "bytes"),  # a call that is announced
    ("data", "bytes[]"),
    # A storage proof against a list of balances: a block's header and nodes of its tries.
    ("header", "bytes"),
    ("account", "bytes[]"),
    ("words", "bytes[][4]"),
    ("name", "string"),  # a token's
    ("symbol", "string"),
    ("uri", "string"),  # what a brand says of its token to everyone (ERC-7572)
    ("label", "string"),  # of a role, in OpenZeppelin's AccessManager
}


def values(of: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """(name, type) of every value, those within tuples too."""
    for one in of:
        if one["type"].startswith("tuple"):
            yield from values(one["components"])
        else:
            yield one["name"], one["type"]


def test_no_event_and_no_call_carries_free_text() -> None:
    """SPEC 6.12"""
    entries = [entry for file in ABI for entry in json.loads(file.read_text()) if entry["type"] != "error"]
    carried = {value for entry in entries for value in values(entry.get("inputs", []))}

    assert len(entries) > 200
    assert {(name, kind) for name, kind in carried if not PLAIN.fullmatch(kind)} == ALLOWED
