"""The parent of all workers: everything imported once, each worker a fork of it, so that a start costs milliseconds.

`python -m tests.simulation.processes.zygote` reads one JSON command a line and answers each with one line.
"""

from __future__ import annotations

import ctypes
import gc
import json
import logging
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any, Final

from chain.mirror.settings import MirrorSettings
from chain.relayer.loop import RelayerSettings
from chain.storage.keystore import LocalKeystore
from chain.worker import run
from tests.simulation.processes import kills, plants, tempo

PR_SET_PDEATHSIG: Final = 1
POLL_S: Final = 0.002
OWN_END: Final = 70


def main() -> None:
    """Serves until its input ends; then every worker ends with it."""
    tempo.hurry()
    keystores: dict[str, LocalKeystore] = {}
    statuses: dict[int, int | None] = {}
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        command = json.loads(line)
        if command["do"] == "start":
            path = command["keystore"]
            # Opening a keystore takes a tenth of a second by design: once is enough here.
            if path not in keystores:
                keystores[path] = LocalKeystore.open(path, command["password"])
            pid = os.fork()
            if pid == 0:
                _live(command, keystores[path])
            statuses[pid] = None
            answer: Any = pid
        else:
            answer = _await(command["pid"], command["timeout_s"], statuses)
        print(json.dumps(answer), flush=True)
    for pid, status in statuses.items():
        if status is None:
            os.kill(pid, signal.SIGKILL)


def _await(pid: int, timeout_s: float, statuses: dict[int, int | None]) -> int | None:
    """Its exit status (minus the signal), or None when it still lives."""
    until = time.monotonic() + timeout_s
    while statuses[pid] is None:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            statuses[pid] = os.waitstatus_to_exitcode(status)
        elif time.monotonic() >= until:
            return None
        else:
            time.sleep(POLL_S)
    return statuses[pid]


def _live(command: dict[str, Any], keystore: LocalKeystore) -> None:
    """The worker's whole life; never returns."""
    code = OWN_END
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        log = os.open(command["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        null = os.open(os.devnull, os.O_RDONLY)
        for target, source in ((0, null), (1, log), (2, log)):
            os.dup2(source, target)
        form = f"%(asctime)s {os.getpid()} %(threadName)s %(name)s %(message)s"
        logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=form)
        # A worker that waits for its turn says so too often for a log of a few lines.
        logging.getLogger("chain.worker.run").setLevel(logging.WARNING)
        LocalKeystore.open = classmethod(lambda cls, path, password: keystore)  # type: ignore[method-assign,assignment]
        if command["plant"]:
            plants.PLANTS[command["plant"]]()
        if command["place"]:
            kills.arm(command["place"], command["count"], Path(command["note"]))
        run.run(
            run.WorkerSettings(
                database_url=command["database_url"],
                rpc_url=command["rpc_url"],
                deployments=Path(command["deployments"]),
                keystore_path=Path(command["keystore"]),
                keystore_password=command["password"],
                chain_id=command["chain_id"],
                relayer=RelayerSettings(**command["relayer"]),
                mirror=MirrorSettings(**command["mirror"]),
            )
        )
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
