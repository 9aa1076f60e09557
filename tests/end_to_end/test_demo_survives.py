"""The demo on real purchases: killed in the middle, run again, and nothing is missing or doubled."""

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
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
LIMIT = 1_200
RUN_TIMEOUT_S = 240
# A node, eight contracts through Brownie and a gateway: a quarter of a minute alone, a multiple of it beside others.
STARTED_S_MAX = 240
# Gateway, worker and node end within a second or two; each is killed when it takes longer than its eight or ten.
ENDED_S_MAX = 20

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


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


@pytest.mark.parametrize("victim", ["gateway", "worker", "node"])
def test_a_part_killed_in_the_middle_of_the_replay_costs_and_doubles_nothing(tmp_path: Path, victim: str) -> None:
    """SPEC 11.2, 11.7: run again after kill -9, the demo goes on where it was and its verdict holds."""
    process = start_demo(tmp_path)
    until(
        lambda: awards_confirmed(tmp_path) >= LIMIT // 4,
        seconds=STARTED_S_MAX,
        what="a quarter of the purchases is confirmed",
    )
    os.kill(pids(tmp_path)[victim], signal.SIGKILL)
    output, _ = process.communicate(timeout=RUN_TIMEOUT_S)
    assert process.returncode == 1, output
    assert "run the command again" in output

    returncode, output = run_demo(tmp_path)

    assert returncode == 0, output
    assert "The books balance." in output
    assert f"{LIMIT:,} of {LIMIT:,}" in output


def test_the_command_killed_leaves_no_process_and_is_run_again(tmp_path: Path) -> None:
    """SPEC 11.10: whatever ends the demo, everything it started ends with it."""
    process = start_demo(tmp_path)
    until(
        lambda: awards_confirmed(tmp_path) >= LIMIT // 4,
        seconds=STARTED_S_MAX,
        what="a quarter of the purchases is confirmed",
    )
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

    before, deployed = writes(tmp_path), (tmp_path / "log" / "deploy.log").stat().st_mtime_ns
    again, second = run_demo(tmp_path)
    assert again == 0, second
    assert f"{LIMIT:,} of {LIMIT:,}" in second, "a third run judges everything and adds nothing"
    # SPEC 11.16: the addresses come first; what is there is not played again, not even to be told that it is there.
    assert second.index("/#session=") < second.index("The books balance.")
    assert "purchases of" not in second
    assert writes(tmp_path) - before == {"POST /v1/members/{member_id}/sessions": 2}, "a session to look with, each"
    assert (tmp_path / "log" / "deploy.log").stat().st_mtime_ns == deployed, "the contracts are there"


def test_ctrl_c_ends_everything_within_twenty_seconds(tmp_path: Path) -> None:
    """SPEC 11.10"""
    process = start_demo(tmp_path)
    until(lambda: "gateway" in pids(tmp_path), seconds=STARTED_S_MAX, what="the gateway has started")
    started = pids(tmp_path)

    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=ENDED_S_MAX)

    assert process.returncode == 130, output
    assert not any(psutil.pid_exists(pid) for pid in started.values())


def test_two_demos_run_side_by_side_but_never_on_one_state(tmp_path: Path) -> None:
    """SPEC 11.9: ports are chosen free; a second demo on the same folder is refused with a sentence."""
    # Neither ends by itself: the first still has its folder when that is asked for again, however long all this takes.
    running = []
    try:
        running.append(start_demo(tmp_path / "a", once=False))
        until(lambda: "gateway" in pids(tmp_path / "a"), seconds=STARTED_S_MAX, what="the first demo runs")
        running.append(start_demo(tmp_path / "b", once=False))
        until(lambda: "gateway" in pids(tmp_path / "b"), seconds=STARTED_S_MAX, what="the second demo runs beside it")
        refused, sentence = run_demo(tmp_path / "a")
        assert [process.poll() for process in running] == [None, None]
    finally:
        for process in running:
            process.send_signal(signal.SIGINT)
        for process in running:
            process.communicate(timeout=2 * ENDED_S_MAX)
    assert refused == 1
    assert "Another Moa runs" in sentence
