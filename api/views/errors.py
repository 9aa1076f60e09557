"""Refusals of channels.

Problem
├── CursorMalformed    422
├── CursorExpired      410   the mirror was built anew, or the place is not in it
├── PageUnsettled      503   something that belongs to the page is still being written
├── EntryUnknown       404
├── ViewUnavailable    503   the mirror has not begun
└── StreamsTooMany     429
"""

from __future__ import annotations

from typing import ClassVar

from api.kit.problems import Problem


class CursorMalformed(Problem):
    """The cursor is not one that we gave."""

    status = 422


class CursorExpired(Problem):
    """The cursor is of a mirror that was built anew since, or of a place that does not exist; begin again."""

    status = 410


class PageUnsettled(Problem):
    """Something that belongs to the page is being written for unusually long."""

    status = 503
    headers: ClassVar = {"Retry-After": "2"}


class EntryUnknown(Problem):
    """The caller has no such entry."""

    status = 404


class ViewUnavailable(Problem):
    """The mirror has not read its first block yet."""

    status = 503
    headers: ClassVar = {"Retry-After": "2"}


class StreamsTooMany(Problem):
    """Too many live streams are open already."""

    status = 429
    headers: ClassVar = {"Retry-After": "10"}


class EvidenceUnavailable(Problem):
    """The node does not have what the evidence asks for, or it is more than a document holds."""

    status = 409


class MemoUnproven(Problem):
    """The memo has no such field, or the chain does not carry its root."""

    status = 409


class ReceiptNotYet(Problem):
    """There is nothing on the chain yet that a receipt could tell of."""

    status = 409


class EvidenceBusy(Problem):
    """As much evidence is being made already as this gateway makes at a time."""

    status = 503
    headers: ClassVar = {"Retry-After": "2"}
