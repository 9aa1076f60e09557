"""The gateway's logs. Never a key, a token or an identifier of a member."""

from __future__ import annotations

import logging
import time
from typing import Final, TextIO

log = logging.getLogger("moa.gateway")


class AccessLog:
    """A line for each request, written ten times a second (`flush`, by the server's tick) and not once a request:
    a record, its formatting and a write of its own cost a view a sixth of its time. Silent unless it is kept."""

    LINES_MAX: Final = 4_096

    def __init__(self) -> None:
        self._stream: TextIO | None = None
        self._lines: list[str] = []
        self._second, self._at = 0, ""

    @property
    def kept(self) -> bool:
        """Whether lines are wanted at all."""
        return self._stream is not None

    def keep(self, stream: TextIO | None) -> None:
        """Writes lines there from now on; None: nowhere."""
        self.flush()
        self._stream = stream

    def say(self, line: str) -> None:
        """A line, which is given the local time to the second."""
        second = int(time.time())
        if second != self._second:
            self._second, self._at = second, time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
        self._lines.append(f"{self._at} {line}\n")
        if len(self._lines) >= self.LINES_MAX:
            self.flush()

    def flush(self) -> None:
        """Writes what waits. Whoever reads the stream no longer changes nothing for callers."""
        lines, self._lines = self._lines, []
        if lines and self._stream is not None:
            try:
                self._stream.write("".join(lines))
                self._stream.flush()
            except (OSError, ValueError):
                self._stream = None
                log.warning("the access log's stream is closed: no more lines are kept")


access_log: Final = AccessLog()
