"""How much of a brand may wait in the queue: bounded, and told by name before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from sqlmodel import Session

from api.kit.problems import Problem
from api.kit.settings import Settings
from chain.outbox import fair_queue
from chain.outbox.fair_queue import BULK, PERSON

RETRY_AFTER_S: Final = 5


class BacklogFull(Problem):
    """So much of this brand waits already that nothing more is taken for now."""

    status = 429
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": str(RETRY_AFTER_S)}


def room(session: Session, settings: Settings, *, brand: int, bulk: bool) -> int:
    """How many more operations of the brand may be queued; lines and single requests have a bound each."""
    most = settings.backlog_lines_max if bulk else settings.backlog_max
    return max(0, most - fair_queue.backlog(session.connection(), brand, BULK if bulk else PERSON, most))


def refuse_full(session: Session, settings: Settings, *, brand: int) -> None:
    """Raises BacklogFull when a single request has no room."""
    if room(session, settings, brand=brand, bulk=False) == 0:
        raise full(settings, bulk=False)


def full(settings: Settings, *, bulk: bool) -> BacklogFull:
    """The refusal, with the bound."""
    most = settings.backlog_lines_max if bulk else settings.backlog_max
    what = "lines" if bulk else "requests"
    return BacklogFull(
        f"{most} {what} of this brand wait already; send again in {RETRY_AFTER_S} seconds.",
        backlog_max=most,
        retry_after_s=RETRY_AFTER_S,
    )
