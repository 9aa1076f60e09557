"""Refusals of identity.

Problem
├── KeyMissing, KeyInvalid                     401
├── SessionExpired                             401
├── NotYours                                   403   a known caller, the wrong kind or brand
├── BrandUnknown, MemberUnknown, KeyUnknown    404
├── SessionUnknown, DeviceUnknown              404
├── KeyEnded, LastOperatorKey                  409
├── BrandExists                                409
├── IdentifierTaken                            409
└── MemberUnclear                              422
"""

from __future__ import annotations

from api.kit.problems import Problem, told_by_validation


class BrandUnknown(Problem):
    """No brand has this name."""

    status = 404


class MemberUnknown(Problem):
    """The caller knows no such member."""

    status = 404


class KeyUnknown(Problem):
    """The brand has no such key."""

    status = 404


class SessionUnknown(Problem):
    """The member has no such session."""

    status = 404


class DeviceUnknown(Problem):
    """The member has no such device."""

    status = 404


class KeyEnded(Problem):
    """The key has ended, or its end is set."""

    status = 409


class LastOperatorKey(Problem):
    """Without this key nobody could make another."""

    status = 409


class BrandExists(Problem):
    """Another brand is called so."""

    status = 409


class IdentifierTaken(Problem):
    """The brand calls another member by this identifier."""

    status = 409


@told_by_validation
class MemberUnclear(Problem):
    """The member is named twice, or not at all."""

    status = 422
