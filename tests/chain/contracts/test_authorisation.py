"""What members sign is what the contracts hash: found in their sources."""

from __future__ import annotations

import re
from pathlib import Path

from chain.contracts.authorisation import TYPES

SOURCES = Path(__file__).resolve().parents[3] / "contracts"
# "(" "…" strings, joined where Solidity joins them.
HASHED = re.compile(r'keccak256\(\s*((?:"[^"]+"\s*)+)\)')


def test_every_type_that_is_signed_stands_in_a_contract() -> None:
    """SPEC 6.11, 6.16: Unwind lacked its nonce here, and its signature was good for nobody."""
    hashed = {
        "".join(re.findall('"([^"]+)"', found))
        for source in SOURCES.rglob("*.sol")
        for found in HASHED.findall(source.read_text())
    }

    assert len(TYPES) >= 7
    assert {name: text for name, text in TYPES.items() if text not in hashed} == {}
