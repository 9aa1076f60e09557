"""Tables of staff: roles given to addresses, and the tokens of who took one up."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from api.members.models import named_brand
from api.vault.labels import DAY_S, Label, personal

ADDRESS: Final = Label(
    what="The address of who works for a brand or the programme.",
    why="So that they come in by it, and the brand sees to whom it gave which role.",
    ground="legitimate_interest",
    kept="Until the role is taken back.",
)
TOKEN: Final = Label(
    what="That you took up a role, and until when.",
    why="So that you can work, and be signed out.",
    ground="legitimate_interest",
    kept="A day.",
    retention_s=DAY_S,
    since="expires_at_ms",
)


class StaffRole(SQLModel, table=True):
    """A role of a brand (or, without one, of the programme) that whoever proves an address has."""

    __tablename__ = "staff_role"
    __table_args__ = (UniqueConstraint("lookup", "scope", "role"),)

    id: str = Field(primary_key=True, max_length=16)
    lookup: str = Field(max_length=64, sa_column_kwargs=personal(ADDRESS))
    sealed: bytes = Field(sa_type=LargeBinary, sa_column_kwargs=personal(ADDRESS))
    brand: str | None = Field(default=None, sa_column=named_brand(nullable=True, index=True))
    scope: str = Field(max_length=20)  # the brand's number in the registry; empty for the programme
    role: str = Field(max_length=10)
    # Whose address it was when the role was taken up for the first time; nobody else's, who proves it later.
    member_id: str | None = Field(default=None, foreign_key="member.id", index=True, sa_column_kwargs=personal(ADDRESS))
    made_at_ms: int = Field(sa_type=BigInteger)


class StaffSession(SQLModel, table=True):
    """A role taken up for minutes, on a device. Over when the device is signed out or the role taken back."""

    __tablename__ = "staff_session"

    id: str = Field(primary_key=True, max_length=16)
    role_id: str = Field(foreign_key="staff_role.id", index=True)
    member_id: str = Field(foreign_key="member.id", index=True, sa_column_kwargs=personal(TOKEN))
    device_id: str = Field(max_length=16)
    strong: bool
    secret_hash: str
    made_at_ms: int = Field(sa_type=BigInteger)
    expires_at_ms: int = Field(sa_type=BigInteger)
