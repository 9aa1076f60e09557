"""A mirror that is stepped by a test until nothing is left."""

from __future__ import annotations

import time
from typing import Final

from chain.base.errors import ChainError, ChainReplaced, FinalityBroken, ReorgTooDeep
from chain.mirror.loop import Mirror

PAUSE_S: Final = 0.005


def follow(mirror: Mirror, timeout_s: float = 60.0) -> None:
    """Steps as the loop does, with shorter waits; expected trouble is tried again, what waiting cannot help raised."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        try:
            if not mirror.step():
                return
        except (ReorgTooDeep, FinalityBroken, ChainReplaced):
            raise
        except ChainError:
            time.sleep(PAUSE_S)
    raise AssertionError(f"the mirror did not get there in {timeout_s:g} s")
