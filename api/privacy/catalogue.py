"""What is kept of people, table by table, told by the labels on the columns themselves.

Three things are made of it: the page that says what is kept and why, the archive of everything that is kept of one
person, and the purge of what is kept long enough. A table that names a member and is not here fails the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Table
from sqlmodel import SQLModel

from api.audit_log.models import ActSalt
from api.corrections import given
from api.corrections.models import Correction
from api.events.models import Event
from api.identity import links
from api.identity.models import Claim, IdentifierLink, Merge, Tried
from api.ingest import service as ingest
from api.ingest.models import ReportedEvent
from api.members import devices
from api.members.models import Device, Enrolment, Member, MemberSession
from api.points.models import ExchangeRequest, HoldRequest
from api.privacy.models import ConsentWord, Preference
from api.sign_in import passkeys
from api.sign_in.models import Challenge, OutboxMessage, Passkey
from api.staff.models import StaffRole, StaffSession
from api.vault.labels import PERSONAL, Label
from api.vault.sealing import Vault
from chain.storage.columns import table_of

Row = Mapping[str, Any]
Opened = Callable[[Vault, Row], dict[str, Any]]


def _nothing(_: Vault, __: Row) -> dict[str, Any]:
    return {}


def _identifier(vault: Vault, row: Row) -> dict[str, Any]:
    return {"value": links.opened(vault, IdentifierLink(**row))}


def _words(vault: Vault, row: Row) -> dict[str, Any]:
    return {"words": ingest.opened(vault, ReportedEvent(**row))}


def _label(field: str) -> Opened:
    def opened(vault: Vault, row: Row) -> dict[str, Any]:
        sealed = row["label"]
        return {"label": None if sealed is None else vault.open(row["member_id"], field, sealed)}

    return opened


def _reason(vault: Vault, row: Row) -> dict[str, Any]:
    return {"reason": vault.open(row["member_id"], given.REASON, row["reason"])}


@dataclass(frozen=True, slots=True)
class Dataset:
    """A table with rows of people. subject: the columns that name whose a row is. told: the columns that the archive
    has, besides what `opened` gives of the sealed ones; secrets of ours and hashes are not told.
    """

    model: type[SQLModel]
    subject: tuple[str, ...]
    told: tuple[str, ...]
    opened: Opened = _nothing

    @property
    def table(self) -> Table:
        return table_of(self.model)


DATASETS: Final[tuple[Dataset, ...]] = (
    Dataset(Member, ("id",), ("id", "address", "created_at_ms", "survivor_id", "proven_at_ms")),
    Dataset(Enrolment, ("member_id",), ("brand", "identifier", "created_at_ms")),
    Dataset(
        IdentifierLink, ("member_id",), ("kind", "scope", "first_seen_at_ms", "last_seen_at_ms"), _identifier
    ),
    Dataset(Merge, ("survivor_id", "absorbed_id"), ("id", "survivor_id", "absorbed_id", "reason", "why", "made_at_ms",
                                                    "undone_at_ms")),
    Dataset(Claim, ("member_id", "claimed_by"), ("id", "brand", "made_at_ms", "claimed_at_ms")),
    Dataset(Device, ("member_id",), ("id", "means", "made_at_ms", "last_at_ms", "ended_at_ms", "ended_why"),
            _label(devices.LABEL)),
    Dataset(MemberSession, ("member_id",), ("id", "created_at_ms", "expires_at_ms", "ended_at_ms")),
    Dataset(Passkey, ("member_id",), ("credential_id", "made_at_ms", "last_at_ms"), _label(passkeys.LABEL)),
    Dataset(Challenge, ("member_id",), ("purpose", "means", "made_at_ms", "used_at_ms")),
    Dataset(StaffRole, ("member_id",), ("brand", "role", "made_at_ms")),
    Dataset(StaffSession, ("member_id",), ("role_id", "strong", "made_at_ms", "expires_at_ms")),
    Dataset(ConsentWord, ("member_id",), ("purpose", "channel", "granted", "source", "text_version", "text_sha256",
                                          "said_at_ms", "at_ms")),
    Dataset(Preference, ("member_id",), ("quiet_from", "quiet_to", "zone", "paused_until_ms")),
    Dataset(Event, ("subject",), ("source", "type", "external_id", "occurred_at_ms", "received_at_ms", "data")),
    Dataset(
        ReportedEvent, ("member_id",),
        ("source", "type", "external_id", "occurred_at_ms", "received_at_ms", "data", "operation"), _words,
    ),
    Dataset(HoldRequest, ("member_id",), ("id", "brand", "points", "reward", "hold_until", "created_at_ms")),
    Dataset(ExchangeRequest, ("member_id",), ("id", "created_at_ms")),
    Dataset(Correction, ("member_id",), ("id", "brand", "purpose", "points", "state", "asked_at_ms"), _reason),
)  # fmt: skip
# Rows of people that no member's id leads to: bounded in time, and sealed or hashed.
UNNAMED: Final[tuple[type[SQLModel], ...]] = (Tried, OutboxMessage)
# It names a member and is no personal value: the salt that hides the member in the log, destroyed with the member.
SALTS: Final[tuple[type[SQLModel], ...]] = (ActSalt,)


@dataclass(frozen=True, slots=True)
class Labelled:
    """A column and what it says of itself."""

    table: Table
    column: str
    label: Label


def labelled() -> Iterator[Labelled]:
    """Every personal column, by table."""
    for table in SQLModel.metadata.sorted_tables:
        for column in table.columns:
            if PERSONAL in column.info:
                yield Labelled(table, column.name, column.info[PERSONAL])
