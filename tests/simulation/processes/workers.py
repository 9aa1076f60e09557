"""The workers of an episode: started, killed, asked how they ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.simulation.node.proxy import Proxy

ROOT: Final = Path(__file__).resolve().parents[3]
TERM_S_MAX: Final = 5.0
LINE_PLACES: Final = {"before a request": "request", "before its answer": "answer"}


class Zygote:
    """The process that forks workers."""

    def __init__(self, log: Path):
        self._log = log

    def __enter__(self) -> Self:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.simulation.processes.zygote"],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait(10)

    def ask(self, command: dict[str, Any]) -> Any:
        """One command's answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the workers' parent ended: {self._log.read_text()[-2000:]}"
        return json.loads(line)


@dataclass(eq=False)
class Worker:
    """One process; `place`: where it should die."""

    pid: int
    place: str
    note: Path
    ended: int | None = None


class Workers:
    """All workers of an episode over one database."""

    def __init__(self, zygote: Zygote, proxy: Proxy, folder: Path, settings: dict[str, Any]):
        self._zygote = zygote
        self._proxy = proxy
        self._folder = folder
        self._settings = settings
        self.all: list[Worker] = []
        self.kills: Counter[str] = Counter()
        # Workers that ended though nobody told them to: always a finding.
        self.surprises: list[str] = []

    @property
    def log(self) -> Path:
        """What they all said."""
        return self._folder / "workers.log"

    def alive(self) -> list[Worker]:
        """Those that still live."""
        for worker in self.all:
            if worker.ended is None:
                self._look(worker, 0.0)
        return [worker for worker in self.all if worker.ended is None]

    def start(self, place: str = "", count: int = 0) -> Worker:
        """One more, perhaps one that will die."""
        note = self._folder / f"note {len(self.all)}"
        own = "" if place in LINE_PLACES else place
        command = {"do": "start", "place": own, "count": count, "note": str(note), "log": str(self.log)}
        worker = Worker(self._zygote.ask({**command, **self._settings}), place, note)
        self.all.append(worker)
        if place in LINE_PLACES:
            self._watch(worker, LINE_PLACES[place], self._proxy.requests + count)
        return worker

    def kill(self) -> None:
        """SIGKILL to all."""
        for worker in self.alive():
            os.kill(worker.pid, signal.SIGKILL)
            if self._look(worker, 10.0) == -signal.SIGKILL and not worker.note.exists():
                self.kills["at some moment"] += 1

    def terminate(self) -> None:
        """SIGTERM to all; each must end by itself, cleanly and in time."""
        for worker in self.alive():
            with suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGTERM)
            ended = self._look(worker, TERM_S_MAX)
            if ended is None:
                doing = _doing(worker.pid)
                self.surprises.append(f"worker {worker.pid} did not end within {TERM_S_MAX:g} s of SIGTERM: {doing}")
                os.kill(worker.pid, signal.SIGKILL)
                self._look(worker, 10.0)
            elif ended in (0, -signal.SIGTERM):
                # Before it listens to signals it ends as any process does.
                self.kills["SIGTERM"] += 1

    def _watch(self, worker: Worker, place: str, number: int) -> None:
        def watch(met: str, at: int) -> None:
            if met == place and at == number and worker.ended is None:
                worker.note.write_text(f"request {at}")
                with suppress(ProcessLookupError):
                    os.kill(worker.pid, signal.SIGKILL)

        self._proxy.watch = watch

    def _look(self, worker: Worker, timeout_s: float) -> int | None:
        worker.ended = self._zygote.ask({"do": "wait", "pid": worker.pid, "timeout_s": timeout_s})
        if worker.ended is None:
            return None
        if worker.ended == -signal.SIGKILL and worker.note.exists():
            self.kills[worker.place] += 1
        elif worker.ended not in (0, -signal.SIGKILL, -signal.SIGTERM):
            self.surprises.append(f"worker {worker.pid} ended by itself with {worker.ended}")
        return worker.ended


def _doing(pid: int) -> str:
    """What the kernel says each of its threads does: R runs, S sleeps, D waits for a disk."""
    found = []
    for task in sorted(Path(f"/proc/{pid}/task").glob("*")):
        with suppress(OSError):
            state = (task / "stat").read_text().rsplit(")", 1)[1].split()[0]
            found.append(f"{(task / 'comm').read_text().strip()} {state} {(task / 'wchan').read_text().strip()}")
    return ", ".join(found)
