"""The wall clock."""

from time import time


def now_ms() -> int:
    """Unix time in milliseconds."""
    return int(time() * 1000)
