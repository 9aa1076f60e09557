"""Signs of life of the loops, for /ready and `moa status`."""

import time
from typing import Final

from sqlalchemy import Engine, text

from chain.database import writing
from chain.operations import now_ms

EVERY_S: Final = 1.0
DETAIL_LENGTH_MAX: Final = 500

_last: dict[tuple[int, str], tuple[float, str]] = {}
_WRITE: Final = text(
    "INSERT INTO heartbeat (name, state, detail, at_ms) VALUES (:name, :state, :detail, :at_ms) "
    "ON CONFLICT (name) DO UPDATE SET state = excluded.state, detail = excluded.detail, at_ms = excluded.at_ms"
)


def beat(engine: Engine, name: str, state: str, detail: str = "") -> None:
    """Writes the row at most once a second, or at once when the state changes."""
    now = time.monotonic()
    at, before = _last.get((id(engine), name), (0.0, ""))
    if state == before and now - at < EVERY_S:
        return
    _last[id(engine), name] = (now, state)
    with writing(engine) as connection:
        values = {"name": name, "state": state, "detail": detail[:DETAIL_LENGTH_MAX], "at_ms": now_ms()}
        connection.execute(_WRITE, values)
