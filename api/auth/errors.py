"""Refusals of a caller."""

from __future__ import annotations

from typing import ClassVar

from api.kit.problems import Problem

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


class SecondFactorNeeded(Problem):
    """This is done by who came in with a passkey only."""

    status = 403
