"""Refusals of reports.

Problem
├── HistoryNotAvailable   404   the mirror has no history of the block or moment that was asked for
├── AsOfMalformed         422   a block and a moment at once, or a moment that is none
├── FractionInvalid       422
├── PeriodInvalid         422
└── ExportsTooMany        429
"""

from __future__ import annotations

from typing import ClassVar

from api.kit.problems import Problem


class HistoryNotAvailable(Problem):
    """There is no history of this block or moment."""

    status = 404


class AsOfMalformed(Problem):
    """This names no block."""

    status = 422


class FractionInvalid(Problem):
    """A price or share that is not written as 3/10."""

    status = 422


class PeriodInvalid(Problem):
    """The period ends before it begins."""

    status = 422


class ExportsTooMany(Problem):
    """Too many exports are being made already."""

    status = 429
    headers: ClassVar = {"Retry-After": "10"}
