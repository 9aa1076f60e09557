"""The table of points by hand."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Index, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from api.members.models import named_brand
from api.vault.labels import Label, personal

REASON: Final = Label(
    what="Why a brand gave you points by hand, in its words.",
    why="So that you see it, and so that nobody gives points without a reason.",
    ground="contract",
    kept="As long as you are a member.",
    sealed=True,
)


class Correction(SQLModel, table=True):
    """Points that a brand gives a member by hand. How they stand is their operation's to say, once there is one."""

    __tablename__ = "correction"
    __table_args__ = (
        UniqueConstraint("brand", "reference"),
        Index("correction_brand", "brand", "asked_at_ms", "id"),
        Index("correction_member", "member_id", "asked_at_ms", "id"),
    )

    id: str = Field(primary_key=True, max_length=40)
    brand: str = Field(sa_column=named_brand())
    # The brand's own, counts once.
    reference: str = Field(max_length=128)
    purpose: str = Field(max_length=16)  # goodwill, correction
    member_id: str = Field(foreign_key="member.id")
    address: str
    points: str
    rule: int = Field(sa_type=BigInteger)
    reason: bytes = Field(sa_type=LargeBinary, sa_column_kwargs=personal(REASON))
    # waiting (for the second one), withdrawn, refused, asked (of the ledger).
    state: str = Field(max_length=16)
    # key/<id> or role/<id>.
    asked_by: str = Field(max_length=32)
    decided_by: str | None = Field(default=None, max_length=32)
    # What the second one signs: the contract's own id of the award, and until when it may be sent (unix seconds).
    operation_id: str | None = None
    deadline: int | None = Field(default=None, sa_type=BigInteger)
    operation: int | None = Field(default=None, sa_type=BigInteger, unique=True)
    asked_at_ms: int = Field(sa_type=BigInteger)
    decided_at_ms: int | None = Field(default=None, sa_type=BigInteger)
