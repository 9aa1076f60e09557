"""Every table of the gateway; importing this makes them all known to SQLModel.metadata."""

from sqlmodel import SQLModel

from api.audit_log.models import (
    ActAbout,
    ActPending,
    ActSalt,
    ActTally,
    LogCheckpoint,
    LogCosignature,
    LogEntry,
    LogState,
    LogTile,
)
from api.corrections.models import Correction
from api.decisions.models import Award, GoodsReturn
from api.events.memos import Memo
from api.events.models import Event
from api.identity.models import Claim, IdentifierLink, Merge, Tried
from api.ingest.models import ReportedEvent
from api.members.models import ApiKey, Brand, Device, Enrolment, Member, MemberSession, RefreshToken
from api.points.models import ExchangeRequest, HoldRequest, HoldStep
from api.privacy.models import ConsentWord, Erasure, Preference
from api.sign_in.models import Challenge, OutboxMessage, Passkey
from api.staff.models import StaffRole, StaffSession
from api.writes.idempotency import IdempotentBatch, IdempotentWrite

TABLES: tuple[type[SQLModel], ...] = (
    Brand,
    Member,
    Enrolment,
    ApiKey,
    Device,
    RefreshToken,
    MemberSession,
    IdentifierLink,
    Merge,
    Claim,
    Tried,
    Challenge,
    OutboxMessage,
    Passkey,
    StaffRole,
    StaffSession,
    ConsentWord,
    Preference,
    Erasure,
    IdempotentWrite,
    IdempotentBatch,
    Event,
    ReportedEvent,
    Award,
    GoodsReturn,
    Memo,
    HoldRequest,
    HoldStep,
    ExchangeRequest,
    Correction,
    ActPending,
    ActTally,
    ActSalt,
    ActAbout,
    LogEntry,
    LogTile,
    LogState,
    LogCheckpoint,
    LogCosignature,
)
