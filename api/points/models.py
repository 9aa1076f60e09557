"""Tables of journeys: what was asked for; how it stands is the mirror's to say."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index
from sqlmodel import Field, SQLModel

from api.members.models import named_brand


class HoldRequest(SQLModel, table=True):
    """A hold that was asked for, by whom and for what. `chain_id` is its id at the desk."""

    __tablename__ = "hold_request"
    __table_args__ = (
        Index("hold_request_member", "member_id", "created_at_ms", "id"),
        Index("hold_request_code", "brand", "code"),
    )

    id: str = Field(primary_key=True, max_length=40)
    chain_id: str = Field(unique=True)
    # What a member reads out at the till (api.points.codes); none for holds of before there were codes.
    code: str | None = Field(default=None, max_length=16)
    brand: str = Field(sa_column=named_brand())
    member_id: str = Field(foreign_key="member.id")
    points: str
    reward: str
    hold_until: int = Field(sa_type=BigInteger)
    operation: int = Field(sa_type=BigInteger)
    created_at_ms: int = Field(sa_type=BigInteger)


class HoldStep(SQLModel, table=True):
    """A capture, release or refund that was asked for; number counts the steps of one hold."""

    __tablename__ = "hold_step"

    hold_id: str = Field(primary_key=True, foreign_key="hold_request.id")
    number: int = Field(primary_key=True)
    kind: str
    points: str
    operation: int = Field(sa_type=BigInteger)
    created_at_ms: int = Field(sa_type=BigInteger)


class ExchangeRequest(SQLModel, table=True):
    """An exchange that a member asked for."""

    __tablename__ = "exchange_request"
    __table_args__ = (Index("exchange_request_member", "member_id"),)

    id: str = Field(primary_key=True, max_length=40)
    chain_id: str = Field(unique=True)
    member_id: str = Field(foreign_key="member.id")
    source: str = Field(sa_column=named_brand())
    target: str = Field(sa_column=named_brand())
    points_in: str
    minimum_out: str
    agreement_id: str
    version: int
    operation: int = Field(sa_type=BigInteger)
    created_at_ms: int = Field(sa_type=BigInteger)
