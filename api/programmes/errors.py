"""Refusals of decisions. Those that the contracts know have the contracts' names and values.

    Problem
    ├── RuleNotInForce      409
    ├── AgreementUnknown    404   no agreement from this brand to that
    ├── VersionChanged      409   the quote was made with another version
    ├── OutBelowMinimum     409   the exchange would give less than the member accepts
    └── OutTooLarge         409

What a contract refuses otherwise (BudgetExceeded, DailyCapExceeded …) comes as ContractRefused by its own name.
"""

from __future__ import annotations

from api.kit.problems import Problem


class AgreementUnknown(Problem):
    """These brands have no agreement in force in this direction."""

    status = 404


class VersionChanged(Problem):
    """The quote was made with another version of the agreement than the one in force."""

    status = 409


class OutBelowMinimum(Problem):
    """The exchange would give less than the member accepts."""

    status = 409


class OutTooLarge(Problem):
    """The exchange would give more than a lot can hold."""

    status = 409


class RuleNotInForce(Problem):
    """The rule does not count at this time."""

    status = 409
