"""How often something was tried: counted in the database, so that several processes and a restart share one count."""

from __future__ import annotations

from typing import Final

from sqlalchemy import delete, text
from sqlmodel import Session, col

from api.identity.models import Tried
from api.kit.clock import now_ms
from api.vault.sealing import Vault

KEPT_MS: Final = 2 * 24 * 3600 * 1000
_ADD = text(
    "INSERT INTO tried (name, window_ms, count) VALUES (:name, :window_ms, 1)"
    " ON CONFLICT (name, window_ms) DO UPDATE SET count = tried.count + 1 RETURNING count"
)


def within(session: Session, vault: Vault, *, what: str, who: str, window_s: int, limit: int) -> bool:
    """Counts one try of `who`; whether it is still one of the first `limit` in this window."""
    at_ms, period_ms = now_ms(), window_s * 1000
    name = vault.lookup(f"tried/{what}/{window_s}", who)
    count = session.connection().execute(_ADD, {"name": name, "window_ms": at_ms - at_ms % period_ms}).scalar_one()
    return int(count) <= limit


def forget(session: Session) -> None:
    """Drops counts of windows long past."""
    session.execute(delete(Tried).where(col(Tried.window_ms) < now_ms() - KEPT_MS))
