"""Looks for personal values where none may be: in what went to the chain, in the log of acts, in logs and metrics.

A value is looked for as it is and as it could hide: in capitals or not, in hex, in base64, and as a bare hash, which
anyone who guesses the value could recompute.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlmodel import Session, col, select

from api.events.memos import Memo
from api.identity import links
from api.identity.kinds import masked
from api.identity.models import IdentifierLink
from api.ingest import service as ingest
from api.ingest.models import ReportedEvent
from api.vault.sealing import Vault
from chain.base.hashing import keccak
from chain.storage.columns import table_of

VALUE_CHARS_MIN: Final = 5
CHUNK: Final = 1_000
# Where what went to the chain, and what tells of it, lies in the database.
PLACES: Final = (
    ("operation", "payload"), ("chain_transaction", "calldata"), ("chain_transaction_hash", "raw"),
    ("entry", "detail"), ("hold", "reward_id"), ("log_entry", "leaf"), ("act_pending", "leaf"), ("act_tally", "detail"),
    ("act_tally", "actor"), ("act_tally", "subject"), ("idempotent_write", "answer"), ("erasure", "certificate"),
    ("event", "data"), ("reported_event", "data"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Leak:
    """A personal value where none may be. value: masked; place: where; spelling: how it hid."""

    value: str
    place: str
    spelling: str


def values_of(session: Session, vault: Vault) -> Iterator[tuple[str, str]]:
    """(value, masked) of everything personal that is kept: identifiers, what was said in events, memos' words."""
    after = 0
    while True:
        rows = (
            select(IdentifierLink).where(col(IdentifierLink.id) > after).order_by(col(IdentifierLink.id)).limit(CHUNK)
        )
        found = list(session.exec(rows))
        for link in found:
            value = links.opened(vault, link)
            # An address is on the chain by its nature, once its member asks for it.
            if value is not None and link.kind != "wallet":
                yield value, masked(link.kind, value)
        if len(found) < CHUNK:
            break
        after = found[-1].id or after
    yield from _words(session, vault)
    memo = table_of(Memo)
    for (fields,) in session.connection().execute(select(memo.c.fields).order_by(memo.c.operation)):
        for field in fields:
            yield field["value"], masked("memo", field["value"])


def _words(session: Session, vault: Vault) -> Iterator[tuple[str, str]]:
    """(value, masked) of what people said in events."""
    after = 0
    while True:
        rows = select(ReportedEvent).where(col(ReportedEvent.id) > after, col(ReportedEvent.words).is_not(None))
        found = list(session.exec(rows.order_by(col(ReportedEvent.id)).limit(CHUNK)))
        for event in found:
            for said in ingest.opened(vault, event).values():
                for value in said.values() if isinstance(said, dict) else [said]:
                    yield value, masked("memo", value)
        if len(found) < CHUNK:
            return
        after = found[-1].id or after


def spellings(value: str) -> dict[str, str]:
    """Spelling → how the value reads in it; all in lower case but base64."""
    raw = value.encode()
    found = {
        "plain": value.lower(),
        "hex": raw.hex(),
        "utf-16": value.encode("utf-16-le").hex(),
        "base64": base64.b64encode(raw).decode().rstrip("=")[: max(4, len(raw) * 4 // 3 - 1)],
        "sha256": hashlib.sha256(raw).hexdigest(),
        "keccak": keccak(raw).hex(),
    }
    if value.startswith("+"):
        found["digits"] = value[1:]
    return found


def leaks(values: Iterable[tuple[str, str]], texts: Iterable[tuple[str, str]]) -> list[Leak]:
    """Where any of the values (value, masked) stands in any of the texts (place, text). Pure."""
    wanted = [(shown, spellings(value)) for value, shown in values if len(value) >= VALUE_CHARS_MIN]
    found = set()
    for place, whole in texts:
        low = whole.lower()
        for shown, spelt in wanted:
            for spelling, one in spelt.items():
                if one in (whole if spelling == "base64" else low):
                    found.add((shown, place, spelling))
    return [Leak(*one) for one in sorted(found)]


def stored(session: Session, *, places: Sequence[tuple[str, str]] = PLACES) -> Iterator[tuple[str, str]]:
    """(place, text) of every row of the places."""
    for table, column in places:
        # Both names are literals of this code.
        rows = session.connection().execute(text(f"SELECT CAST({column} AS TEXT) FROM {table}"))  # noqa: S608
        for (value,) in rows:
            if value is not None:
                yield f"{table}.{column}", value
