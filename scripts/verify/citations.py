"""Every rule of SPECIFICATION.md is cited by a test, and every rule that is cited exists.

A test cites by number: `SPEC 2.4`, `SPEC 1.8, 3.6`, in Python, Solidity or TypeScript. A rule that says what words mean
or how something is built, so that no test can fail by it alone, is marked in SPECIFICATION.md itself: its sentence
ends with `*(definition)*`. A mark on a rule that is cited is one too many. DECISIONS.md is looked at as well: numbers
count up from 1, each with its status. Ends with 0 only if nothing is found.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SPECIFICATION = ROOT / "SPECIFICATION.md"
DECISIONS = ROOT / "DECISIONS.md"
PLACES = (("tests", "*.py"), ("tests", "*.sol"), ("wallet/src", "*.test.ts"), ("wallet/src", "*.test.tsx"))
MARK = "*(definition)*"
RULE = re.compile(r"^(?:- )?(?:\*\*)?(\d+\.\d+)(?:\*\*)? (.*)$")
CITED = re.compile(r"SPEC (\d+\.\d+(?:(?:, | and )\d+\.\d+)*)")
NUMBER = re.compile(r"\d+\.\d+")
DECISION = re.compile(r"^## (?:(\d+)\. )?(.*)\n(?:\*(In force|Replaced by (\d+))\.\*\n)?", re.MULTILINE)


def rules(text: str) -> list[tuple[str, bool]]:
    """(number, whether it is marked as a definition) of every rule, in order."""
    found = (RULE.match(line) for line in text.splitlines())
    return [(one[1], one[2].rstrip().endswith(MARK)) for one in found if one]


def cited(text: str) -> set[str]:
    """The numbers that a text cites."""
    return {number for numbers in CITED.findall(text) for number in NUMBER.findall(numbers)}


def findings(specification: str, tests: Mapping[str, str]) -> list[str]:
    """What is wrong between a specification and the texts of tests by their names."""
    known = rules(specification)
    times = Counter(number for number, _ in known)
    where: dict[str, list[str]] = {}
    for name, text in tests.items():
        for number in cited(text):
            where.setdefault(number, []).append(name)
    found = [f"SPEC {number} stands {count} times" for number, count in times.items() if count > 1]
    for number, defines in known:
        if number not in where and not defines:
            found.append(f"SPEC {number} is cited by no test and is not marked {MARK}")
        elif number in where and defines:
            found.append(f"SPEC {number} is marked {MARK} and cited in {where[number][0]}")
    for number in sorted(where.keys() - times.keys(), key=_order):
        found.append(f"SPEC {number} does not exist and is cited in {', '.join(sorted(where[number]))}")
    return found


def undecided(decisions: str) -> list[str]:
    """What is wrong with the numbers and the status of the decisions."""
    found = []
    every = [(number, title, status, other) for number, title, status, other in DECISION.findall(decisions)]
    for place, (number, title, status, other) in enumerate(every, 1):
        if number != str(place):
            found.append(f"DECISIONS: {title!r} stands at {place} and has number {number or 'none'}")
        if not status:
            found.append(f"DECISIONS {place} has no status: *In force.* or *Replaced by N.*")
        if other and not 1 <= int(other) <= len(every):
            found.append(f"DECISIONS {place} is replaced by {other}, which does not exist")
    return found


def texts() -> dict[str, str]:
    """Every file that may cite."""
    files: Iterable[Path] = (path for folder, pattern in PLACES for path in (ROOT / folder).rglob(pattern))
    return {str(path.relative_to(ROOT)): path.read_text() for path in sorted(files)}


def _order(number: str) -> tuple[int, ...]:
    return tuple(map(int, number.split(".")))


def main() -> int:
    """Says what is wrong, or how many rules there are."""
    specification = SPECIFICATION.read_text()
    found = findings(specification, texts()) + undecided(DECISIONS.read_text())
    for line in found:
        print(line)
    known = rules(specification)
    definitions = sum(defines for _, defines in known)
    print(f"citations: {len(known)} rules, {definitions} of them definitions, {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
