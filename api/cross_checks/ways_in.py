"""Keys, roles, and sessions that the operator made, beside the acts that made and ended them: both ways."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, select

from api.cross_checks.findings import Found, compare, differs, pages
from api.members.bindings import key_digest, role_digest, session_digest
from api.members.models import ApiKey, Brand, MemberSession
from api.staff.models import StaffRole
from chain.storage.columns import table_of

RULE: Final = "25.3"
_key, _brand, _session = table_of(ApiKey), table_of(Brand), table_of(MemberSession)
_role = table_of(StaffRole)
KINDS: Final = {"o": "operator", "b": "brand", "a": "auditor"}


class WaysIn:
    """Looks at the sessions that there are, hears the acts, then says what is left."""

    def __init__(self, connection: Connection) -> None:
        self._made: dict[str, Mapping[str, Any]] = {}
        self._ended: set[str] = set()
        self._roles: dict[str, Mapping[str, Any]] = {}
        # Digest -> (id, made at) of sessions whose act was not heard yet: rows go a week after their end, acts never.
        self._unheard: dict[str, tuple[str, int]] = {}
        self._session_rows = self._read_sessions(connection)
        # When the first act with a digest was: older logs have acts without it.
        self._bound_since: str | None = None

    def hear(self, act: Mapping[str, Any]) -> None:
        """An act of the log, in its order."""
        name, detail, subject = act.get("act"), act["detail"], str(act.get("subject"))
        if name == "key.made":
            self._made[subject] = detail
        elif name == "key.revoked":
            self._ended.add(subject)
        elif name == "role.given":
            self._roles[subject] = detail
        elif name == "role.taken":
            self._roles.pop(subject, None)
        elif name == "session.made" and "digest" in detail:
            self._unheard.pop(detail["digest"], None)
        if self._bound_since is None and "digest" in detail and name in ("key.made", "session.made"):
            self._bound_since = str(act.get("at"))

    def check(self, connection: Connection, found: Found) -> int:
        """Rows without an act, acts without a row, and rows that are not what their act says; how many rows."""
        rows = self._keys(connection, found) + self._check_roles(connection, found) + self._session_rows
        since_ms = _ms(self._bound_since)
        for digest, (id, made_ms) in self._unheard.items():
            if since_ms is not None and made_ms >= since_ms:
                differs(found, "member_session", id, "row without its act", digest, None, RULE)
        return rows

    def _keys(self, connection: Connection, found: Found) -> int:
        asked = select(
            _key.c.id, _key.c.kind, _key.c.secret_hash, _key.c.revoked_at_ms, _brand.c.registry_id
        ).select_from(_key.outerjoin(_brand, _brand.c.slug == _key.c.brand))
        left, rows = dict(self._made), 0
        for page in pages(connection, asked.order_by(_key.c.id)):
            rows += len(page)
            for row in page:
                subject = f"key/{row.id}"
                act = left.pop(subject, None)
                if act is None:
                    differs(found, "api_key", row.id, "row added", "a key", None, RULE)
                    continue
                pairs = [
                    ("role of a key", KINDS.get(row.kind, row.kind), act.get("role")),
                    ("end of a key", row.revoked_at_ms is not None, subject in self._ended),
                ]
                if "digest" in act:
                    digest = key_digest(row.id, row.kind, row.registry_id, row.secret_hash)
                    pairs.append(("digest of a key", digest, act["digest"]))
                compare(found, "api_key", row.id, pairs, RULE)
        for subject in left:
            differs(found, "api_key", subject.removeprefix("key/"), "row removed", None, "a key", RULE)
        return rows

    def _check_roles(self, connection: Connection, found: Found) -> int:
        """A role that lacks went with an erasure, or gives nobody anything."""
        rows = 0
        for page in pages(connection, select(_role).order_by(_role.c.id)):
            rows += len(page)
            for row in page:
                act = self._roles.get(f"role/{row.id}")
                if act is None:
                    differs(found, "staff_role", row.id, "row added", "a role", None, RULE)
                    continue
                digest = role_digest(row.id, row.lookup, row.scope, row.role, bytes(row.sealed))
                pairs = [("role that was given", row.role, act.get("role"))]
                if "digest" in act:
                    pairs.append(("digest of a role", digest, act["digest"]))
                compare(found, "staff_role", row.id, pairs, RULE)
        return rows

    def _read_sessions(self, connection: Connection) -> int:
        rows = 0
        asked = select(_session).where(_session.c.device_id.is_(None)).order_by(_session.c.id)
        for page in pages(connection, asked):
            rows += len(page)
            for row in page:
                digest = session_digest(row.id, row.member_id, row.secret_hash, row.expires_at_ms)
                self._unheard[digest] = (row.id, row.created_at_ms)
        return rows


def _ms(moment: str | None) -> int | None:
    return None if moment is None else int(datetime.fromisoformat(moment).timestamp() * 1000)
