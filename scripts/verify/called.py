"""A plugin of pytest that writes down which functions each test calls: `-p scripts.verify.called`, file in MOA_CALLED.

Only the entry into a function is traced, in every thread; what a fixture calls belongs to the test that asked for it
first. The file is JSON: {test: [seconds, ["path:line of the function", ...]]}, of tests that passed.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

ROOT = Path.cwd()
_called: set[CodeType] = set()
_written: dict[str, tuple[float, list[str]]] = {}
_took_s: dict[str, float] = {}
_failed: set[str] = set()


def _enter(frame: FrameType, _event: str, _argument: Any) -> None:
    _called.add(frame.f_code)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[Any]:
    _called.clear()
    threading.settrace(_enter)
    sys.settrace(_enter)
    try:
        return (yield)
    finally:
        sys.settrace(None)
        threading.settrace(None)
        ours = (code for code in list(_called) if code.co_filename.startswith(f"{ROOT}{os.sep}"))
        names = {f"{Path(code.co_filename).relative_to(ROOT)}:{code.co_firstlineno}" for code in ours}
        _written[item.nodeid] = (round(_took_s.get(item.nodeid, 0.0), 3), sorted(names))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _took_s[report.nodeid] = _took_s.get(report.nodeid, 0.0) + report.duration
    if not report.passed:
        _failed.add(report.nodeid)


def pytest_sessionfinish() -> None:
    passed = {name: told for name, told in _written.items() if name not in _failed}
    Path(os.environ["MOA_CALLED"]).write_text(json.dumps(passed))
