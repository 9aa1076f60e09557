"""Tables of events: facts as they were reported, each counted once, whatever they are worth."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, UniqueConstraint
from sqlmodel import Field, SQLModel

from api.members.models import named_brand
from chain.storage.columns import document


class Event(SQLModel, table=True):
    """A fact in the envelope of CloudEvents: who says it, what kind it is, its id there, of whom, when, and its data.

    (source, type, external_id) counts once. What a fact is worth is no part of it: see decisions.
    """

    __tablename__ = "event"
    __table_args__ = (UniqueConstraint("source", "type", "external_id"), Index("event_subject", "subject"))

    id: int | None = Field(
        default=None,
        sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    )
    source: str = Field(sa_column=named_brand())
    type: str  # one of api.events.kinds
    external_id: str  # the source's own id of it
    subject: str = Field(foreign_key="member.id")
    occurred_at_ms: int = Field(sa_type=BigInteger)
    received_at_ms: int = Field(sa_type=BigInteger)
    data: dict[str, Any] = document(nullable=False)
    # The same for the same content, however it was written.
    content_hash: str
