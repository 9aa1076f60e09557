"""Facts kept: each once, by its source's own id of it. Nobody here knows what a fact is worth, and nobody commits."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from sqlalchemy import update
from sqlmodel import Session, col, select

from api.events.kinds import Data, FactKind
from api.events.models import Event
from api.events.schemas import ReportCreate
from api.kit.clock import rfc3339
from chain.storage import bulk
from chain.storage.columns import table_of

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class KnownFact:
    """A fact that was reported before."""

    event: int
    content_hash: str


def known(session: Session, *, source: str, kind: FactKind, ids: Sequence[str]) -> dict[str, KnownFact]:
    """Those of a source's ids that were reported before."""
    rows = session.exec(
        select(Event.external_id, Event.id, Event.content_hash).where(
            col(Event.source) == source, col(Event.type) == kind.name, col(Event.external_id).in_(ids)
        )
    )
    return {external_id: KnownFact(event or 0, content_hash) for external_id, event, content_hash in rows}


def row_of(kind: FactKind, wanted: ReportCreate, *, source: str, subject: str, at_ms: int) -> Row:
    """The row of a fact."""
    data = kind.data(wanted)
    return {
        "source": source,
        "type": kind.name,
        "external_id": wanted.id,
        "subject": subject,
        "occurred_at_ms": int(wanted.occurred_at.timestamp() * 1000),
        "received_at_ms": at_ms,
        "data": data,
        "content_hash": content_hash(kind, data, subject, wanted.occurred_at.astimezone(UTC).isoformat()),
    }


def content_of(row: Row) -> dict[str, Any]:
    """What a fact says, as a conflict shows it."""
    return {"member": row["subject"], "occurred_at": rfc3339(row["occurred_at_ms"]), "data": row["data"]}


def content_hash(kind: FactKind, data: Data, subject: str, at: str) -> str:
    """The same for the same fact, however its member was named and its time was written."""
    return hashlib.sha256(f"{subject}\n{kind.content(data, at)}".encode()).hexdigest()


def store(session: Session, rows: Sequence[Row]) -> list[int]:
    """Writes facts; their ids, in the same order."""
    made = bulk.insert_returning(session.connection(), table_of(Event), rows, ("external_id", "id"))
    ids = dict(made)
    return [ids[row["external_id"]] for row in rows]


def correct(session: Session, event: int, row: Row) -> dict[str, Any]:
    """Puts another content in the place of a fact's; gives what it said until now."""
    found = session.exec(select(Event).where(col(Event.id) == event)).one()
    before = content_of(found.model_dump())
    table = table_of(Event)
    session.connection().execute(update(table).where(table.c.id == event).values(row))
    session.expire(found)
    return before
