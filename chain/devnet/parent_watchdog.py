"""Runs one command for as long as its parent lives: `python -m chain.devnet.parent_watchdog COMMAND...`.

Ends the command when stdin closes (the parent is gone, for whatever reason) or on SIGTERM, and is itself guarded on
Linux: the kernel ends the command if the keeper is killed. For nodes that do not watch their parent themselves.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from typing import Final

STOP_TIMEOUT_S: Final = 8.0
PR_SET_PDEATHSIG: Final = 1


def die_with_parent() -> None:
    """Asks the Linux kernel to end this process with its parent; elsewhere stdin alone must do."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main(command: list[str]) -> int:
    """The command's exit code."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)

    def end(*_: object) -> None:
        child.terminate()
        timer = threading.Timer(STOP_TIMEOUT_S, child.kill)
        timer.daemon = True
        timer.start()

    def watch() -> None:
        while os.read(0, 4096):
            pass
        end()

    signal.signal(signal.SIGTERM, end)
    # Ctrl-C reaches the whole group: the parent decides when the node ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=watch, daemon=True).start()
    return child.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
