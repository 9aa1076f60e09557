"""Tables of privacy: every word of consent, preferences, certificates of erasures."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Index, Text
from sqlmodel import Field, SQLModel

from api.vault.labels import Label, personal
from chain.storage.columns import serial

CONSENT: Final = Label(
    what="What you agreed to or ended, when, where, and the version of the text that you saw.",
    why="So that we do only what you agreed to, and can show that you did.",
    ground="legal_obligation",
    kept="As long as you are a member.",
)
PREFERENCE: Final = Label(
    what="Your quiet hours, your time zone, and until when you want no messages.",
    why="So that nobody disturbs you.",
    ground="contract",
    kept="As long as you are a member.",
)


class ConsentWord(SQLModel, table=True):
    """One word of a member about one purpose and channel. Words are added, never changed; of each source the one said
    last counts. said_at_ms: when the person said it; at_ms: when it was written down here."""

    __tablename__ = "consent_word"
    __table_args__ = (Index("consent_word_member", "member_id"),)

    id: int | None = serial()
    member_id: str = Field(foreign_key="member.id")
    purpose: str = Field(max_length=16)
    channel: str = Field(max_length=8)
    granted: bool = Field(sa_column_kwargs=personal(CONSENT))
    source: str = Field(max_length=40)  # member, or brand/<number in the registry>
    text_version: int
    text_sha256: str = Field(max_length=64)
    said_at_ms: int = Field(sa_type=BigInteger)
    at_ms: int = Field(sa_type=BigInteger)


class Preference(SQLModel, table=True):
    """How a member wants to be left alone. quiet_from, quiet_to: minutes of the day in the zone."""

    __tablename__ = "preference"

    member_id: str = Field(primary_key=True, foreign_key="member.id")
    quiet_from: int | None = Field(default=None, sa_column_kwargs=personal(PREFERENCE))
    quiet_to: int | None = Field(default=None, sa_column_kwargs=personal(PREFERENCE))
    zone: str = Field(default="UTC", sa_column_kwargs=personal(PREFERENCE))
    paused_until_ms: int | None = Field(default=None, sa_type=BigInteger, sa_column_kwargs=personal(PREFERENCE))


class Erasure(SQLModel, table=True):
    """That somebody was erased, and when: a certificate that names nobody."""

    __tablename__ = "erasure"

    id: str = Field(primary_key=True, max_length=40)
    certificate: str = Field(sa_type=Text)
    made_at_ms: int = Field(sa_type=BigInteger)
