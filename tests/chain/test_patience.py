"""Waiting that a busy machine cannot exhaust, and a broken part cannot prolong for ever (SPEC 11.16)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable

import pytest

from chain.base.patience import Patience, StandsStill, processor_seconds


class Clock:
    """The processor's time as a test gives it out."""

    def __init__(self) -> None:
        self.spent = 0.0

    def __call__(self, _pids: Iterable[int]) -> float:
        return self.spent


def patience(clock: Clock, **bounds: int) -> Patience:
    return Patience([1], spent=clock, **{"cpu_s_max": 10, "still_looks_max": 5, **bounds})


def looks(waiting: Patience, clock: Clock, *, cpu_s: float, progress: Iterable[object]) -> int:
    """How many looks it takes until the waiting ends; each time so much of the processor was used."""
    count = 0
    for one in progress:
        clock.spent += cpu_s
        try:
            waiting.look(one)
        except StandsStill:
            return count
        count += 1
    return count


def test_while_anything_moves_there_is_no_end() -> None:
    """SPEC 11.16"""
    clock = Clock()
    assert looks(patience(clock), clock, cpu_s=9, progress=range(1_000)) == 1_000


def test_work_that_brings_nothing_nearer_ends_it() -> None:
    """SPEC 11.16: eleven seconds of the processor are more than ten; ten are not."""
    clock = Clock()
    waiting = patience(clock)
    assert looks(waiting, clock, cpu_s=1, progress=["same"] * 100) == 11
    with pytest.raises(StandsStill, match="nothing came of"):
        waiting.look("same")
    waiting.look("moved after all")


def test_processes_that_a_busy_machine_starves_are_waited_for_longer_than_those_that_do_nothing() -> None:
    """SPEC 11.16"""
    clock = Clock()
    starved = looks(patience(clock), clock, cpu_s=0.01, progress=["same"] * 500)
    dead = looks(patience(clock), clock, cpu_s=0, progress=["same"] * 500)

    assert (starved, dead) == (500, 5)


def test_a_look_at_which_something_was_done_again_begins_the_count_of_idle_looks_anew() -> None:
    """SPEC 11.16"""
    clock = Clock()
    waiting = patience(clock)
    for _ in range(20):
        assert looks(waiting, clock, cpu_s=0, progress=["same"] * 4) == 4
        assert looks(waiting, clock, cpu_s=0.1, progress=["same"]) == 1


def test_the_processors_time_of_children_and_of_those_that_ended_counts() -> None:
    """SPEC 11.16"""
    work = (
        "import hashlib, time\nfor _ in range(300): hashlib.sha256(bytes(1_000_000)).digest()\n"
        "print(time.process_time(), flush=True)\n"
    )
    # The child's last word is told after the parent has waited for it: then its time is the parent's children's.
    outer = (
        "import subprocess, sys\n"
        f"done = subprocess.run([sys.executable, '-c', {work!r}], stdout=subprocess.PIPE, text=True)\n"
        "print(done.stdout, flush=True)\ninput()\n"
    )
    command = [sys.executable, "-c", outer]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        told = float(process.stdout.readline())
        spent = processor_seconds([process.pid])
        process.communicate(b"\n")

    assert spent >= told > 0.01
    assert processor_seconds([process.pid]) == 0.0
