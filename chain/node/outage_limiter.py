"""How often a node that does not answer may be asked, by all loops of this process together.

While a node answers nobody waits. From its first failure on requests are rationed: a few at once, because a closed
keep-alive connection or a restart heals at once, then OUTAGE_REQUESTS_PER_S, whatever number of threads asks. Who
would have to wait too long is told that the node is away, without a request. "429, Retry-After" closes the gate for
as long as the node says, at most RETRY_AFTER_MAX_S.
"""

import threading
import time
from typing import Final
from weakref import WeakValueDictionary

from chain.base.errors import NodeAway

OUTAGE_REQUESTS_PER_S: Final = 2.0
OUTAGE_BURST: Final = 6.0
RETRY_AFTER_MAX_S: Final = 60.0
TURN_WAIT_MAX_S: Final = 2.0


class OutageLimiter:
    """One per node address and process; every Rpc and Heads of the address shares it (see `of`)."""

    def __init__(self, shown: str, *, rationed: bool = True):
        self.shown = shown
        self._rationed = rationed
        self._lock = threading.Lock()
        self._failing = False
        self._tokens = OUTAGE_BURST
        self._counted_at = time.monotonic()
        self._closed_until = 0.0

    def turn(self, wait_max_s: float = TURN_WAIT_MAX_S) -> None:
        """Returns when a request may go; raises NodeAway when that would be later than `wait_max_s`."""
        until = time.monotonic() + wait_max_s
        while True:
            wait_s = self._take()
            if wait_s <= 0:
                return
            if time.monotonic() + wait_s > until:
                raise NodeAway(self.shown, wait_s)
            time.sleep(wait_s)

    def answered(self) -> None:
        """The node answered as a node: nobody waits any more."""
        if self._failing:
            with self._lock:
                self._failing = False
                self._tokens = min(OUTAGE_BURST, self._tokens + 1)

    def failed(self, retry_after_s: float | None = None) -> None:
        """The node did not answer, or asked for patience."""
        if not self._rationed:
            return
        with self._lock:
            if not self._failing:
                self._refill()
            self._failing = True
            if retry_after_s is not None:
                self._closed_until = time.monotonic() + min(RETRY_AFTER_MAX_S, max(0.0, retry_after_s))

    def _take(self) -> float:
        """0 when the caller may go now, else the seconds after which to ask again."""
        with self._lock:
            now = time.monotonic()
            if now < self._closed_until:
                return self._closed_until - now
            if not self._failing:
                return 0.0
            self._refill()
            if self._tokens < 1:
                return (1 - self._tokens) / OUTAGE_REQUESTS_PER_S
            self._tokens -= 1
            return 0.0

    def _refill(self) -> None:
        now = time.monotonic()
        self._tokens = min(OUTAGE_BURST, self._tokens + (now - self._counted_at) * OUTAGE_REQUESTS_PER_S)
        self._counted_at = now


_paces: WeakValueDictionary[str, OutageLimiter] = WeakValueDictionary()
_paces_lock = threading.Lock()


def limiter_of(shown: str) -> OutageLimiter:
    """The pace of the node at this host and port."""
    with _paces_lock:
        found = _paces.get(shown)
        if found is None:
            found = _paces[shown] = OutageLimiter(shown)
        return found
