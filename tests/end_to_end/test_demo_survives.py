"""The demo on real purchases: killed in the middle, run again, and nothing is missing or doubled. Seven starts."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
LIMIT = 1_200
RUN_TIMEOUT_S = 480
# A node, eight contracts through Brownie and a gateway: a quarter of a minute alone, a multiple of it beside others.
STARTED_S_MAX = 480
# Gateway, worker and node end within a second or two; each is killed when it takes longer than its eight or ten.
ENDED_S_MAX = 40

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_500)]


def start_demo(state: Path, *, once: bool = True) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "scripts.cli", "demo", "--state", str(state), "--limit", str(LIMIT)]
    command += ["--once"] if once else []
    return subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def run_demo(state: Path) -> tuple[int, str]:
    process = start_demo(state)
    output, _ = process.communicate(timeout=RUN_TIMEOUT_S)
    return process.returncode, output


def until(good: Callable[[], bool], *, seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not good():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)


def pids(state: Path) -> dict[str, int]:
    path = state / "pids.json"
    return json.loads(path.read_text()) if path.exists() else {}


def awards_confirmed(state: Path) -> int:
    if not (state / "moa.db").exists():
        return 0
    with sqlite3.connect(f"file:{state / 'moa.db'}?mode=ro", uri=True, timeout=5) as database:
        try:
            row = database.execute("SELECT count(*) FROM operation WHERE kind='award' AND state='confirmed'").fetchone()
        except sqlite3.OperationalError:
            return 0
    return int(row[0])


def writes(state: Path) -> Counter[str]:
    """How many writes the gateway took, by route."""
    with sqlite3.connect(f"file:{state / 'moa.db'}?mode=ro", uri=True, timeout=5) as database:
        routes = [route for (route,) in database.execute("SELECT route FROM idempotent_write")]
        routes += [route for (route,) in database.execute("SELECT route FROM idempotent_batch")]
    return Counter(re.sub(r"mem_[0-9a-f]{32}", "{member_id}", route) for route in routes)


def in_the_middle(process: subprocess.Popen[str], state: Path, confirmed: int) -> None:
    """Until so many purchases are confirmed, while the demo still plays."""

    def reached() -> bool:
        assert process.poll() is None, process.communicate()[0]
        return awards_confirmed(state) >= confirmed

    until(reached, seconds=STARTED_S_MAX, what=f"{confirmed} purchases are confirmed")


@pytest.fixture
def demos() -> Iterator[list[subprocess.Popen[str]]]:
    """The demos that a test started, ended when it fails half way."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
    for process in started:
        process.communicate(timeout=2 * ENDED_S_MAX)


def test_whatever_is_killed_in_the_middle_the_next_run_goes_on_and_the_books_are_right(
    tmp_path: Path, demos: list[subprocess.Popen[str]]
) -> None:
    """SPEC 11.2, 11.7, 11.10: each part in turn, then the command itself; every run is of the state the last one left.

    Starts are what takes long here, so one state goes through all of it.
    """
    for share, victim in enumerate(("gateway", "worker", "node"), 1):
        demos.append(process := start_demo(tmp_path))
        in_the_middle(process, tmp_path, share * LIMIT // 6)
        os.kill(pids(tmp_path)[victim], signal.SIGKILL)
        output, _ = process.communicate(timeout=RUN_TIMEOUT_S)
        assert process.returncode == 1, f"{victim}: {output}"
        assert "run the command again" in output

    demos.append(process := start_demo(tmp_path))
    in_the_middle(process, tmp_path, 4 * LIMIT // 6)
    started = pids(tmp_path)
    process.send_signal(signal.SIGKILL)
    process.wait()
    until(
        lambda: not any(psutil.pid_exists(pid) for pid in started.values()),
        seconds=ENDED_S_MAX,
        what="all children are gone",
    )

    returncode, output = run_demo(tmp_path)

    assert returncode == 0, output
    assert "The books balance." in output
    assert f"{LIMIT:,} of {LIMIT:,}" in output, "what was replayed five times counts once"

    before, deployed = writes(tmp_path), (tmp_path / "log" / "deploy.log").stat().st_mtime_ns
    again, second = run_demo(tmp_path)
    assert again == 0, second
    assert f"{LIMIT:,} of {LIMIT:,}" in second, "a third run judges everything and adds nothing"
    # SPEC 11.16: the addresses come first; what is there is not played again, not even to be told that it is there.
    assert second.index("/#session=") < second.index("The books balance.")
    assert "purchases of" not in second
    assert writes(tmp_path) - before == {"POST /v1/members/{member_id}/sessions": 2}, "a session to look with, each"
    assert (tmp_path / "log" / "deploy.log").stat().st_mtime_ns == deployed, "the contracts are there"


def test_two_demos_run_side_by_side_never_on_one_state_and_ctrl_c_ends_all_of_one(
    tmp_path: Path, demos: list[subprocess.Popen[str]]
) -> None:
    """SPEC 11.9, 11.10: ports are chosen free; a second demo on the same folder is refused with a sentence."""
    # Neither ends by itself: the first still has its folder when that is asked for again, however long all this takes.
    for name in ("a", "b"):
        demos.append(start_demo(tmp_path / name, once=False))
        until(lambda name=name: "gateway" in pids(tmp_path / name), seconds=STARTED_S_MAX, what=f"demo {name} runs")  # type: ignore[misc]
    first, second = demos
    refused, sentence = run_demo(tmp_path / "a")
    assert [first.poll(), second.poll()] == [None, None]
    assert refused == 1
    assert "Another Moa runs" in sentence
    of_each = [pids(tmp_path / name) for name in ("a", "b")]
    assert not set(of_each[0].values()) & set(of_each[1].values())

    first.send_signal(signal.SIGINT)
    output, _ = first.communicate(timeout=ENDED_S_MAX)

    assert first.returncode == 130, output
    assert not any(psutil.pid_exists(pid) for pid in of_each[0].values())
    assert all(psutil.pid_exists(pid) for pid in of_each[1].values()), "the other is left alone"
