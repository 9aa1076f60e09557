"""What ties a row of a way in to the act that made it (SPEC 25.3): a hash over the row and the hash of its secret.

A secret's hash is as random as the secret, and what is sealed is random too, so the digest tells nothing of the row to
who has not the row itself.
"""

from __future__ import annotations

import hashlib


def key_digest(id: str, kind: str, registry_id: int | None, secret_hash: str) -> str:
    """Of a key: whose it is by the registry's id, because a brand may be called otherwise later."""
    return _digest("key", id, kind, "" if registry_id is None else str(registry_id), secret_hash)


def session_digest(id: str, member_id: str, secret_hash: str, expires_at_ms: int) -> str:
    """Of a session that the operator made."""
    return _digest("session", id, member_id, secret_hash, str(expires_at_ms))


def role_digest(id: str, lookup: str, scope: str, role: str, sealed: bytes) -> str:
    """Of a role given to an address: the sealed address is random, and goes with the row."""
    return _digest("role", id, lookup, scope, role, sealed.hex())


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
