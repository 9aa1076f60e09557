"""Refusals of events.

Problem
├── FactConflict        409   the same id with another content; of purchases PurchaseConflict, of returns ReturnConflict
├── OrderUnknown        404
├── RefusalNotFinal     409   an order is corrected before its refusal is final
├── CurrencyWrong       422
├── PurchaseAboveCeiling 422   more than the brand lets one purchase be
├── FreeNotZero         422
├── OccurredTooEarly    422   before the programme began
├── OccurredInFuture    422
├── OperationUnknown    404
├── RuleMissing         409
└── RuleUnread          503
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from api.kit.problems import Problem, told_by_validation


class FactConflict(Problem):
    """This id was reported before with another content."""

    status = 409


class PurchaseConflict(FactConflict):
    """This order id was reported before with another content."""


class ReturnConflict(FactConflict):
    """This return id was reported before with another content."""


class OrderUnknown(Problem):
    """The brand reported no such order."""

    status = 404


class RefusalNotFinal(Problem):
    """The refusal of this order may still be taken back by the chain; correct the order once it is final."""

    status = 409
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "2"}


class CurrencyWrong(Problem):
    """The brand's rule counts in another currency."""

    status = 422


class PurchaseAboveCeiling(Problem):
    """The purchase is more than the brand's own ceiling for one."""

    status = 422


@told_by_validation
class FreeNotZero(Problem):
    """An order of value nothing has the amount 0."""

    status = 422


@told_by_validation
class OccurredTooEarly(Problem):
    """This happened before the programme began."""

    status = 422


@told_by_validation
class OccurredInFuture(Problem):
    """This has not happened yet."""

    status = 422


class OperationUnknown(Problem):
    """The caller has no such operation."""

    status = 404


class RuleMissing(Problem):
    """The brand publishes no rule for this kind of event."""

    status = 409


class RuleUnread(Problem):
    """The mirror is being read anew and may lack the brand's newest rule; send the event again in a moment."""

    status = 503
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "2"}
