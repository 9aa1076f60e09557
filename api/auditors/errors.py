"""Refusals of the log and of the auditor's view.

Problem
├── LogUnavailable      503   nothing has been signed yet
├── LogRangeWrong       422   the log has no such entry, or no tree of such a size
├── TileUnknown         404   the signed tree has no such tile, or it is called otherwise
├── CheckpointUnknown   404   the note is none of the newest that the log signed
└── CosignatureInvalid  422   no line of a known witness is on the note, or it is not its own
"""

from __future__ import annotations

from typing import ClassVar

from api.kit.problems import Problem


class LogUnavailable(Problem):
    """The log of acts has signed nothing yet."""

    status = 503
    headers: ClassVar = {"Retry-After": "2"}


class LogRangeWrong(Problem):
    """The log has no such entry, or no tree of this size."""

    status = 422


class TileUnknown(Problem):
    """The signed tree has no such tile, or it is called otherwise."""

    status = 404


class CheckpointUnknown(Problem):
    """The log signed no such checkpoint lately."""

    status = 404


class CosignatureInvalid(Problem):
    """The note has no valid cosignature of a witness that this gateway shows."""

    status = 422
