"""Tables of identity: brands, members, enrolments, keys, sessions."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Index, String
from sqlmodel import Field, SQLModel

from chain.base.scalars import Address, RegistryId


def named_brand(**options: Any) -> Column[Any]:
    """A column with a brand's slug; when the brand is called otherwise, the database calls it so here too."""
    options = {"nullable": False, **options}
    return Column(String(), ForeignKey("brand.slug", onupdate="CASCADE"), **options)


class Brand(SQLModel, table=True):
    """What the gateway calls a brand of the registry. The slug may change, the registry's id never does."""

    __tablename__ = "brand"

    slug: str = Field(primary_key=True, max_length=32)
    name: str
    symbol: str
    colour: str
    currency: str
    decimals: int
    registry_id: RegistryId = Field(sa_type=BigInteger, unique=True)
    token: Address = Field(sa_type=String, unique=True)  # lower-case hex
    created_at_ms: int = Field(sa_type=BigInteger)


class Member(SQLModel, table=True):
    """A person, known to the chain by one address whose key the keystore derives from the id."""

    __tablename__ = "member"

    id: str = Field(primary_key=True, max_length=40)
    address: Address = Field(sa_type=String, unique=True)  # lower-case hex
    created_at_ms: int = Field(sa_type=BigInteger)


class Enrolment(SQLModel, table=True):
    """A brand's own name for a member. What a brand may see of a member begins here."""

    __tablename__ = "enrolment"
    __table_args__ = (Index("enrolment_member", "member_id"),)

    brand: str = Field(sa_column=named_brand(primary_key=True))
    identifier: str = Field(primary_key=True, max_length=128)
    member_id: str = Field(foreign_key="member.id")
    created_at_ms: int = Field(sa_type=BigInteger)


class ApiKey(SQLModel, table=True):
    """A key of the operator (kind o), of a brand (b) or of an auditor (a). The secret itself is nowhere."""

    __tablename__ = "api_key"

    id: str = Field(primary_key=True, max_length=16)
    kind: str = Field(max_length=1)
    brand: str | None = Field(default=None, sa_column=named_brand(nullable=True, index=True))
    secret_hash: str
    created_at_ms: int = Field(sa_type=BigInteger)
    last_used_at_ms: int | None = Field(default=None, sa_type=BigInteger)
    revoked_at_ms: int | None = Field(default=None, sa_type=BigInteger)


class MemberSession(SQLModel, table=True):
    """A member's way in, for a while. Made by the operator only, ended by time, by the member or by the operator."""

    __tablename__ = "member_session"

    id: str = Field(primary_key=True, max_length=16)
    member_id: str = Field(foreign_key="member.id", index=True)
    secret_hash: str
    created_at_ms: int = Field(sa_type=BigInteger)
    expires_at_ms: int = Field(sa_type=BigInteger)
    ended_at_ms: int | None = Field(default=None, sa_type=BigInteger)
