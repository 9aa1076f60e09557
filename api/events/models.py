"""Tables of events: facts as brands reported them, each counted once."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, UniqueConstraint
from sqlmodel import Field, SQLModel


class Event(SQLModel, table=True):
    """Something that happened at a brand. (brand, kind, external_id) counts once."""

    __tablename__ = "event"
    __table_args__ = (
        UniqueConstraint("brand", "kind", "external_id"),
        Index("event_member", "member_id"),
        Index("event_operation", "operation"),
    )

    id: int | None = Field(
        default=None,
        sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    )
    brand: str = Field(foreign_key="brand.slug")
    kind: str  # "purchase"; reviews, attendance and missions have the same envelope
    external_id: str  # the brand's own id
    member_id: str = Field(foreign_key="member.id")
    amount: str
    currency: str
    occurred_at_ms: int = Field(sa_type=BigInteger)
    received_at_ms: int = Field(sa_type=BigInteger)
    content_hash: str
    operation: int = Field(sa_type=BigInteger)
