"""A brand's key is followed by a successor. Nobody here commits."""

from __future__ import annotations

from sqlmodel import Session

from api import audit_log
from api.auth.tokens import Token
from api.kit.clock import now_ms, rfc3339
from api.kit.database import lock
from api.members.errors import KeyEnded, KeyUnknown
from api.members.models import ApiKey
from api.members.service import ROLES, create_key


def rotate(session: Session, *, slug: str, key_id: str, overlap_s: int, actor: str) -> tuple[ApiKey, Token]:
    """A successor of a brand's key; the key itself ends after the overlap, so that a lost answer locks nobody out."""
    # Two rotations of one key at once would both find it without an end.
    lock(session, "brand keys")
    old = session.get(ApiKey, key_id, populate_existing=True)
    if old is None or old.kind != "b" or old.brand != slug:
        raise KeyUnknown(f"{slug} has no key {key_id}.", brand=slug, key=key_id)
    if old.revoked_at_ms is not None:
        raise KeyEnded("This key has ended, or is about to; make a new one.", key=key_id)
    made, token = create_key(session, kind="b", slug=slug, actor=actor)
    old.revoked_at_ms = now_ms() + overlap_s * 1000
    session.add(old)
    session.flush()
    audit_log.record(
        session.connection(),
        "key.revoked",
        actor=actor,
        subject=f"key/{old.id}",
        role=ROLES["b"],
        brand=slug,
        ends_at=rfc3339(old.revoked_at_ms),
    )
    return made, token
