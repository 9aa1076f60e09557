"""Refusals of reported events.

Problem
├── EventConflict      409   the same source and id with another content; told with both
├── EventKindUnknown   422   refused by name
├── EventsTooMany      413   a batch beyond its bound
└── BasketUnequal      422   lines, discount, tax and shipping do not make the total
"""

from __future__ import annotations

from api.kit.problems import Problem, told_by_validation


class EventConflict(Problem):
    """An event of this source was reported before under this id with another content."""

    status = 409


class EventKindUnknown(Problem):
    """No such kind of event is taken."""

    status = 422


class EventsTooMany(Problem):
    """A batch has more events than one request may have."""

    status = 413


@told_by_validation
class BasketUnequal(Problem):
    """The lines of a basket do not make its total."""

    status = 422
