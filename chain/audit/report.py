"""What an audit is asked for, and what it says: plan, progress, report."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from chain.base.difference import Difference

DIFFERENCES_KEPT_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Sample:
    """A quick audit: so many blocks with events and so many accounts, chosen by the seed."""

    size: int
    seed: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What to audit. pin: the hash of the block that is trusted.

    every_block: rebuild receiptsRoot of every block that has transactions, whatever its bloom says. finished: file of
    an audit to go on from. save: where to write the file of this one.
    """

    pin: bytes
    sample: Sample | None = None
    every_block: bool = False
    finished: Path | None = None
    save: Path | None = None


class Progress(Protocol):
    """Hears how far the audit is."""

    def stage(self, name: str, total: int) -> None:
        """A stage begins; total steps."""

    def walked(self, count: int) -> None:
        """So many steps more."""


@dataclass(slots=True)
class Report:
    """What was looked at and what differs; at most DIFFERENCES_KEPT_MAX are kept, `found` counts all."""

    pin: str
    number: int = 0
    time: int = 0
    sample: Sample | None = None
    since: int | None = None
    saved: str | None = None
    found: int = 0
    differences: list[Difference] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    finished: bool = False

    @property
    def agrees(self) -> bool:
        """Everything that was to be looked at was, and all of it agrees."""
        return self.finished and self.found == 0

    def differs(self, difference: Difference) -> None:
        """Notes a difference."""
        self.found += 1
        if len(self.differences) < DIFFERENCES_KEPT_MAX:
            self.differences.append(difference)

    def count(self, what: str, more: int = 1) -> None:
        """So many more were looked at."""
        self.counts[what] = self.counts.get(what, 0) + more
