"""Reads the next spans while the last ones are written: node, this process and the database work at the same time.

Two readers take turns, so that the node has a question while an answer is taken apart. What they read comes out in
the order of the chain.
"""

import threading
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Final, Self

from chain.erc20.reading import Source, Span

# Pieces that are being read or wait. Each may hold as many logs as a range does; those that wait are rows only.
AHEAD_MAX: Final = 6
WAIT_S: Final = 0.5

Piece = list[Span] | BaseException


class Prefetch:
    """Spans from `first` to `last` in their order, read by a thread for each source, which owns it meanwhile.

    What goes wrong in a thread is raised where its piece would have come. Bounded: AHEAD_MAX pieces at once.
    """

    def __init__(self, sources: Sequence[Source], first: int, last: int):
        self._sources = sources
        self._first, self._next, self._last = first, first, last
        self._pieces: dict[int, Piece] = {}
        self._given = self._taken = 0
        self._ended = False
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._read, args=(source,), name="prefetch", daemon=True) for source in sources
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The sources are free again when this returns; a request under way is left to its timeout."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def __iter__(self) -> Iterator[Span]:
        at = self._first
        while at <= self._last:
            with self._changed:
                while self._taken not in self._pieces:
                    self._changed.wait(WAIT_S)
                piece = self._pieces.pop(self._taken)
            if isinstance(piece, BaseException):
                raise piece
            for span in piece:
                at = span.last + 1
                yield span
            with self._changed:
                self._taken += 1
                self._changed.notify_all()

    def _read(self, source: Source) -> None:
        while (piece := self._take(source)) is not None:
            number, first, last = piece
            read: Piece
            try:
                spans: list[Span] = []
                while first <= last:
                    spans.append(source.span(first, last))
                    first = spans[-1].last + 1
                read = spans
            except BaseException as error:
                # Our own mistakes too: they end the mirror where the piece is taken, not only this thread.
                read = error
            with self._changed:
                self._pieces[number] = read
                self._changed.notify_all()
            if isinstance(read, BaseException):
                return

    def _take(self, source: Source) -> tuple[int, int, int] | None:
        """Number, first and last block of the next piece; None when there is none."""
        with self._changed:
            while not self._ended and self._given - self._taken >= AHEAD_MAX:
                self._changed.wait(WAIT_S)
            if self._ended or self._next > self._last:
                return None
            number, first = self._given, self._next
            last = min(self._last, first + source.ranges.width - 1)
            self._given, self._next = number + 1, last + 1
            return number, first, last
