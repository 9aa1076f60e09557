"""Every request the node got, with its time: what a client costs its provider."""

import threading
import time
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

EXCHANGES_MAX: Final = 200_000


@dataclass(frozen=True, slots=True)
class Exchange:
    """One HTTP request or WebSocket message; a batch holds many calls. `at`: seconds, monotonic."""

    at: float
    transport: str
    calls: tuple[tuple[str, list[Any]], ...]


class RequestLog:
    """Counts by method and time. What was refused, delayed or never answered is counted too."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._exchanges: deque[Exchange] = deque(maxlen=EXCHANGES_MAX)

    def note(self, transport: str, calls: Sequence[tuple[str, list[Any]]]) -> None:
        """Written by the server as a request comes in."""
        with self._lock:
            self._exchanges.append(Exchange(time.monotonic(), transport, tuple(calls)))

    def clear(self) -> None:
        """Forgets everything, to count from here on."""
        with self._lock:
            self._exchanges.clear()

    def exchanges(self, method: str | None = None, *, since: float = 0.0) -> list[Exchange]:
        """Those that held a call of the method, oldest first."""
        with self._lock:
            held = list(self._exchanges)
        return [
            one for one in held if one.at >= since and (method is None or any(name == method for name, _ in one.calls))
        ]

    def calls(self, method: str) -> list[list[Any]]:
        """The parameters of every call of the method, oldest first."""
        return [params for one in self.exchanges(method) for name, params in one.calls if name == method]

    def count(self, method: str | None = None) -> int:
        """How many exchanges (of the method)."""
        return len(self.exchanges(method))

    def methods(self) -> Counter[str]:
        """How many calls of each method, those within batches included."""
        return Counter(name for one in self.exchanges() for name, _ in one.calls)

    def busiest(self, window_s: float = 1.0, method: str | None = None) -> int:
        """The most exchanges that ever fell into a window of that length."""
        times = [one.at for one in self.exchanges(method)]
        return max((index + 1 - bisect_left(times, at - window_s) for index, at in enumerate(times)), default=0)
