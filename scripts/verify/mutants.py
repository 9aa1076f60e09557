"""Breaks the contracts on purpose, one fault at a time, and shows that a named test notices each.

Each patch in tests/mutants says what it breaks and which test catches it: `Caught by: <contract>.<test>`. The
tests must pass on the unbroken copy first. Ends with 0 only if every patch applies and every mutant is caught.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from scripts.verify import tree

MUTANTS = tree.ROOT / "tests" / "mutants"
# The issue that asked for them wants eight at least.
MUTANTS_LEAST = 8
WORKERS = 2
SEED = "0x6d6f61"


@dataclass(frozen=True)
class Mutant:
    """One fault: its patch, what it breaks, and who catches it."""

    file: Path
    says: str
    contract: str
    test: str

    @property
    def name(self) -> str:
        return self.file.stem


def read(file: Path) -> Mutant:
    """A patch with its two lines of heading."""
    says, caught, *_ = file.read_text().splitlines()
    found = re.fullmatch(r"Caught by: (\w+)\.(\w+)", caught)
    if found is None:
        raise SystemExit(f"{file.name}: the second line must be 'Caught by: <contract>.<test>'.")
    return Mutant(file, says, found[1], found[2])


def forge(target: Path, contract: str, tests: str) -> tree.Run:
    """Runs tests of one contract."""
    file = f"tests/forge/{contract.removesuffix('Test')}.t.sol"
    return tree.run(
        target,
        *(
            "forge",
            "test",
            "--match-path",
            file,
            "--match-test",
            f"^({tests})\\(?",
            "--fuzz-seed",
            SEED,
            "--color",
            "never",
        ),
        # What a mutant does is the same without the optimiser, and it compiles three times as fast; and tests that
        # only deploy a contract are not compiled again when it changes.
        FOUNDRY_OPTIMIZER="false",
        FOUNDRY_DYNAMIC_TEST_LINKING="true",
    )


def passes(target: Path, mutants: list[Mutant]) -> bool:
    """Shows that each named test passes on the unbroken contracts, and leaves them built."""
    for contract in sorted({mutant.contract for mutant in mutants}):
        names = sorted({mutant.test for mutant in mutants if mutant.contract == contract})
        result = forge(target, contract, "|".join(names))
        passed = set(re.findall(r"\[PASS\] (\w+)\(", result.output))
        if result.code or passed != set(names):
            print(result.output, f"\nThe unbroken contracts do not pass {contract}.", sep="")
            return False
    return True


def keep(target: Path, contracts: set[str]) -> None:
    """Leaves only the tests that are run, so that nothing else is compiled."""
    wanted = {f"{contract.removesuffix('Test')}.t.sol" for contract in contracts}
    for file in (target / "tests/forge").glob("*.t.sol"):
        if file.name not in wanted:
            file.unlink()
    shutil.rmtree(target / "tests/forge/invariants")


def judge(built: Path, mutant: Mutant) -> tuple[Mutant, bool, str]:
    """Applies one mutant to a copy of the built tree and runs its test: caught or not, and what to show."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "tree"
        shutil.copytree(built, target, symlinks=True)
        try:
            tree.patch(target, mutant.file)
        except tree.PatchError as error:
            return mutant, False, str(error)
        result = forge(target, mutant.contract, mutant.test)
        # A mutant that does not compile, or whose test did not run, proves nothing.
        failed = re.search(rf"\[FAIL[^\n]*\] {mutant.test}\(", result.output)
        return mutant, bool(result.code and failed), result.output


def main() -> int:
    """Judges all mutants, two at a time, and prints the table."""
    begin = time.monotonic()
    mutants = [read(file) for file in sorted(MUTANTS.glob("*.patch"))]
    if len(mutants) < MUTANTS_LEAST:
        print(f"Only {len(mutants)} mutants in {MUTANTS.relative_to(tree.ROOT)}.")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder)
        tree.copy(built, "forge")
        keep(built, {mutant.contract for mutant in mutants})
        if not passes(built, mutants):
            return 1
        with ThreadPoolExecutor(WORKERS) as workers:
            results = list(workers.map(partial(judge, built), mutants))
    width = max(len(mutant.name) for mutant in mutants)
    for mutant, caught, output in results:
        verdict = f"caught by {mutant.contract}.{mutant.test}" if caught else "SURVIVED"
        print(f"  {mutant.name:{width}}  {verdict}")
        if not caught:
            print(output)
    alive = [mutant.name for mutant, caught, _ in results if not caught]
    print(f"mutants: {len(results) - len(alive)} of {len(results)} caught in {time.monotonic() - begin:.0f} s")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
