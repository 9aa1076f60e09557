"""What a loop says while it waits: each kind of trouble once, again while it lasts, and that it is over."""

import logging
import threading
import time
from typing import Final

from chain.base.errors import ChainError

log = logging.getLogger(__name__)

REPEAT_S: Final = 60.0


class Waiting:
    """Waits ever longer for one kind of thing: `first_s`, then twice as long each time, at most `most_s`."""

    def __init__(self, what: str, first_s: float, most_s: float, level: int = logging.WARNING):
        self._what = what
        self._first_s = first_s
        self._most_s = most_s
        self._level = level
        self._next_s = first_s
        # When each kind of trouble was told last; the words may differ each time, as a number of seconds does.
        self._told: dict[str, float] = {}
        self._since: float | None = None

    @property
    def lasts_s(self) -> float:
        """For how long it has waited; 0 when it does not."""
        return 0.0 if self._since is None else time.monotonic() - self._since

    def wait(self, stop: threading.Event, error: ChainError) -> None:
        """Says why, unless it said so a moment ago, and waits."""
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        if now - self._told.get(error.name, -REPEAT_S) >= REPEAT_S:
            self._told[error.name] = now
            log.log(self._level, "waiting: %s", error)
        stop.wait(self._next_s)
        self._next_s = min(self._most_s, 2 * self._next_s)

    def over(self) -> None:
        """What was waited for is there."""
        if self._since is not None:
            log.log(self._level, "%s after %.1f s", self._what, self.lasts_s)
            self._since, self._next_s = None, self._first_s
            self._told.clear()
