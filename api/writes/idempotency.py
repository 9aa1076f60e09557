"""A write counts once: its key, what it was bound to and its answer, in the same SQL transaction as its effect.

Problem
├── IdempotencyKeyMissing    400
├── IdempotencyKeyMalformed  400
└── IdempotencyKeyReused     422   the same key on another route or with another body
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import orjson
from sqlalchemy import BigInteger, Text, delete
from sqlmodel import Field, Session, SQLModel, col, select

from api.kit.clock import now_ms
from api.kit.database import insert_once, lock
from api.kit.problems import Problem

KEY_LENGTH_MAX = 128
# The route of a key that was taken so that nothing counts under it.
WITHDRAWN = "withdrawn"
RETENTION_MS = 90 * 24 * 3600 * 1000
_key = re.compile(r"[!-~]{1,128}\Z", re.ASCII)


class IdempotencyKeyMissing(Problem):
    """A write needs the header Idempotency-Key."""

    status = 400


class IdempotencyKeyMalformed(Problem):
    """An Idempotency-Key is 1 to 128 visible ASCII characters."""

    status = 400


class IdempotencyKeyReused(Problem):
    """This Idempotency-Key was used for another request."""

    status = 422


class IdempotentWrite(SQLModel, table=True):
    """A write that happened, and what was answered."""

    __tablename__ = "idempotent_write"

    principal: str = Field(primary_key=True, max_length=64)
    key: str = Field(primary_key=True, max_length=KEY_LENGTH_MAX)
    route: str
    body_hash: str
    status: int
    answer: str = Field(sa_type=Text)
    created_at_ms: int = Field(sa_type=BigInteger, index=True)


class IdempotentBatch(SQLModel, table=True):
    """The running hash of a batch's lines up to `line`; binds a key to a body that is never held whole."""

    __tablename__ = "idempotent_batch"

    principal: str = Field(primary_key=True, max_length=64)
    key: str = Field(primary_key=True, max_length=KEY_LENGTH_MAX)
    line: int = Field(primary_key=True)
    route: str
    lines_hash: str
    created_at_ms: int = Field(sa_type=BigInteger, index=True)


@dataclass(frozen=True, slots=True)
class Claim:
    """Who writes what, under which key. person: all under whom this key may have counted, of a member; a member that
    was merged since is asked again under another name."""

    principal: str
    key: str
    route: str
    body_hash: str
    person: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """An answer given before, and under whom."""

    status: int
    answer: bytes
    principal: str


def read_key(header: str | None) -> str:
    """The header's key, or a typed refusal."""
    if header is None or header == "":
        raise IdempotencyKeyMissing("Give each write an Idempotency-Key of its own, and repeat it on a retry.")
    if not _key.match(header):
        raise IdempotencyKeyMalformed("An Idempotency-Key is 1 to 128 visible ASCII characters.")
    return header


def hash_of(body: bytes) -> str:
    """SHA-256 of a JSON body that does not depend on spacing or on the order of fields."""
    # Not JSON: refused by its schema later; until then the bytes are what they are.
    with suppress(orjson.JSONDecodeError):
        body = orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS) if body else b""
    return hashlib.sha256(body).hexdigest()


def claim(session: Session, wanted: Claim) -> Stored | None:
    """Takes the key for this write, or the answer that it was given before.

    Two at once: the second waits here for the first one's transaction (SQLite: for the write lock,
    PostgreSQL: for the row) and then finds its answer. A member's waits for whoever has the same key: two members may
    become one between the two.
    """
    if wanted.person:
        lock(session, f"write:{wanted.key}")
        before = answered(session, wanted)
        if before is not None:
            return before
    taken = insert_once(
        session,
        IdempotentWrite,
        {
            "principal": wanted.principal,
            "key": wanted.key,
            "route": wanted.route,
            "body_hash": wanted.body_hash,
            "status": 0,
            "answer": "",
            "created_at_ms": now_ms(),
        },
    )
    if taken:
        return None
    return answered(session, wanted)


def answered(session: Session, wanted: Claim) -> Stored | None:
    """The answer that this write was given before, if any; refuses a key that was used for another."""
    before = known(session, principals=(wanted.principal, *wanted.person), key=wanted.key)
    if before is None:
        return None
    if before.route != wanted.route or before.body_hash != wanted.body_hash:
        raise IdempotencyKeyReused(
            "This key was used for another request; take a new key for a new request.", key=wanted.key
        )
    return Stored(before.status, before.answer.encode(), before.principal)


def known(session: Session, *, principals: Sequence[str], key: str) -> IdempotentWrite | None:
    """The write that counted under a key of any of these, if any; the first one's own before another's."""
    for principal in dict.fromkeys(principals):
        found = session.get(IdempotentWrite, (principal, key), populate_existing=True)
        if found is not None:
            return found
    return None


def withdraw(session: Session, *, principal: str, person: Sequence[str], key: str) -> None:
    """Takes a key that nothing counted under: what comes later is refused. Waits for one that is being written."""
    lock(session, f"write:{key}")
    if known(session, principals=(principal, *person), key=key) is not None:
        return
    taken: dict[str, object] = {"principal": principal, "key": key, "route": WITHDRAWN, "body_hash": "", "status": 0}
    insert_once(session, IdempotentWrite, {**taken, "answer": "", "created_at_ms": now_ms()})


def keep(session: Session, wanted: Claim, status: int, answer: bytes) -> None:
    """Stores the answer beside its effect."""
    row = session.get_one(IdempotentWrite, (wanted.principal, wanted.key), populate_existing=True)
    row.status = status
    row.answer = answer.decode()
    session.add(row)


def marks(session: Session, *, principal: str, key: str, after_line: int, to_line: int) -> dict[int, tuple[str, str]]:
    """Line → (route, hash) of what was marked for a batch key in (after_line, to_line]."""
    rows = session.exec(
        select(IdempotentBatch.line, IdempotentBatch.route, IdempotentBatch.lines_hash).where(
            col(IdempotentBatch.principal) == principal,
            col(IdempotentBatch.key) == key,
            col(IdempotentBatch.line) > after_line,
            col(IdempotentBatch.line) <= to_line,
        )
    )
    return {line: (route, lines_hash) for line, route, lines_hash in rows}


def mark(session: Session, *, principal: str, key: str, route: str, line: int, lines_hash: str) -> None:
    insert_once(
        session,
        IdempotentBatch,
        {
            "principal": principal,
            "key": key,
            "line": line,
            "route": route,
            "lines_hash": lines_hash,
            "created_at_ms": now_ms(),
        },
    )


def forget_old(session: Session) -> None:
    """Drops keys past their retention. An order id or a nonce still counts once after that."""
    horizon = now_ms() - RETENTION_MS
    session.execute(delete(IdempotentWrite).where(col(IdempotentWrite.created_at_ms) < horizon))
    session.execute(delete(IdempotentBatch).where(col(IdempotentBatch.created_at_ms) < horizon))
