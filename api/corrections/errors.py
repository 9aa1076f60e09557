"""Refusals of points by hand; those that the contract knows have its names.

Problem
├── CorrectionUnknown      404
├── CorrectionConflict     409   the same reference with another content
├── CorrectionStateWrong   409   decided already
├── CorrectionExpired      409   what was to be signed is over
├── SecondSignerSame       409   who asked does not approve
├── AskerUnknown           409   who asked has no role any more, so nobody can tell whether it is another
├── CorrectionTooLarge     409   more than the rule's cap per award, which the contract would cut
├── MemberCapExceeded      409
├── BudgetExceeded         409
├── RoleMissing            409   the signing account does not hold the brand's owner role
└── SignatureInvalid       409
"""

from __future__ import annotations

from api.kit.problems import Problem


class CorrectionUnknown(Problem):
    """The caller has no such correction."""

    status = 404


class CorrectionConflict(Problem):
    """This reference was given before with another content; it counts once."""

    status = 409


class CorrectionStateWrong(Problem):
    """The correction is not in the state that this needs."""

    status = 409


class CorrectionExpired(Problem):
    """The time in which this could be approved is over; it is to be asked for anew."""

    status = 409


class SecondSignerSame(Problem):
    """Who asked is not who decides: it takes two."""

    status = 409


class AskerUnknown(Problem):
    """Who asked has no role any more: nobody can tell whether the second one is another. It is to be asked anew."""

    status = 409


class CorrectionTooLarge(Problem):
    """More points than the brand's published rule gives by hand at once."""

    status = 409


class MemberCapExceeded(Problem):
    """More than the rule gives this member by hand in a day."""

    status = 409


class BudgetExceeded(Problem):
    """More than is left of the rule's budget."""

    status = 409


class RoleMissing(Problem):
    """The account that signed does not hold the brand's owner role, or would have to wait."""

    status = 409


class SignatureInvalid(Problem):
    """This is not the account's signature over this very correction."""

    status = 409
