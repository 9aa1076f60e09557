"""The shortest schedule found that still shows a difference: steps are left out as long as one stays."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final

from tests.simulation.episode import Result, Theatre
from tests.simulation.schedule import Ask, Schedule

BUDGET_S: Final = 240.0


def shrink(theatre: Theatre, failing: Result, *, budget_s: float = BUDGET_S) -> Result:
    """Plays shorter and shorter schedules. Two processes never meet twice alike: what is kept has failed once."""
    until = time.monotonic() + budget_s
    best = failing
    size = max(1, len(best.schedule.steps) // 2)
    while time.monotonic() < until:
        start, shorter = 0, False
        while start < len(best.schedule.steps) and time.monotonic() < until:
            steps = best.schedule.steps
            shorter_one = _without(best.schedule, start, min(start + size, len(steps)))
            if shorter_one.steps == steps:
                start += size
                continue
            tried = theatre.play(shorter_one)
            if tried.differences:
                best, shorter = tried, True
            else:
                start += size
        if size == 1 and not shorter:
            break
        size = max(1, size // 2)
    return best


def _without(schedule: Schedule, start: int, end: int) -> Schedule:
    """What is asked for in steps that are left out keeps its number, by which later operations name it."""
    kept = tuple(replace(step, left_out=True) for step in schedule.steps[start:end] if isinstance(step, Ask))
    return replace(schedule, steps=schedule.steps[:start] + kept + schedule.steps[end:])
