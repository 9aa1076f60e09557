"""Refusals of privacy.

Problem
├── ConsentTextUnknown   422   the purpose has no text of this version
├── ConsentNotYetSaid    422   reported from the future
├── QuietHoursMalformed  422
├── ErasureUnconfirmed   422
└── ExportTooLarge       413
"""

from __future__ import annotations

from api.kit.problems import Problem


class ConsentTextUnknown(Problem):
    """This purpose has no text of this version."""

    status = 422


class ConsentNotYetSaid(Problem):
    """A word is reported after it was said."""

    status = 422


class QuietHoursMalformed(Problem):
    """Quiet hours have a beginning, another end, and a time zone that there is."""

    status = 422


class ErasureUnconfirmed(Problem):
    """Erasing cannot be undone: it is confirmed in words."""

    status = 422


class ExportTooLarge(Problem):
    """More is kept than one archive holds."""

    status = 413
