"""The ceilings themselves: what is above one is named and fails the run, what is at it is not."""

import tomllib
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.support.durations import CEILINGS, Durations, told


def run(plugin: Durations, status: int = 0) -> int:
    session: Any = SimpleNamespace(exitstatus=status)
    plugin.pytest_sessionfinish(cast(pytest.Session, session), status)
    return int(session.exitstatus)


def report(module: str, seconds: float) -> pytest.TestReport:
    found: Any = SimpleNamespace(nodeid=f"tests/{module}::test_one[a::b]", duration=seconds)
    return found  # type: ignore[no-any-return]


def test_set_up_test_and_teardown_of_a_module_add_up_to_its_ceiling() -> None:
    plugin = Durations({"a/test_a.py": 6.0}, 2.0)
    for module, seconds in (("a/test_a.py", 3.0), ("a/test_a.py", 3.0), ("b/test_b.py", 2.0)):
        plugin.pytest_runtest_logreport(report(module, seconds))

    assert (plugin.above(), run(plugin)) == ([], 0)
    plugin.pytest_runtest_logreport(report("a/test_a.py", 0.1))
    plugin.pytest_runtest_logreport(report("b/test_b.py", 0.1))
    assert (plugin.above(), run(plugin)) == (["a/test_a.py", "b/test_b.py"], 1)
    assert run(plugin, 2) == 2, "a run that ended otherwise keeps its status"


def test_the_slowest_are_told_and_the_others_in_sum() -> None:
    assert told([("a", 1.0), ("b", 3.0), ("c", 0.5)], 1) == ["     3.0  b", "     1.5  2 others"]
    assert told([("a", 1.0)], 5) == ["     1.0  a"]


def test_every_module_that_has_a_ceiling_of_its_own_is_there() -> None:
    """One that was renamed takes its ceiling along."""
    named = tomllib.loads(CEILINGS.read_text())["modules"]
    assert [name for name in named if not (CEILINGS.parent.parent / name).exists()] == []
