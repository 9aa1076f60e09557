"""Who looked at a member, as the log of acts has it: each with its place there, so that it can be proved.

A look is counted by window before anything is told (SPEC 14.10); what is not yet in the tree is told from the counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson
from sqlalchemy import text
from sqlmodel import Session

from api.audit_log import names
from api.kit.clock import rfc3339
from api.kit.strict_json import parse

LOOKS: Final = ("personal.seen",)
PAGE_MAX: Final = 500
_ENTRIES = text(
    "SELECT e.seq, e.leaf FROM act_about a JOIN log_entry e ON e.seq = a.seq WHERE a.subject = :subject"
    " ORDER BY a.seq DESC LIMIT :limit"
)
_COUNTED = text(
    "SELECT actor, detail, count, first_at_ms, last_at_ms FROM act_tally WHERE subject = :subject AND act = :act"
    " ORDER BY window_ms DESC, digest LIMIT :limit"
)


def of(session: Session, *, member_ids: Sequence[str], limit: int = PAGE_MAX) -> list[dict[str, Any]]:
    """Looks at these members and acts about them, the newest first."""
    found: list[dict[str, Any]] = []
    for member_id in member_ids:
        subject = names.name_of(session.connection(), member_id)
        if subject is None:
            continue
        for act in LOOKS:
            for row in session.connection().execute(_COUNTED, {"subject": subject, "act": act, "limit": limit}):
                detail = row.detail if isinstance(row.detail, dict) else orjson.loads(row.detail)
                first, last = rfc3339(row.first_at_ms), rfc3339(row.last_at_ms)
                found.append(_told(act, row.actor, subject, detail, row._mapping["count"], first, last, None))
        for seq, leaf in session.connection().execute(_ENTRIES, {"subject": subject, "limit": limit}):
            entry = parse(leaf.encode())
            detail = entry["detail"]
            first, last = detail.get("first_at", entry["at"]), detail.get("last_at", entry["at"])
            count = detail.get("count", 1)
            found.append(_told(entry["act"], entry["actor"], subject, detail, count, first, last, seq))
    return sorted(found, key=lambda one: (one["last_at"], one["entry"] or ""), reverse=True)[:limit]


def _told(
    act: str, actor: str, subject: str, detail: dict[str, Any], count: int, first_at: str, last_at: str, seq: int | None
) -> dict[str, Any]:
    return {
        "act": act,
        "actor": "you" if actor == subject else actor,
        "route": detail.get("route"),
        "count": count,
        "first_at": first_at,
        "last_at": last_at,
        "entry": None if seq is None else str(seq),
    }
