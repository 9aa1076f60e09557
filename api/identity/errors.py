"""Refusals about who is who.

Problem
├── IdentifierMalformed, IdentifierBlocked, PhoneUnclear  422
├── IdentifiersMissing                                    422
├── MergeUnknown, ClaimUnknown, IdentifierUnknown         404
├── MergeRefused, MergeTooLarge, LimitReached             409
├── UndoTooLate, MergeUndone                              409
├── ClaimTaken                                            409
├── ClaimExpired                                          410
└── TriesTooMany                                          429
"""

from __future__ import annotations

from typing import ClassVar

from api.kit.problems import Problem


class IdentifierMalformed(Problem):
    """The value is none of its kind."""

    status = 422


class IdentifierBlocked(Problem):
    """The value names nobody."""

    status = 422


class PhoneUnclear(Problem):
    """The telephone number has no country, and the brand has none either."""

    status = 422


class IdentifiersMissing(Problem):
    """No identifier is left that names anybody."""

    status = 422


class IdentifierUnknown(Problem):
    """The member has no such identifier."""

    status = 404


class MergeUnknown(Problem):
    """There is no such merge of yours."""

    status = 404


class ClaimUnknown(Problem):
    """No receipt has this code."""

    status = 404


class MergeRefused(Problem):
    """These two are not to be made one."""

    status = 409


class MergeTooLarge(Problem):
    """More members than one person may stand for."""

    status = 409


class LimitReached(Problem):
    """A person has no more identifiers of this kind."""

    status = 409


class UndoTooLate(Problem):
    """The time within which this merge could be undone is over."""

    status = 409


class MergeUndone(Problem):
    """This merge was undone already."""

    status = 409


class ClaimTaken(Problem):
    """The receipt was claimed already."""

    status = 409


class ClaimExpired(Problem):
    """The time within which the receipt could be claimed is over."""

    status = 410


class TriesTooMany(Problem):
    """Too many wrong codes; wait a while."""

    status = 429
    headers: ClassVar = {"Retry-After": "3600"}
