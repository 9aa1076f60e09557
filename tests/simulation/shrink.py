"""The shortest schedule found that still shows a difference: steps are left out as long as one stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tests.simulation.episode import Result, Theatre
from tests.simulation.schedule import Ask, Schedule
from tests.support import shrinking

BUDGET_S: Final = 240.0


def shrink(theatre: Theatre, failing: Result, *, budget_s: float = BUDGET_S) -> Result:
    """Plays shorter and shorter schedules. Two processes never meet twice alike: what is kept has failed once."""

    def without(best: Result, start: int, end: int) -> Result | None:
        shorter = _without(best.schedule, start, end)
        if shorter.steps == best.schedule.steps:
            return None
        tried = theatre.play(shorter)
        return tried if tried.differences else None

    return shrinking.shrink(
        failing, length=lambda result: len(result.schedule.steps), without=without, budget_s=budget_s
    )


def _without(schedule: Schedule, start: int, end: int) -> Schedule:
    """What is asked for in steps that are left out keeps its number, by which later operations name it."""
    kept = tuple(replace(step, left_out=True) for step in schedule.steps[start:end] if isinstance(step, Ask))
    return replace(schedule, steps=schedule.steps[:start] + kept + schedule.steps[end:])
