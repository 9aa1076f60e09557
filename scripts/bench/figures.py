"""A measured figure, the table that shows it and the file that keeps it (build/bench.json)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """One measurement beside its baseline. `bar` bounds the ratio value / baseline, or the value when `on_value`.

    at_least: the bar is a floor, else a ceiling. bar None: shown only, nothing promised.
    """

    name: str
    value: float
    unit: str
    baseline: float
    bar: float | None = None
    at_least: bool = True
    on_value: bool = False

    @property
    def ratio(self) -> float:
        return self.value / self.baseline if self.baseline else 0.0

    @property
    def passes(self) -> bool:
        if self.bar is None:
            return True
        measured = self.value if self.on_value else self.ratio
        return measured >= self.bar if self.at_least else measured <= self.bar

    def as_json(self) -> dict[str, object]:
        return {
            "value": round(self.value, 3),
            "unit": self.unit,
            "baseline": round(self.baseline, 3),
            "ratio": round(self.ratio, 3),
            "bar": self.bar,
            "pass": self.passes,
        }


def show(figures: Sequence[Figure], console: Console) -> None:
    """Prints one line a figure."""
    table = Table(box=box.SIMPLE_HEAD)
    for title in ("what", "value", "unit", "baseline", "ratio", "bar", ""):
        table.add_column(title, justify="left" if title in {"what", "unit", ""} else "right")
    for figure in figures:
        sign = "≥" if figure.at_least else "≤"
        bar = "" if figure.bar is None else f"{sign} {figure.bar:,g}{'' if figure.on_value else ' ×'}"
        verdict = "" if figure.bar is None else ("[green]pass[/]" if figure.passes else "[red]FAIL[/]")
        table.add_row(
            figure.name,
            f"{figure.value:,.1f}",
            figure.unit,
            f"{figure.baseline:,.1f}",
            f"{figure.ratio:.2f}",
            bar,
            verdict,
        )
    console.print(table)


def write(figures: Sequence[Figure], path: Path, *, commit: str) -> None:
    """Adds the figures to the file, with the commit they were measured at; those of other names stay."""
    path.parent.mkdir(parents=True, exist_ok=True)
    known: dict[str, object] = json.loads(path.read_text()) if path.exists() else {}
    known.update({figure.name: {**figure.as_json(), "commit": commit} for figure in figures})
    path.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
