"""What was done to the system and what came of it, counted by kind: the table at the end of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class Tally:
    """Counters that add up over episodes."""

    episodes: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    reorgs: Counter[str] = field(default_factory=Counter)
    depths: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    differences: Counter[str] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        """All of another's counts too."""
        for name, counts in vars(other).items():
            getattr(self, name).update(counts)

    def __str__(self) -> str:
        titles = {
            "episodes": "episodes",
            "kills": "kills, by place",
            "reorgs": "reorgs, by what came instead",
            "depths": "reorgs, by depth",
            "faults": "faults of the node, by kind",
            "events": "other events",
            "operations": "operations, by kind and outcome",
            "refusals": "failed operations, by error",
            "differences": "differences",
        }
        return "\n".join(_table(title, getattr(self, name)) for name, title in titles.items())


def _table(title: str, counts: Mapping[str, int]) -> str:
    lines = [f"{title}: {sum(counts.values()):,}"]
    lines += [f"  {count:8,}  {name}" for name, count in sorted(counts.items(), key=lambda one: (-one[1], one[0]))]
    return "\n".join(lines)
