"""Refusals of badges; those that the contract knows have its names.

Problem
├── BadgeConflict          409   the same reference with another content
├── BadgeGiverElsewhere    409   the definition names another giver than the role that the gateway's relayer has
├── GivingOver             409   the definition's time for giving is over
├── BadgeNotWithdrawable   409
└── MemberRepeated         422   a member stands twice in a batch

DefinitionUnknown comes as ContractRefused by its own name; BadgeHeld, BadgesExhausted and BadgeUnknown are outcomes.
"""

from __future__ import annotations

from api.kit.problems import Problem


class BadgeConflict(Problem):
    """This reference was given before with another content; it counts once."""

    status = 409


class BadgeGiverElsewhere(Problem):
    """The definition says that the brand's owner or till gives it; the gateway gives as the brand's issuer."""

    status = 409


class GivingOver(Problem):
    """The definition's time for giving is over."""

    status = 409


class BadgeNotWithdrawable(Problem):
    """The definition says that these badges stay."""

    status = 409


class MemberRepeated(Problem):
    """A member stands twice in a batch."""

    status = 422
