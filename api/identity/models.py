"""Tables of identity: identifiers sealed under their member's key, merges, guests' claims, counts of tries."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BigInteger, Index, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from api.members.models import named_brand
from api.vault.labels import DAY_S, Label, personal
from chain.storage.columns import document, serial

VALUE: Final = Label(
    what="Your e-mail address, telephone number, card or till number, cookie, device or wallet address.",
    why="So that what you do in a shop, on a site and in the app is known to be yours, and you can sign in.",
    ground="contract",
    kept="As long as you are a member, or until you take it away.",
    sealed=True,
)
LOOKUP: Final = Label(
    what="A hash of the same with a secret of ours, from which the value cannot be told.",
    why="So that the value can be found without being readable.",
    ground="contract",
    kept="As long as the value itself.",
)
SEEN: Final = Label(
    what="A hash of the address or connection from which codes were asked for or tried.",
    why="So that nobody can ask for codes, or guess them, without end.",
    ground="legitimate_interest",
    kept="Two days.",
    retention_s=2 * DAY_S,
    since="window_ms",
)


class IdentifierLink(SQLModel, table=True):
    """One identifier of one member. scope: a brand's number in the registry when the brand says so; empty when the
    person has proved it. Within a scope a value is one member's.
    """

    __tablename__ = "identifier_link"
    __table_args__ = (
        UniqueConstraint("lookup", "scope"), Index("identifier_link_member", "member_id"),
    )  # fmt: skip

    id: int | None = serial()
    kind: str = Field(max_length=8)
    scope: str = Field(max_length=20)
    lookup: str = Field(max_length=64, sa_column_kwargs=personal(LOOKUP))
    member_id: str = Field(foreign_key="member.id")
    sealed: bytes = Field(sa_type=LargeBinary, sa_column_kwargs=personal(VALUE))
    first_seen_at_ms: int = Field(sa_type=BigInteger)
    last_seen_at_ms: int = Field(sa_type=BigInteger)


class Merge(SQLModel, table=True):
    """Two members who are one person: the absorbed one is known by the survivor from then on, until it is undone.

    why: kinds and counts, never a value.
    """

    __tablename__ = "member_merge"
    __table_args__ = (Index("member_merge_absorbed", "absorbed_id"), Index("member_merge_survivor", "survivor_id"))

    id: str = Field(primary_key=True, max_length=40)
    survivor_id: str = Field(foreign_key="member.id")
    absorbed_id: str = Field(foreign_key="member.id")
    reason: str
    why: dict[str, Any] = document(nullable=False)
    made_at_ms: int = Field(sa_type=BigInteger)
    undo_until_ms: int = Field(sa_type=BigInteger)
    undone_at_ms: int | None = Field(default=None, sa_type=BigInteger)


class Claim(SQLModel, table=True):
    """A guest's receipt: whoever has the code may say, once, that the purchase was theirs."""

    __tablename__ = "claim"

    id: str = Field(primary_key=True, max_length=40)
    brand: str = Field(sa_column=named_brand())
    member_id: str = Field(foreign_key="member.id", index=True)
    code_hash: str = Field(unique=True, max_length=64)
    made_at_ms: int = Field(sa_type=BigInteger)
    expires_at_ms: int = Field(sa_type=BigInteger)
    claimed_at_ms: int | None = Field(default=None, sa_type=BigInteger)
    claimed_by: str | None = Field(default=None, foreign_key="member.id")
    merge_id: str | None = Field(default=None, foreign_key="member_merge.id")


class Tried(SQLModel, table=True):
    """How often something was tried in one window of time, by a hash of who and what."""

    __tablename__ = "tried"

    name: str = Field(primary_key=True, max_length=64, sa_column_kwargs=personal(SEEN))
    window_ms: int = Field(primary_key=True, sa_type=BigInteger, index=True)
    count: int = Field(sa_type=BigInteger)
