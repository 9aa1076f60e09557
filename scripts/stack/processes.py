"""Processes that we start: each logs to a file, is stopped in order, and ends when we end, for whatever reason.

Every child holds the read end of a pipe on its standard input. When the parent is gone (even by SIGKILL) the kernel
closes the write end, the child reads end-of-file and stops itself: no process is left behind.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

STOP_TIMEOUT_S = 8.0
LOG_TAIL_LINES = 15


class ChildEnded(Exception):
    """A process that should be running has ended; its last lines say why."""

    def __init__(self, name: str, returncode: int, log: Path):
        how = f"was killed by signal {-returncode}" if returncode < 0 else f"ended with status {returncode}"
        super().__init__(f"The {name} {how}. Its log is {log}.\n{tail(log)}")
        self.name, self.returncode, self.log = name, returncode, log


@dataclass
class Child:
    """One process of ours."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Raises ChildEnded when the process is gone."""
        returncode = self.process.poll()
        if returncode is not None:
            raise ChildEnded(self.name, returncode, self.log)

    def stop(self) -> None:
        """SIGTERM, then SIGKILL after STOP_TIMEOUT_S; waits until it is gone."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        if self.process.stdin:
            with contextlib.suppress(OSError):
                self.process.stdin.close()


def start(name: str, command: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None) -> Child:
    """Starts `command` in a process group of its own (Ctrl-C reaches it through us only), output to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
    return Child(name, process, log)


@contextlib.contextmanager
def running(children: list[Child]) -> Iterator[list[Child]]:
    """Stops the children, last started first, however the block ends."""
    try:
        yield children
    finally:
        for child in reversed(children):
            child.stop()


def tail(log: Path, lines: int = LOG_TAIL_LINES) -> str:
    """The last lines of a log, indented, or an empty string."""
    with contextlib.suppress(OSError):
        return "\n".join("    " + line for line in log.read_text(errors="replace").splitlines()[-lines:])
    return ""


def end_with_parent(grace_s: float = STOP_TIMEOUT_S) -> None:
    """Ends this process when its standard input ends: politely first, then for good after `grace_s`.

    Does nothing in a terminal, where standard input belongs to a person.
    """
    if sys.stdin is None or sys.stdin.isatty() or os.environ.get("MOA_CHILD") != "1":
        return

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace_s)
        os._exit(1)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()
