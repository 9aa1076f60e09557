"""Tables of identity: brands, members, enrolments, keys, sessions."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, String
from sqlmodel import Field, SQLModel

from api.vault.labels import DAY_S, Label, personal
from chain.base.scalars import Address, RegistryId

ENROLLED: Final = Label(
    what="The name by which a brand knows you: its customer number, for example.",
    why="So that your purchases there become your points.",
    ground="contract",
    kept="As long as you are a member.",
)
DEVICE_LABEL: Final = Label(
    what="What you called the device on which you signed in.",
    why="So that you recognise it in the list of your devices and can sign it out.",
    ground="contract",
    kept="90 days after the device was signed out, or its time was over.",
    sealed=True,
    retention_s=90 * DAY_S,
    since="expires_at_ms",
)


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
    # ISO 3166, for telephone numbers that are written as at home.
    country: str | None = Field(default=None, max_length=2)
    # Base units of its currency that no single purchase may go beyond; decimal text.
    purchase_ceiling: str | None = Field(default=None, max_length=16)


class Member(SQLModel, table=True):
    """A person, known to the chain by one address whose key the keystore derives from the id."""

    __tablename__ = "member"

    id: str = Field(primary_key=True, max_length=40)
    address: Address = Field(sa_type=String, unique=True)  # lower-case hex
    created_at_ms: int = Field(sa_type=BigInteger)
    # Who this is one person with, as api.identity.merges keeps it: the member that stands for both; None: itself.
    survivor_id: str | None = Field(default=None, max_length=40, index=True)
    # How many others this member stands for.
    absorbed: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    # When a person first proved to be this member. Before that the member is what brands say of it.
    proven_at_ms: int | None = Field(default=None, sa_type=BigInteger)
    # When the member got a second factor for the first time. Later ones are vouched for by one that there was.
    strong_since_ms: int | None = Field(default=None, sa_type=BigInteger)
    erased_at_ms: int | None = Field(default=None, sa_type=BigInteger)


class Enrolment(SQLModel, table=True):
    """A brand's own name for a member. What a brand may see of a member begins here."""

    __tablename__ = "enrolment"
    __table_args__ = (Index("enrolment_member", "member_id"),)

    brand: str = Field(sa_column=named_brand(primary_key=True))
    identifier: str = Field(primary_key=True, max_length=128, sa_column_kwargs=personal(ENROLLED))
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
    """A member's way in, for a while: of a device that signed in, or made by the operator."""

    __tablename__ = "member_session"

    id: str = Field(primary_key=True, max_length=16)
    member_id: str = Field(foreign_key="member.id", index=True)
    secret_hash: str
    created_at_ms: int = Field(sa_type=BigInteger)
    expires_at_ms: int = Field(sa_type=BigInteger)
    ended_at_ms: int | None = Field(default=None, sa_type=BigInteger)
    device_id: str | None = Field(default=None, max_length=16, index=True)


class Device(SQLModel, table=True):
    """Where a member signed in: a family of tokens, each the successor of the one before. Ended, all of it is."""

    __tablename__ = "device"

    id: str = Field(primary_key=True, max_length=16)
    member_id: str = Field(foreign_key="member.id", index=True)
    label: bytes | None = Field(default=None, sa_type=LargeBinary, sa_column_kwargs=personal(DEVICE_LABEL))
    means: str  # email, phone, passkey, wallet
    strong: bool = Field(default=False)  # it came in with a second factor
    made_at_ms: int = Field(sa_type=BigInteger)
    last_at_ms: int = Field(sa_type=BigInteger)
    expires_at_ms: int = Field(sa_type=BigInteger)
    ended_at_ms: int | None = Field(default=None, sa_type=BigInteger)
    ended_why: str | None = None


class RefreshToken(SQLModel, table=True):
    """One token of a device's family. Used once; it comes again only to be known as stolen."""

    __tablename__ = "refresh_token"

    id: str = Field(primary_key=True, max_length=16)
    device_id: str = Field(foreign_key="device.id", index=True)
    secret_hash: str
    made_at_ms: int = Field(sa_type=BigInteger)
    used_at_ms: int | None = Field(default=None, sa_type=BigInteger)
