"""A process that ends in time: SIGTERM and SIGINT ask it to, and GRACE_S later it is over whatever it hangs in.

A loop may hang in a node that does not answer, or in a database that is locked, longer than anyone waits for a
process; and while it hangs there, Python runs no signal handler in the main thread. So a thread of its own reads the
signals from a pipe. To end in the middle of anything is safe: nothing is half written, as after SIGKILL.

The handler itself does nothing. It runs between any two steps of the main thread, also while that holds the lock of
`stop` for a moment to wait for it: to set `stop` there waits for that lock for ever.
"""

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

log = logging.getLogger(__name__)

GRACE_S: Final = 3.0
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def ended_by_signals(stop: threading.Event, grace_s: float = GRACE_S) -> Iterator[None]:
    """Within the block a signal sets `stop`; the process is gone `grace_s` later at the latest, with exit code 0.

    Only in the main thread; elsewhere it does nothing, because signals are not ours there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = {number: signal.signal(number, _heard) for number in SIGNALS}
    wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reader, stop, grace_s), name="ending", daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        # The reader sees the end of the pipe. If a signal came, it goes on counting: what is left of the program
        # (closing, joining threads) has its time from the same grace.
        os.close(writer)


def _heard(_number: int, _frame: object) -> None:
    """The pipe has it already."""


def _watch(reader: int, stop: threading.Event, grace_s: float) -> None:
    while received := os.read(reader, 1):
        if received[0] in SIGNALS:
            stop.set()
            # Nobody sets this event: it is the clock.
            threading.Event().wait(grace_s)
            log.warning("the process did not end within %g s: it is ended as it is", grace_s)
            os._exit(0)
    os.close(reader)
