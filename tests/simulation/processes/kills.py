"""Where a worker dies: at the n-th statement or commit it comes to, by its own hand, with SIGKILL."""

import os
import signal
import threading
from pathlib import Path
from typing import Any, NoReturn

from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect


class Fate:
    """Counts to the place and dies there; what it died of is left in a file."""

    def __init__(self, count: int, note: Path):
        self._left = count
        self._note = note
        self._lock = threading.Lock()

    def meet(self, what: str) -> None:
        """One place more."""
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self._die(what)

    def _die(self, what: str) -> NoReturn:
        self._note.write_text(" ".join(what.split())[:200])
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("unreachable")


def arm(place: str, count: int, note: Path) -> None:
    """From now on this process dies at the place. Requests and answers are watched by the line, not here."""
    fate = Fate(count, note)
    if place in ("before a statement", "after a statement"):
        name = "before_cursor_execute" if place.startswith("before") else "after_cursor_execute"
        event.listen(Engine, name, lambda _c, _cursor, statement, *_: fate.meet(statement))
    elif place in ("before a commit", "after a commit"):
        honest = DefaultDialect.do_commit

        def commit(self: Any, connection: Any) -> None:
            if place.startswith("before"):
                fate.meet("commit")
            honest(self, connection)
            if place.startswith("after"):
                fate.meet("commit")

        DefaultDialect.do_commit = commit
