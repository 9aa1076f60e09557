"""How long each module of tests takes, and a ceiling for each that fails the run.

`make test` has a budget, and a suite gets slow one module at a time. Times are seconds of wall clock over set-up, test
and teardown, so what a shared fixture takes counts for the module that asks first. Ceilings are in
tests/support/ceilings.toml: a module's own stands there when it measured more than a quarter of the common one. They
are four times what was measured and more, so that a busy machine is no failure. With MOA_DURATIONS=FILE the times are
written there as JSON; MOA_CEILINGS=0 measures only.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

CEILINGS = Path(__file__).with_name("ceilings.toml")
SLOWEST_SHOWN = 12


class Durations:
    """A plugin of pytest: adds up, tells the slowest modules, and fails the run that has one above its ceiling."""

    def __init__(self, ceilings: Mapping[str, float], common_s: float) -> None:
        self._ceilings, self._common_s = ceilings, common_s
        self.took_s: dict[str, float] = defaultdict(float)

    def ceiling_s(self, module: str) -> float:
        """The seconds that a module may take."""
        return self._ceilings.get(module, self._common_s)

    def add(self, module: str, seconds: float) -> None:
        """A part of a test of this module took so long."""
        self.took_s[module] += seconds

    def above(self) -> list[str]:
        """The modules that took longer than they may."""
        return sorted(module for module, seconds in self.took_s.items() if seconds > self.ceiling_s(module))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.add(report.nodeid.split("::", 1)[0].removeprefix("tests/"), report.duration)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if file := os.environ.get("MOA_DURATIONS"):
            Path(file).write_text(json.dumps({name: round(took, 2) for name, took in sorted(self.took_s.items())}))
        if self.above() and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if len(self.took_s) > 1:
            terminalreporter.section("seconds by module")
            for line in told(self.took_s.items(), SLOWEST_SHOWN):
                terminalreporter.write_line(line)
        for module in self.above():
            took, may = self.took_s[module], self.ceiling_s(module)
            terminalreporter.write_line(f"{module} took {took:.0f} s; its ceiling is {may:.0f} s", red=True)


def told(took_s: Iterable[tuple[str, float]], count: int) -> list[str]:
    """The slowest modules, slowest first, and the sum of the others."""
    slowest = sorted(took_s, key=lambda each: -each[1])
    lines = [f"{seconds:8.1f}  {module}" for module, seconds in slowest[:count]]
    rest = slowest[count:]
    return [*lines, f"{sum(seconds for _, seconds in rest):8.1f}  {len(rest)} others"] if rest else lines


def durations() -> Durations:
    """With the ceilings of the file."""
    read = tomllib.loads(CEILINGS.read_text())
    if os.environ.get("MOA_CEILINGS") == "0":
        return Durations({}, float("inf"))
    return Durations(read["modules"], read["common_s"])
