"""Runs Slither and holds its high and medium findings against the reasons in tests/slither/reasons.toml.

A reason belongs to a detector and a place (`Contract.function`). Ends with 0 only if every finding has one and no
reason is left over.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from scripts.verify import tree

REASONS = tree.ROOT / "tests" / "slither" / "reasons.toml"
SLITHER = tree.ROOT / ".venv-slither" / "bin" / "slither"
SERIOUS = ("High", "Medium")


def findings() -> list[dict[str, Any]]:
    """All serious findings, as Slither tells them. It works on a copy: its build is not the tests' build."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder)
        tree.copy(target, "slither")
        report = target / "slither.json"
        result = tree.run(
            target,
            str(SLITHER),
            *(".", "--foundry-out-directory", "build/forge/out", "--filter-paths", "node_modules"),
            *("--exclude-informational", "--exclude-optimization", "--exclude-low", "--json", str(report)),
        )
        if not report.exists():
            print(result.output)
            raise SystemExit("Slither did not finish.")
        answer = json.loads(report.read_text())
    if not answer["success"]:
        raise SystemExit(f"Slither failed: {answer['error']}")
    return [found for found in answer["results"].get("detectors", []) if found["impact"] in SERIOUS]


def place(found: dict[str, Any]) -> str:
    """`Contract.function` of a finding: the first that its description names."""
    named = re.search(r"(\w+)\.(\w+)", found["description"])
    return named[0] if named else found["description"].split()[0]


def main() -> int:
    """Prints what has no reason, and reasons for nothing."""
    reasons: dict[str, dict[str, Any]] = tomllib.loads(REASONS.read_text())
    given = {(check, where) for check, entry in reasons.items() for where in entry["places"]}
    seen: dict[tuple[str, str], dict[str, Any]] = {}
    for found in findings():
        seen[found["check"], place(found)] = found
    for key in sorted(seen.keys() - given):
        print(f"  no reason for {seen[key]['impact']} {key[0]} in {key[1]}: {seen[key]['description'].splitlines()[0]}")
    for check, where in sorted(given - seen.keys()):
        print(f"  the reason for {check} in {where} is not needed any more")
    if "--show" in sys.argv:
        for check, where in sorted(seen):
            print(f"  {check} {where}")
    loose = seen.keys() ^ given
    print(
        f"slither: {len(seen)} high or medium findings, each with a written reason"
        if not loose
        else f"slither: {len(loose)} to settle"
    )
    return 1 if loose else 0


if __name__ == "__main__":
    sys.exit(main())
