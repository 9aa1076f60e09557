"""Signs of life of the loops, for /ready and `moa status`.

A loop that waits for a node that does not answer is alive and gets nowhere: `at_ms` says the one, `progressed_at_ms`
the other. A chain on which nothing happens is no trouble: to look and find nothing new is progress.
"""

import time
from typing import Final

from sqlalchemy import Engine, text

from chain.base.clock import now_ms
from chain.base.reverts import storable
from chain.storage.database import writing

EVERY_S: Final = 1.0
DETAIL_LENGTH_MAX: Final = 500
# The watchdog: a loop that did not get on with its work for so long is stuck.
STUCK_S: Final = 30.0

_last: dict[tuple[int, str], tuple[float, str]] = {}
_WRITE: Final = text(
    "INSERT INTO heartbeat (name, state, detail, at_ms, progressed_at_ms) "
    "VALUES (:name, :state, :detail, :at_ms, :progressed_at_ms) "
    "ON CONFLICT (name) DO UPDATE SET state = excluded.state, detail = excluded.detail, at_ms = excluded.at_ms, "
    "progressed_at_ms = COALESCE(excluded.progressed_at_ms, heartbeat.progressed_at_ms)"
)


def beat(engine: Engine, name: str, state: str, detail: str = "", *, progressed: bool = True) -> None:
    """Writes the row at most once a second, or at once when the state changes.

    progressed: the round did its work, or saw that there was none; False: it only waited for something.
    """
    now = time.monotonic()
    at, before = _last.get((id(engine), name), (0.0, ""))
    if state == before and now - at < EVERY_S:
        return
    _last[id(engine), name] = (now, state)
    at_ms = now_ms()
    values = {
        "name": name,
        "state": state,
        "detail": storable(detail[:DETAIL_LENGTH_MAX]),
        "at_ms": at_ms,
        "progressed_at_ms": at_ms if progressed else None,
    }
    with writing(engine) as connection:
        connection.execute(_WRITE, values)
