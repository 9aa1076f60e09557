"""Refusals of staff.

Problem
├── RoleNotYours    403   nobody gave you this role
├── RoleUnknown     404
└── RoleGiven       409
"""

from __future__ import annotations

from api.kit.problems import Problem


class RoleNotYours(Problem):
    """Nobody gave this role to an address that you proved."""

    status = 403


class RoleUnknown(Problem):
    """There is no such role here."""

    status = 404


class RoleGiven(Problem):
    """This address has the role already."""

    status = 409
