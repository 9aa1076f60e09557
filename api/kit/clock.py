"""Times: unix milliseconds inside, RFC 3339 in UTC on the wire."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache

# Blocks and expiries are told again and again.
TIMES_CACHED_MAX = 8_192


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@lru_cache(TIMES_CACHED_MAX)
def rfc3339(at_ms: int) -> str:
    """The time on the wire, to the millisecond: 2026-11-21T22:15:00.000Z."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def second_of(told: str) -> int:
    """The unix second of a time as `rfc3339` tells it."""
    return int(datetime.fromisoformat(told).timestamp())


def rfc3339_or_none(at_ms: int | None) -> str | None:
    return None if at_ms is None else rfc3339(at_ms)
