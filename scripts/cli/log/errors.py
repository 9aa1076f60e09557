"""What can go wrong outside a log: it cannot be read, or somebody else is at work."""

from __future__ import annotations


class SourceFailed(Exception):
    """The log could not be read: its sentence says why."""


class WitnessBusy(Exception):
    """Another witness uses this state file."""


class MemoryUnreadable(Exception):
    """A witness's memory is not what a witness wrote. It is never begun anew by itself: that would forget a fork."""


class ActUnrecorded(Exception):
    """An act could not be written down, so what was asked for is not told."""


class OldSizeWrong(Exception):
    """A submission does not begin with the size that the witness saw last."""

    def __init__(self, size: int):
        super().__init__(f"The largest tree that was seen has {size} entries.")
        self.size = size


class RootsDiffer(Exception):
    """A submission is of the size that the witness saw last, and of another tree."""

    def __init__(self, size: int):
        super().__init__(f"Another tree of {size} entries was seen before.")
        self.size = size
