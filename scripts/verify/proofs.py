"""Proves with halmos, for all inputs, and shows that each proof fails once a bug is planted in what it proves.

The packed lots are proved by themselves (LotsProof). The token's proofs for expiring points run with
tests/halmos/abstract/Lots.sol in place of the library: they hold whatever the arithmetic gives. Each patch in
tests/halmos/planted names the proof that it must break: `Fails: <contract>.<check>`. Ends with 0 only if every
proof holds, has a planted bug, and that bug is found.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scripts.verify import tree

PLANTED = tree.ROOT / "tests" / "halmos" / "planted"
HALMOS = tree.ROOT / ".venv-halmos" / "bin" / "halmos"
WORKERS = 2
# Loops go over five lots or four words. halmos says that it stops `take` at this many rounds, for it cannot rule more
# out while it walks; check_take_leaves_less_than_the_rest proves that five are enough.
LOOP_ROUNDS = 6
TOTAL_ROUNDS = 25
# One word of proof: where it lives and what it needs.
LOTS, EXPIRING = "LotsProof", "ExpiringTokenProof"
CONTRACTS = (LOTS, EXPIRING, "LastingTokenProof", "MintProof", "OnceProof", "ReturnProof", "DebtProof")


def tree_for(contract: str, target: Path) -> None:
    """Copies what one contract of proofs needs, and the abstract library where it stands in."""
    tree.copy(target, "halmos")
    if contract == LOTS:
        for file in [*target.glob("contracts/*.sol"), *target.glob("tests/halmos/*.t.sol")]:
            if file.name != "LotsProof.t.sol":
                file.unlink()
        shutil.rmtree(target / "contracts/base")
    else:
        (target / "tests/halmos/LotsProof.t.sol").unlink()
    if contract == EXPIRING:
        shutil.copy(target / "tests/halmos/abstract/Lots.sol", target / "contracts/libraries/Lots.sol")
    shutil.rmtree(target / "tests/halmos/abstract")


def halmos(target: Path, contract: str, check: str = "check_", *options: str) -> str:
    """Runs one contract's proofs, or one of them; gives what halmos says, without colours."""
    rounds, branching = (TOTAL_ROUNDS, "100ms") if contract == LOTS else (LOOP_ROUNDS, "1ms")
    result = tree.run(
        target,
        *(str(HALMOS), "--forge-build-out", "build/halmos/out", "--no-status", "--contract", contract),
        *("--function", check, "--loop", str(rounds), "--solver-threads", "1"),
        *("--solver-timeout-assertion", "400s", "--solver-timeout-branching", branching, *options),
        FOUNDRY_PROFILE="halmos",
    )
    return re.sub(r"\x1b\[[0-9;]*m", "", result.output)


def proved(contract: str) -> tuple[str, dict[str, bool], str]:
    """Every proof of a contract, and whether it holds."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder)
        tree_for(contract, target)
        output = halmos(target, contract)
    verdicts = {name: word == "PASS" for word, name in re.findall(r"\[(PASS|FAIL|TIMEOUT|ERROR)\] (\w+)\(", output)}
    return contract, verdicts, output


def planted(file: Path) -> tuple[str, str, bool, str]:
    """Plants one bug: the proof it names must fail with a counterexample."""
    heading = re.fullmatch(r"Fails: (\w+)\.(\w+)", file.read_text().splitlines()[1])
    if heading is None:
        raise SystemExit(f"{file.name}: the second line must be 'Fails: <contract>.<check>'.")
    contract, check = heading.groups()
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder)
        tree_for(contract, target)
        try:
            tree.patch(target, file)
        except tree.PatchError as error:
            return file.stem, check, False, str(error)
        output = halmos(target, contract, check, "--early-exit")
    return file.stem, check, f"[FAIL] {check}(" in output and "Counterexample" in output, output


def main() -> int:
    """All proofs, then all planted bugs, two at a time."""
    begin = time.monotonic()
    files = sorted(PLANTED.glob("*.patch"))
    with ThreadPoolExecutor(WORKERS) as workers:
        proofs = list(workers.map(proved, CONTRACTS))
        bugs = list(workers.map(planted, files))
    wanted = {check for _, check, _, _ in bugs}
    wrong = 0
    held = 0
    for contract, verdicts, output in proofs:
        for check, holds in verdicts.items():
            print(f"  {contract}.{check:62} {'proved' if holds else 'NOT PROVED'}")
            held += holds
        if not verdicts or not all(verdicts.values()):
            print(output)
            wrong += 1
    for name, check, found, output in bugs:
        print(f"  planted {name:24} {'found by' if found else 'NOT FOUND by'} {check}")
        if not found:
            print(output)
            wrong += 1
    checks = {check for _, verdicts, _ in proofs for check in verdicts}
    # The four places of the ring are one proof: a bug planted for the first is enough.
    bare = {check for check in checks if re.sub("_(second|third|fourth)$", "_first", check) not in wanted}
    bare -= {"check_burn_changes_no_third_account_second"}
    for check in sorted(bare):
        print(f"  no bug is planted for {check}")
    print(f"proofs: {held} hold, {len(bugs)} planted bugs, {wrong + len(bare)} wrong, {time.monotonic() - begin:.0f} s")
    return 1 if wrong or bare else 0


if __name__ == "__main__":
    sys.exit(main())
