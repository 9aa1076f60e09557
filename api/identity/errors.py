"""Refusals of identity.

Problem
├── KeyMissing, KeyInvalid                     401
├── SessionExpired                             401
├── NotYours                                   403   a known caller, the wrong kind or brand
├── BrandUnknown, MemberUnknown, KeyUnknown    404
├── BrandExists, BrandNotDeployed              409
├── IdentifierTaken                            409
└── MemberUnclear                              422
"""

from __future__ import annotations

from typing import ClassVar

from api.problems import Problem, told_by_validation

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="moa"'}


class KeyMissing(Problem):
    """No key was given."""

    status = 401
    headers: ClassVar = _CHALLENGE


class KeyInvalid(Problem):
    """The key is unknown, wrong or revoked.

    claimed: the id of a key that exists, of which the secret was wrong or which was revoked. For the log of acts
    alone: the caller learns no difference.
    """

    status = 401
    headers: ClassVar = _CHALLENGE
    claimed: str | None = None


class SessionExpired(Problem):
    """The member's session is over."""

    status = 401
    headers: ClassVar = _CHALLENGE


class NotYours(Problem):
    """The caller is known, but this is not theirs to see or to move."""

    status = 403


class BrandUnknown(Problem):
    """No brand has this name."""

    status = 404


class MemberUnknown(Problem):
    """The caller knows no such member."""

    status = 404


class KeyUnknown(Problem):
    """The brand has no such key."""

    status = 404


class BrandExists(Problem):
    """A brand of this name is there already."""

    status = 409


class BrandNotDeployed(Problem):
    """The chain's registry has no such brand."""

    status = 409


class IdentifierTaken(Problem):
    """The brand calls another member by this identifier."""

    status = 409


@told_by_validation
class MemberUnclear(Problem):
    """The member is named twice, or not at all."""

    status = 422
