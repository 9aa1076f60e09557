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
