"""A circuit breaker: many failures of one cause in a row, and nothing new goes out for a while.

closed ──(failures in a row)──> open ──(pause)──> half-open ──(it worked)──> closed
                                  ▲                   └──(it failed: a longer pause)──┐
                                  └────────────────────────────────────────────────────┘
"""

import time
from collections.abc import Callable
from typing import Final

from chain.relayer.settings import RelayerSettings

CLOSED: Final = "closed"
OPEN: Final = "open"
HALF_OPEN: Final = "half-open"

# The causes that are counted, and what they are called where a person reads them.
NODE: Final = "node"
REFUSED: Final = "refused"
REVERTED: Final = "reverted"
CAUSES: Final = {
    NODE: "the node did not answer as a node",
    REFUSED: "the node refused our transactions",
    REVERTED: "our transactions reverted as a whole",
}


class CircuitBreaker:
    """Counts failures by cause. Half-open lets a single transaction through as a probe."""

    def __init__(self, settings: RelayerSettings, now: Callable[[], float] = time.monotonic):
        self._settings = settings
        self._now = now
        self._failures = dict.fromkeys(CAUSES, 0)
        self._why = dict.fromkeys(CAUSES, "")
        self._open_cause: str | None = None
        self._pause_s = settings.breaker_pause_s
        self._open_until = 0.0

    @property
    def state(self) -> str:
        """closed, open or half-open."""
        if self._open_cause is None:
            return CLOSED
        return OPEN if self._now() < self._open_until else HALF_OPEN

    @property
    def why(self) -> str:
        """A sentence for people; empty while closed."""
        cause = self._open_cause
        if cause is None:
            return ""
        return f"{CAUSES[cause]} {self._failures[cause]} times in a row, last: {self._why[cause]}"

    @property
    def wait_s(self) -> float:
        """How long it stays open; 0 when it is not."""
        return max(0.0, self._open_until - self._now()) if self._open_cause else 0.0

    def failed(self, cause: str, why: str) -> None:
        """One more failure; the last allowed one, or any while half-open, opens the breaker."""
        if self.state == OPEN:
            return
        self._failures[cause] += 1
        self._why[cause] = why
        if self._open_cause == cause:
            self._pause_s = min(self._settings.breaker_pause_s_max, self._pause_s * 2)
        elif self._failures[cause] < self._settings.breaker_failures_max:
            return
        self._open_cause = cause
        self._open_until = self._now() + self._pause_s

    def succeeded(self, cause: str) -> None:
        """What failed works again."""
        self._failures[cause] = 0
        if self._open_cause == cause:
            self._open_cause = None
            self._pause_s = self._settings.breaker_pause_s
