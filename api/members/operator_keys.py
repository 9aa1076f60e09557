"""The operator's keys: made, followed by a successor, ended; never the last one. Nobody here commits."""

from __future__ import annotations

from typing import Final

from sqlmodel import Session, col, select

from api import audit_log
from api.auth.tokens import Token
from api.kit.clock import now_ms, rfc3339
from api.kit.database import lock
from api.members.errors import KeyEnded, KeyUnknown, LastOperatorKey
from api.members.models import ApiKey
from api.members.service import ROLES, create_key

KIND: Final = "o"
LOCK: Final = "operator keys"


def make(session: Session, *, actor: str) -> tuple[ApiKey, Token]:
    """A further key of the operator."""
    return create_key(session, kind="o", slug=None, actor=actor)


def rotate(session: Session, *, key_id: str, overlap_s: int, actor: str) -> tuple[ApiKey, Token]:
    """A successor of a key; the key itself ends after the overlap, so that an answer that is lost locks nobody out."""
    lock(session, LOCK)
    old = _found(session, key_id)
    if old.revoked_at_ms is not None:
        raise KeyEnded("This key has ended, or is about to; make a new one.", key=key_id)
    made, token = create_key(session, kind="o", slug=None, actor=actor)
    _end(session, old, at_ms=now_ms() + overlap_s * 1000, actor=actor)
    return made, token


def revoke(session: Session, *, key_id: str, actor: str) -> ApiKey:
    """Ends a key at once; a second time changes nothing. LastOperatorKey while no other would be left."""
    # Two who end each other's keys at once would both find that another is left.
    lock(session, LOCK)
    key, at_ms = _found(session, key_id), now_ms()
    if key.revoked_at_ms is not None and key.revoked_at_ms <= at_ms:
        return key
    others = select(ApiKey.id).where(ApiKey.kind == KIND, col(ApiKey.revoked_at_ms).is_(None), ApiKey.id != key_id)
    if session.exec(others.order_by(col(ApiKey.id)).limit(1)).first() is None:
        raise LastOperatorKey("No other key of the operator is left: make its successor first.", key=key_id)
    _end(session, key, at_ms=at_ms, actor=actor)
    return key


def _found(session: Session, key_id: str) -> ApiKey:
    key = session.get(ApiKey, key_id, populate_existing=True)
    if key is None or key.kind != KIND:
        raise KeyUnknown(f"The operator has no key {key_id}.", brand="", key=key_id)
    return key


def _end(session: Session, key: ApiKey, *, at_ms: int, actor: str) -> None:
    key.revoked_at_ms = at_ms
    session.add(key)
    session.flush()
    audit_log.record(
        session.connection(),
        "key.revoked",
        actor=actor,
        subject=f"key/{key.id}",
        role=ROLES[KIND],
        ends_at=rfc3339(at_ms),
    )
