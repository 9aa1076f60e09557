"""An act written down in the transaction that does it: either both happened or neither did."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, text

from api.audit_log import names
from api.audit_log.leaves import Value, leaf
from api.kit.clock import now_ms
from api.kit.database import Database

PENDING: Final = text("INSERT INTO act_pending (leaf) VALUES (:leaf)")


def record(connection: Connection, act: str, *, actor: str, subject: str | None = None, **detail: Value | None) -> None:
    """Writes an act of api/audit_log/kinds.py; the sequencer gives it its place later.

    actor, subject: `operator/<key>`, `brand/<slug>/<key>`, `auditor/<key>`, `member/<member id>` (hidden here),
    `command/<name>`, `key/<id>`, `brand/<slug>`. A detail of None is left out.
    """
    shown = names.hidden(connection, [actor, *([subject] if subject else [])])
    told = leaf(
        act,
        at_ms=now_ms(),
        actor=shown[actor],
        subject=None if subject is None else shown[subject],
        detail={name: value for name, value in detail.items() if value is not None},
    )
    connection.execute(PENDING, {"leaf": told})


def record_now(
    database: Database, act: str, /, *, actor: str, subject: str | None = None, **detail: Value | None
) -> None:
    """The same in a transaction of its own, for what only reads (an export): on disk when this returns."""
    with database.write() as session:
        record(session.connection(), act, actor=actor, subject=subject, **detail)
