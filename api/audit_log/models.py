"""Tables of the log: acts on their way, tallies, salts, entries, the tree's tiles, checkpoints, cosignatures."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Text
from sqlmodel import Field, SQLModel

from chain.storage.columns import document, serial


class ActPending(SQLModel, table=True):
    """An act that happened and has no place in the tree yet. Removed in the transaction that gives it one."""

    __tablename__ = "act_pending"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: int | None = serial()
    leaf: str = Field(sa_type=Text)


class ActTally(SQLModel, table=True):
    """How often the same thing happened in one window of time; becomes one act when the window is over."""

    __tablename__ = "act_tally"

    window_ms: int = Field(primary_key=True, sa_type=BigInteger)
    digest: str = Field(primary_key=True, max_length=64)
    act: str
    actor: str
    subject: str
    detail: dict[str, Any] = document(nullable=False)
    count: int = Field(sa_type=BigInteger)
    first_at_ms: int = Field(sa_type=BigInteger)
    last_at_ms: int = Field(sa_type=BigInteger)


class ActSalt(SQLModel, table=True):
    """What ties a member to the hash that stands for the member in the log. Without the row nothing does."""

    __tablename__ = "act_salt"

    member_id: str = Field(primary_key=True, max_length=40)
    salt: str


class LogEntry(SQLModel, table=True):
    """An act in its place, counted from 0. Never changed."""

    __tablename__ = "log_entry"

    seq: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    leaf: str = Field(sa_type=Text)


class ActAbout(SQLModel, table=True):
    """Which entries are about a member, by the member's hidden name: without the salt nobody knows whose they are."""

    __tablename__ = "act_about"

    subject: str = Field(primary_key=True, max_length=80)
    seq: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))


class LogTile(SQLModel, table=True):
    """Up to 256 hashes of the tree, as C2SP's tlog-tiles cuts them."""

    __tablename__ = "log_tile"

    level: int = Field(primary_key=True)
    number: int = Field(primary_key=True, sa_type=BigInteger)
    hashes: bytes = Field(sa_type=LargeBinary)


class LogState(SQLModel, table=True):
    """One row (id 1): how many entries the tree has."""

    __tablename__ = "log_state"

    id: int = Field(primary_key=True)
    size: int = Field(sa_type=BigInteger)


class LogCheckpoint(SQLModel, table=True):
    """A tree that was signed. note: as it was signed; root: base64."""

    __tablename__ = "log_checkpoint"
    __table_args__ = (Index("log_checkpoint_size", "size"), {"sqlite_autoincrement": True})

    id: int | None = serial()
    size: int = Field(sa_type=BigInteger)
    root: str
    note: str = Field(sa_type=Text)
    block_number: int = Field(sa_type=BigInteger)
    at_ms: int = Field(sa_type=BigInteger)


class LogCosignature(SQLModel, table=True):
    """A witness's line under a checkpoint."""

    __tablename__ = "log_cosignature"

    checkpoint_id: int = Field(primary_key=True, sa_type=BigInteger)
    witness: str = Field(primary_key=True, max_length=255)
    line: str = Field(sa_type=Text)
    time_s: int = Field(sa_type=BigInteger)
