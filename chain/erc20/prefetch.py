"""Reads the next spans while the last ones are written: node and database work at the same time."""

import queue
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self

from chain.erc20.reading import Source, Span
from chain.errors import ChainError

AHEAD_SPANS: Final = 1
PUT_POLL_S: Final = 0.1


class Prefetch:
    """Spans from `first` to `last` in their order, read by a thread that owns the source meanwhile.

    What goes wrong in the thread is raised where the next span is taken. Bounded: AHEAD_SPANS wait to be taken.
    """

    def __init__(self, source: Source, first: int, last: int):
        self._source = source
        self._first, self._last = first, last
        self._spans: queue.Queue[Span | Exception] = queue.Queue(AHEAD_SPANS)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, name="prefetch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The source is free again when this returns; a request under way is left to its timeout."""
        self._ended.set()
        self._thread.join()

    def __iter__(self) -> Iterator[Span]:
        taken = self._first - 1
        while taken < self._last:
            found = self._spans.get()
            if isinstance(found, Exception):
                raise found
            taken = found.last
            yield found

    def _read(self) -> None:
        at = self._first
        while at <= self._last and not self._ended.is_set():
            found: Span | Exception
            try:
                found = self._source.span(at, self._last)
                at = found.last + 1
            except ChainError as error:
                found = error
                at = self._last + 1
            except Exception as error:
                # Our own mistake: it ends the mirror, not only this thread.
                found = error
                at = self._last + 1
            self._put(found)

    def _put(self, found: Span | Exception) -> None:
        while not self._ended.is_set():
            try:
                self._spans.put(found, timeout=PUT_POLL_S)
                return
            except queue.Full:
                continue
