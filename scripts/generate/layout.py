"""Writes chain/proofs/layout.json from the compiler's storageLayout: where each contract keeps what proofs read."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SOLC = ROOT / "scripts" / "solc" / "solc-v0.8.30"
LIBRARY = "@openzeppelin/contracts/"
TARGETS = {
    "AccessManager": LIBRARY + "access/manager/AccessManager.sol",
    "Badges": "contracts/Badges.sol",
    "ClearingHouse": "contracts/ClearingHouse.sol",
    "LoyaltyToken": "contracts/LoyaltyToken.sol",
    "OpeningBalances": "contracts/OpeningBalances.sol",
    "PartnerExchange": "contracts/PartnerExchange.sol",
    "PartnerRegistry": "contracts/PartnerRegistry.sol",
    "ProgrammeGovernor": "contracts/ProgrammeGovernor.sol",
    "RedemptionDesk": "contracts/RedemptionDesk.sol",
    "RewardRules": "contracts/RewardRules.sol",
    "Snapshots": "contracts/Snapshots.sol",
}
COMPILE_S_MAX = 120


def sources() -> dict[str, dict[str, str]]:
    """Every source the contracts may import, under the name by which they import it."""
    found = {str(path.relative_to(ROOT)): path for path in sorted((ROOT / "contracts").rglob("*.sol"))}
    library = ROOT / "node_modules" / LIBRARY
    found |= {LIBRARY + str(path.relative_to(library)): path for path in sorted(library.rglob("*.sol"))}
    return {name: {"content": path.read_text()} for name, path in found.items() if "/mocks/" not in name}


def compiled() -> dict[str, Any]:
    """{contract: the compiler's storageLayout}. Raises RuntimeError with the compiler's words."""
    wanted = {file: {name: ["storageLayout"]} for name, file in TARGETS.items()}
    request = {
        "language": "Solidity",
        "sources": sources(),
        "settings": {"evmVersion": "shanghai", "outputSelection": wanted},
    }
    done = subprocess.run(
        [str(SOLC), "--standard-json"],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=COMPILE_S_MAX,
        check=True,
    )
    answer = json.loads(done.stdout)
    errors = [item["formattedMessage"] for item in answer.get("errors", ()) if item["severity"] == "error"]
    if errors:
        raise RuntimeError("\n".join(errors))
    return {name: answer["contracts"][file][name]["storageLayout"] for name, file in TARGETS.items()}


class Shapes:
    """The compiler's types with names that do not move when a line of source does."""

    def __init__(self, types: dict[str, Any]):
        self._types = types

    def of(self, name: str) -> dict[str, Any]:
        """A mapping {key, value}, an array {base, count}, a struct {members} or a value {bytes, kind}."""
        kind = self._types[name]
        if kind["encoding"] == "mapping":
            return {"key": self._types[kind["key"]]["label"].split(" ")[0], "value": self.of(kind["value"])}
        if "members" in kind:
            return {"members": {part["label"]: self.place(part) for part in kind["members"]}}
        if "base" in kind and kind["encoding"] == "inplace":
            base = self._types[kind["base"]]
            return {"base": self.of(kind["base"]), "base_bytes": int(base["numberOfBytes"])}
        label = "bytes" if kind["encoding"] == "bytes" else kind["label"].split(" ")[0]
        return {"bytes": int(kind["numberOfBytes"]), "kind": label}

    def place(self, part: dict[str, Any]) -> dict[str, Any]:
        """Where a variable or member begins (slot, offset in bytes from the lowest) and what it is."""
        return {"slot": int(part["slot"]), "offset": part["offset"], "type": self.of(part["type"])}


def export(to: Path = ROOT / "chain" / "proofs" / "layout.json") -> Path:
    """The file written: {contract: {variable: place}}."""
    layouts = {
        name: {item["label"]: Shapes(layout["types"]).place(item) for item in layout["storage"]}
        for name, layout in sorted(compiled().items())
    }
    to.write_text(
        "{\n" + ",\n".join(f"{json.dumps(name)}: {shown(layout)}" for name, layout in layouts.items()) + "\n}\n"
    )
    return to


def shown(layout: dict[str, Any]) -> str:
    """One variable a line, so that a change of layout is a change of its line."""
    lines = ",\n".join(f"  {json.dumps(label)}: {json.dumps(place, sort_keys=True)}" for label, place in layout.items())
    return "{\n" + lines + "\n}"


if __name__ == "__main__":
    export()
