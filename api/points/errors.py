"""Refusals of journeys; those that the contracts know have the contracts' names and facts.

Problem
├── HoldUnknown                404
├── HoldCodeWrong              422   its digits do not agree
├── HoldStateWrong             409   captured, released or refused already, or not on the chain yet
├── HoldBusy                   409   a step of it is under way
├── HoldStepsTooMany           409
├── HoldOver                   409   its last second has passed
├── CaptureExceedsHold         409
├── RefundExceedsCapture       409
├── ReturnExceedsAward         409   more goods come back than are left of the order
├── ReturnTooLate              409   the rule's return window is over, or it has none
├── AwardUnknown               409   the order has no award that could come back
├── PointsApart                409   enough points, at several addresses of one person
└── ERC20InsufficientBalance   409   fewer points are spendable
"""

from __future__ import annotations

from typing import ClassVar

from api.kit.problems import Problem


class HoldUnknown(Problem):
    """The caller has no such hold."""

    status = 404


class HoldCodeWrong(Problem):
    """The digits of a hold's code do not agree with each other."""

    status = 422


class HoldStateWrong(Problem):
    """The hold is not in the state that this needs."""

    status = 409


class HoldBusy(Problem):
    """A step of this hold is under way; one at a time."""

    status = 409
    headers: ClassVar = {"Retry-After": "1"}


class HoldStepsTooMany(Problem):
    """This hold had as many steps as a hold may have."""

    status = 409


class HoldOver(Problem):
    """The hold's last second has passed: it can only be released."""

    status = 409


class CaptureExceedsHold(Problem):
    """More was to be captured than is held."""

    status = 409


class RefundExceedsCapture(Problem):
    """More was to be refunded than was captured and not refunded."""

    status = 409


class PointsApart(Problem):
    """The member's points lie at several addresses, and none has enough."""

    status = 409


class ERC20InsufficientBalance(Problem):
    """The member has fewer spendable points."""

    status = 409


class ReturnExceedsAward(Problem):
    """More goods were to come back than are left of the order."""

    status = 409


class ReturnTooLate(Problem):
    """The rule's time for returns is over, or the rule takes none."""

    status = 409


class AwardUnknown(Problem):
    """The order has no award that could come back: it earned nothing, or was refused."""

    status = 409
