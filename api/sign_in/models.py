"""Tables of sign-in: challenges that are open, messages to be sent, passkeys."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, LargeBinary
from sqlmodel import Field, SQLModel

from api.vault.labels import DAY_S, Label, personal
from chain.storage.columns import serial

DESTINATION: Final = Label(
    what="A hash, with a secret of ours, of the address to which a code was sent.",
    why="So that the code opens only for the address to which it went.",
    ground="contract",
    kept="A day.",
    retention_s=DAY_S,
    since="made_at_ms",
)
MESSAGE: Final = Label(
    what="A message to you, with the address it goes to.",
    why="To send it.",
    ground="contract",
    kept="A day, under a key of ours.",
    retention_s=DAY_S,
    since="made_at_ms",
)
CREDENTIAL: Final = Label(
    what="The public part of your passkey.",
    why="So that you can sign in with it.",
    ground="contract",
    kept="Until you remove the passkey.",
)
PASSKEY_LABEL: Final = Label(
    what="What you called your passkey.",
    why="So that you recognise it.",
    ground="contract",
    kept="Until you remove the passkey.",
    sealed=True,
)


class Challenge(SQLModel, table=True):
    """Something to be answered, once, soon, within a few tries. secret_hash: keyed, so that the table gives no code."""

    __tablename__ = "challenge"

    id: str = Field(primary_key=True, max_length=40)
    purpose: str = Field(max_length=8)  # sign_in, add
    means: str = Field(max_length=8)  # email, phone, passkey, wallet
    lookup: str = Field(max_length=64, sa_column_kwargs=personal(DESTINATION))
    secret_hash: str = Field(max_length=64)
    member_id: str | None = Field(default=None, max_length=40, index=True)
    tries_left: int
    made_at_ms: int = Field(sa_type=BigInteger, index=True)
    expires_at_ms: int = Field(sa_type=BigInteger)
    used_at_ms: int | None = Field(default=None, sa_type=BigInteger)


class OutboxMessage(SQLModel, table=True):
    """A message on its way: written in the transaction that wants it sent."""

    __tablename__ = "outbox_message"

    id: int | None = serial()
    channel: str = Field(max_length=8)
    sealed: bytes = Field(sa_type=LargeBinary, sa_column_kwargs=personal(MESSAGE))
    made_at_ms: int = Field(sa_type=BigInteger, index=True)


class Passkey(SQLModel, table=True):
    """A WebAuthn credential of a member: discoverable, with the user verified each time."""

    __tablename__ = "passkey"

    id: int | None = serial()
    member_id: str = Field(foreign_key="member.id", index=True)
    credential_id: str = Field(unique=True, sa_column_kwargs=personal(CREDENTIAL))  # base64url
    public_key: bytes = Field(sa_type=LargeBinary, sa_column_kwargs=personal(CREDENTIAL))
    sign_count: int = Field(sa_type=BigInteger)
    strong: bool = Field(default=False)  # a second factor: the member's first, or added by a device that had one
    label: bytes | None = Field(default=None, sa_type=LargeBinary, sa_column_kwargs=personal(PASSKEY_LABEL))
    made_at_ms: int = Field(sa_type=BigInteger)
    last_at_ms: int | None = Field(default=None, sa_type=BigInteger)
