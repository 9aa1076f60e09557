"""Writes chain/contracts/abi/<Contract>.json from what Brownie compiled: the arrow from contracts to chain."""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = (
    "AccessManager",
    "Badges",
    "ClearingHouse",
    "LoyaltyToken",
    "OpeningBalances",
    "PartnerExchange",
    "PartnerRegistry",
    "ProgrammeGovernor",
    "RedemptionDesk",
    "RewardRules",
    "Snapshots",
)


def export(
    artifacts: Path = ROOT / "build" / "contracts", to: Path = ROOT / "chain" / "contracts" / "abi"
) -> list[Path]:
    """The files written, one item of the ABI a line. Raises FileNotFoundError when a contract was not compiled."""
    to.mkdir(parents=True, exist_ok=True)
    written = []
    for name in CONTRACTS:
        found = artifacts / f"{name}.json"
        if not found.exists():
            found = artifacts / "dependencies" / f"{name}.json"
        abi = json.loads(found.read_text())["abi"]
        lines = ",\n".join(json.dumps(item, sort_keys=True) for item in abi)
        path = to / f"{name}.json"
        path.write_text(f"[\n{lines}\n]\n")
        written.append(path)
    return written


if __name__ == "__main__":
    export()
