"""A benchmark's figure: beside its baseline, against its bar, and kept in a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.bench.figures import Figure, write


@pytest.mark.parametrize(
    ("value", "baseline", "bar", "at_least", "on_value", "passes"),
    [
        (50.0, 10.0, 5.0, True, False, True),
        (49.9, 10.0, 5.0, True, False, False),
        (13.0, 10.0, 1.3, False, False, True),
        (13.1, 10.0, 1.3, False, False, False),
        (3_000.0, 1.0, 3_000.0, True, True, True),
        (2_999.9, 1.0, 3_000.0, True, True, False),
        (25.0, 900.0, 25.0, False, True, True),
        (25.1, 900.0, 25.0, False, True, False),
        (1.0, 10.0, None, True, False, True),
        (1.0, 0.0, 0.5, True, False, False),
    ],
)
def test_a_figure_passes_at_its_bar_and_not_beyond(
    value: float, baseline: float, bar: float | None, at_least: bool, on_value: bool, passes: bool
) -> None:
    """SPEC 11.13"""
    assert Figure("x", value, "a second", baseline, bar, at_least, on_value).passes is passes


def test_the_file_keeps_value_unit_baseline_ratio_bar_and_verdict_and_what_others_measured(tmp_path: Path) -> None:
    """SPEC 11.13"""
    path = tmp_path / "build" / "bench.json"
    write([Figure("mirror", 50.0, "events a second", 10.0, 5.0), Figure("gas", 2.0, "gas", 1.0)], path, commit="aa")
    write([Figure("mirror", 40.0, "events a second", 10.0, 5.0)], path, commit="bb")

    kept = json.loads(path.read_text())

    assert kept["mirror"] == {
        "value": 40.0, "unit": "events a second", "baseline": 10.0, "ratio": 4.0, "bar": 5.0, "pass": False,
        "commit": "bb",
    }  # fmt: skip
    assert (kept["gas"]["value"], kept["gas"]["pass"], kept["gas"]["commit"]) == (2.0, True, "aa")
