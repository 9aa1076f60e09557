"""Waiting that is bounded by what happens, not by a clock: a busy machine is slow, a broken part gets nowhere.

Who waits looks again and again and says how far things are. While that moves, there is no end to the waiting. When it
does not, the processes that are waited for have so much time of the processor to get further; one that a busy machine
starves has used little of it. Processes that do nothing at all are given up after a number of looks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final

import psutil

# A gateway or a node starts with three to six; a system that stands still uses a twentieth of a processor.
CPU_S_MAX: Final = 60.0
STILL_LOOKS_MAX: Final = 600


class StandsStill(Exception):
    """What was waited for does not come; the message says what was done meanwhile."""


class Patience:
    """Of one wait. pids: the processes that are to bring it about; their children count as well."""

    def __init__(
        self,
        pids: Iterable[int],
        *,
        cpu_s_max: float = CPU_S_MAX,
        still_looks_max: int = STILL_LOOKS_MAX,
        spent: Callable[[Iterable[int]], float] | None = None,
    ):
        self._pids = tuple(pids)
        self._cpu_s_max = cpu_s_max
        self._still_looks_max = still_looks_max
        self._spent = spent or processor_seconds
        self._progress: tuple[Any, ...] | None = None
        self._began = self._last = 0.0
        self._still = 0

    def look(self, *progress: Any) -> None:
        """Notes how far things are; raises StandsStill when waiting longer is of no use."""
        spent = self._spent(self._pids)
        if progress != self._progress:
            self._progress, self._began, self._last, self._still = progress, spent, spent, 0
            return
        self._still = self._still + 1 if spent == self._last else 0
        self._last = spent
        if spent - self._began > self._cpu_s_max:
            raise StandsStill(f"nothing came of {spent - self._began:.0f} s of the processor")
        if self._still >= self._still_looks_max:
            raise StandsStill(f"nothing was done in {self._still} looks")


def processor_seconds(pids: Iterable[int]) -> float:
    """What these processes and their children have used of the processor; those that are gone count no more."""
    total = 0.0
    for pid in pids:
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            for one in [process, *process.children(recursive=True)]:
                with suppress(psutil.Error):
                    times = one.cpu_times()
                    total += times.user + times.system + times.children_user + times.children_system
    return total
