"""Every table of the gateway; importing this makes them all known to SQLModel.metadata."""

from sqlmodel import SQLModel

from api.audit_log.models import (
    ActPending,
    ActSalt,
    ActTally,
    LogCheckpoint,
    LogCosignature,
    LogEntry,
    LogState,
    LogTile,
)
from api.decisions.models import Award, GoodsReturn
from api.events.memos import Memo
from api.events.models import Event
from api.members.models import ApiKey, Brand, Enrolment, Member, MemberSession
from api.points.models import ExchangeRequest, HoldRequest, HoldStep
from api.writes.idempotency import IdempotentBatch, IdempotentWrite

TABLES: tuple[type[SQLModel], ...] = (
    Brand,
    Member,
    Enrolment,
    ApiKey,
    MemberSession,
    IdempotentWrite,
    IdempotentBatch,
    Event,
    Award,
    GoodsReturn,
    Memo,
    HoldRequest,
    HoldStep,
    ExchangeRequest,
    ActPending,
    ActTally,
    ActSalt,
    LogEntry,
    LogTile,
    LogState,
    LogCheckpoint,
    LogCosignature,
)
