"""Puts single-operator faults into the core, one at a time, and counts how many the quick tests catch.

Which: from every comparison, sum, constant, `and`, `not`, `min` in the functions of CORE; a seed draws by hash, so that
most of a draw stays while the code grows. By whom: a fault is judged by the quick tests that call its function, of
its own room first, for at most TESTS_S_MAX seconds. It is caught when one fails (or hangs). Ends with 0 when enough are
caught and each survivor is explained in tests/mutate/survivors.toml.

    make mutate                       # MUTANTS=60 SEED=1
    make mutate MUTANTS=200 SEED=7
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from scripts.verify import operators
from scripts.verify.operators import Site

ROOT = Path(__file__).resolve().parents[2]
SURVIVORS = ROOT / "tests" / "mutate" / "survivors.toml"
# Whole rooms, with the rooms in them.
CORE = (
    "chain/base", "chain/node", "chain/contracts", "chain/storage", "chain/outbox", "chain/telemetry", "chain/mirror",
    "chain/relayer", "chain/health", "chain/worker", "chain/erc20", "chain/model", "chain/replay", "chain/proofs",
    "chain/evidence", "chain/tlog", "chain/reports",
    "api/kit", "api/auth", "api/audit_log", "api/writes", "api/members", "api/events", "api/decisions", "api/points",
    "api/programmes", "api/views", "api/evidence", "api/reports", "api/auditors", "api/health",
)  # fmt: skip
# Nodes under supervision, tempo, how processes are started and set: what is left of them in quick tests is nothing.
NOT_CORE = (
    "chain/devnet/supervisor.py", "chain/devnet/parent_watchdog.py", "chain/worker/gc_tuning.py", "chain/worker/run.py",
    "chain/worker/shutdown.py", "chain/worker/leader.py",
    "chain/telemetry/metrics.py", "chain/health/collector.py",
)  # fmt: skip
QUICK = ["-q", "-m", "not slow", "-p", "no:cacheprovider"]
WORKERS = 2
CAUGHT_LEAST = 0.85
# Of tests that call a function, so many seconds of the quickest (as they took with the tracer) are run.
TESTS_S_MAX = 40.0
TESTS_MAX = 300
# A fault that makes a loop endless.
HANGS_S = 30
RUN_S_MAX = 240
TRACED_S_MAX = 1_800
NOTHING_RAN = 5

Called = dict[str, tuple[float, list[str]]]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault in one file."""

    file: str
    site: Site

    @property
    def key(self) -> str:
        return f"{self.file} {self.site.key}"

    @property
    def place(self) -> str:
        return f"{self.file}:{self.site.line}"


def candidates() -> list[Mutant]:
    """Every fault that may be drawn."""
    gone = [each for each in (*CORE, *NOT_CORE) if not (ROOT / each).exists()]
    if gone:
        raise SystemExit(f"{', '.join(gone)}: not there any more; scripts/verify/mutate.py must follow")
    files = sorted(
        {str(path.relative_to(ROOT)) for room in CORE for path in (ROOT / room).rglob("*.py")} - set(NOT_CORE)
    )
    return [Mutant(file, site) for file in files for site in operators.sites((ROOT / file).read_text())]


def drawn(every: Sequence[Mutant], seed: int, count: int) -> list[Mutant]:
    """The faults of a seed: those of the smallest hashes. A change elsewhere in the code leaves the others drawn."""
    times: Counter[str] = Counter()
    placed: list[tuple[bytes, int]] = []
    for number, mutant in enumerate(every):
        times[mutant.key] += 1
        said = f"{seed} {times[mutant.key]} {mutant.key}".encode()
        placed.append((hashlib.sha256(said).digest(), number))
    return [every[number] for _, number in sorted(placed)[:count]]


def copy_tree(target: Path) -> None:
    """What is tracked or new, and links to what set-up made."""
    listed = subprocess.run(
        ["git", "ls-files",  # noqa: S607
        "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True,
    ).stdout.decode()  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    for name in ("node_modules", "build", ".venv"):
        (target / name).symlink_to((ROOT / name).resolve())


def pytest(tree: Path, *arguments: str, timeout_s: float, **variables: str) -> int | None:
    """The exit code of a run in a tree; None when it did not end in time."""
    command = [str(ROOT / ".venv/bin/python"), "-m", "pytest", *QUICK, *arguments]
    env = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", **variables}
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(
            command, cwd=tree, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
        try:
            return child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def who_calls(tree: Path) -> Called:
    """Which test calls which function, as the quick tests of this tree do; kept as long as no file changes."""
    digest = hashlib.sha256()
    for path in sorted(path for top in ("chain", "api", "scripts", "tests") for path in (tree / top).rglob("*.py")):
        digest.update(path.read_bytes())
    kept = ROOT / "build" / "mutate" / f"{digest.hexdigest()[:20]}.json"
    if not kept.exists():
        print("the quick tests run once, and it is written down what each calls", flush=True)
        kept.parent.mkdir(parents=True, exist_ok=True)
        file = tree / "called.json"
        # A test that fails under the tracer (it is slow) judges nothing; one that always fails is for `make check`.
        code = pytest(
            tree, "tests", "-p", "scripts.verify.called", timeout_s=TRACED_S_MAX, MOA_CALLED=str(file), MOA_CEILINGS="0"
        )
        if code not in (0, 1) or not file.exists():
            raise SystemExit("The quick tests of the unbroken tree did not end.")
        shutil.move(file, kept)
    found: Called = json.loads(kept.read_text())
    return found


def judges(called: Called, mutant: Mutant) -> list[str]:
    """The tests that run for a fault: one of each test function before a second of any, those of the fault's own room
    first, the quickest first."""
    place = f"{mutant.file}:{mutant.site.function}"
    callers = sorted((took_s, name) for name, (took_s, places) in called.items() if place in places)
    seen: dict[str, int] = {}
    ranked = []
    room = f"tests/{Path(mutant.file).parent}/"
    for took_s, name in callers:
        function = name.split("[", 1)[0]
        seen[function] = seen.get(function, 0) + 1
        ranked.append((seen[function], not name.startswith(room), took_s, name))
    chosen: list[str] = []
    total_s = 0.0
    for _, _, took_s, name in sorted(ranked):
        total_s += took_s
        if len(chosen) == TESTS_MAX or (chosen and total_s > TESTS_S_MAX):
            break
        chosen.append(name)
    return chosen


def judge(tree: Path, called: Called, mutant: Mutant) -> str:
    """caught, hangs, survived or not called."""
    tests = judges(called, mutant)
    if not tests:
        return "not called"
    file = tree / mutant.file
    before = file.read_text()
    file.write_text(operators.mutated(before, mutant.site))
    try:
        code = pytest(tree, "-x", f"--timeout={HANGS_S}", *tests, timeout_s=RUN_S_MAX, MOA_CEILINGS="0")
    finally:
        file.write_text(before)
    if code == NOTHING_RAN:
        raise SystemExit(f"The tests that call {mutant.key} are not there: {' '.join(tests[:5])}")
    # Anything else is caught as well: a module that cannot even be imported ends pytest with 2 or 4.
    return "hangs" if code is None else "survived" if code == 0 else "caught"


def main() -> int:
    """Judges them and prints each, the figure, and what is not explained."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--mutants", type=int, default=60)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--called", type=Path, help="which test calls what, as build/mutate keeps it from a run before")
    asked.add_argument("--only", default="", help="files whose path contains this")
    wanted = asked.parse_args()
    begin = time.monotonic()
    explained: dict[str, str] = tomllib.loads(SURVIVORS.read_text())["survivors"]
    every = [one for one in candidates() if wanted.only in one.file]
    chosen = drawn(every, wanted.seed, wanted.mutants)
    print(f"mutate: {len(chosen)} of {len(every)} faults, seed {wanted.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="moa-mutate-") as folder:
        trees = [Path(folder) / str(number) for number in range(WORKERS)]
        for tree in trees:
            copy_tree(tree)
        called: Called = json.loads(wanted.called.read_text()) if wanted.called else who_calls(trees[0])
        free = list(trees)

        def one(mutant: Mutant) -> tuple[Mutant, str]:
            tree = free.pop()
            try:
                verdict = judge(tree, called, mutant)
            finally:
                free.append(tree)
            print(f"  {verdict:10}  {mutant.place}  {mutant.site.key}", flush=True)
            return mutant, verdict

        with ThreadPoolExecutor(WORKERS) as workers:
            results = list(workers.map(one, chosen))
    alive = [(mutant, verdict) for mutant, verdict in results if verdict in ("survived", "not called")]
    share = 1 - len(alive) / len(results)
    open_ = [(mutant, verdict) for mutant, verdict in alive if mutant.key not in explained]
    took_s = time.monotonic() - begin
    print(f"mutate: {len(results) - len(alive)} of {len(results)} caught ({share:.0%}) in {took_s:.0f} s")
    for mutant, verdict in alive:
        print(f"  {verdict}: {mutant.place}  {explained.get(mutant.key, 'NOT EXPLAINED')}")
        print(f"    {json.dumps(mutant.key, ensure_ascii=False)}")
    return 0 if share >= CAUGHT_LEAST and not open_ else 1


if __name__ == "__main__":
    sys.exit(main())
