"""The deployment's file, as it should not be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from chain.base.errors import DeploymentMismatch
from chain.contracts.deployment import Deployment

GOOD: dict[str, Any] = {
    "chain_id": 5,
    "start_block": 1,
    "genesis_hash": "0x" + "00" * 32,
    "contracts": {"RewardRules": {"address": "0x" + "AB" * 20, "bytecode_hash": "0x" + "cd" * 32}},
    "cover_bps": 10_000,
}


def test_a_file_is_read_in_lower_case(tmp_path: Path) -> None:
    """SPEC 12.8"""
    (tmp_path / "5.json").write_bytes(orjson.dumps(GOOD))

    assert Deployment.load(tmp_path, 5).address("RewardRules") == "0x" + "ab" * 20


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b"{}",
        b"\xff",
        *(orjson.dumps({**GOOD, name: value}) for name in GOOD for value in (None, "zz", [], {"x": {}})),
        orjson.dumps({**GOOD, "chain_id": 6}),
        orjson.dumps({**GOOD, "contracts": {"RewardRules": {"address": "0x12", "bytecode_hash": "0x" + "cd" * 32}}}),
        orjson.dumps({**GOOD, "contracts": {"RewardRules": {"address": "0x" + "ab" * 20, "bytecode_hash": "zz"}}}),
    ],
)
def test_a_file_that_is_no_deployment_of_this_chain_is_refused(tmp_path: Path, content: bytes) -> None:
    """SPEC 12.8"""
    (tmp_path / "5.json").write_bytes(content)

    with pytest.raises(DeploymentMismatch):
        Deployment.load(tmp_path, 5)
