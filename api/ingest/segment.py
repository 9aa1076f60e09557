"""Messages of Segment's public clients, turned into what the brand says of people and into events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session

from api.auth.callers import BrandCaller
from api.identity import resolving
from api.identity.kinds import KindName
from api.identity.schemas import IdentifierGiven
from api.ingest import taking
from api.ingest.kinds import KINDS
from api.ingest.reading import Reported, read
from api.ingest.taking import Taken
from api.kit.container import State
from api.kit.problems import Problem, RequestMalformed
from api.kit.schemas import EXAMPLE_MEMBER, Identifier, ResponseModel
from api.members import service as members
from api.members.schemas import MemberReference
from api.vault.sealing import vault_of

MESSAGES_MAX: Final = 100
BYTES_MAX: Final = 512 * 1024
SOURCE: Final = "segment"
Call = Literal["identify", "track", "page", "screen", "group", "alias"]
EXAMPLE: Final = {
    "type": "track",
    "messageId": "4f0a1d2e-7c1e-4b0c-9a5d-2e6f8b7c4d11",
    "timestamp": "1997-01-01T00:00:00.000Z",
    "userId": "customer-00004",
    "event": "product.viewed",
    "properties": {"sku": "tea-jasmine-100"},
}
# What is an event of one kind whatever it is called.
NAMED: Final[dict[str, str]] = {"page": "page.viewed", "screen": "screen.viewed", "group": "group.joined"}


class Message(BaseModel):
    """A message as Segment's clients send it; what is not named here is not read."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    messageId: Identifier = Field(examples=["4f0a1d2e-7c1e-4b0c-9a5d-2e6f8b7c4d10"])  # noqa: N815
    timestamp: str = Field(max_length=40, examples=["1997-01-01T00:00:00.000Z"])
    userId: Identifier | None = Field(default=None, examples=["customer-00004"])  # noqa: N815
    anonymousId: Identifier | None = Field(default=None, examples=[None])  # noqa: N815
    previousId: Identifier | None = Field(default=None, examples=[None])  # noqa: N815
    groupId: Identifier | None = Field(default=None, examples=[None])  # noqa: N815
    event: str | None = Field(default=None, max_length=128, examples=["product.viewed"])
    name: str | None = Field(default=None, max_length=200, examples=[None])
    category: str | None = Field(default=None, max_length=200, examples=[None])
    properties: dict[str, Any] = Field(default_factory=dict, examples=[{"sku": "tea-jasmine-100"}])
    traits: dict[str, Any] = Field(default_factory=dict, examples=[{}])


class TypedMessage(Message):
    type: Call = Field(examples=["track"])


class MessageBatch(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    batch: list[TypedMessage] = Field(max_length=MESSAGES_MAX, examples=[[EXAMPLE]])


class MessageTaken(ResponseModel):
    """What became of one message."""

    id: str = Field(examples=["4f0a1d2e-7c1e-4b0c-9a5d-2e6f8b7c4d10"])
    status: Literal["accepted", "replayed", "retried", "refused"] = Field(examples=["accepted"])
    member: str | None = Field(default=None, examples=[EXAMPLE_MEMBER])
    number: str | None = Field(default=None, examples=["17"])
    problem: dict[str, Any] | None = Field(default=None, examples=[None])


class MessagesTaken(ResponseModel):
    """What became of each message, in their order."""

    messages: list[MessageTaken]


def take(
    session: Session, *, state: State, caller: BrandCaller, messages: Sequence[tuple[Call, Message]]
) -> MessagesTaken:
    """Takes messages one after the other: who somebody is counts for what comes after it."""
    return MessagesTaken(messages=[_take(session, state, caller, call, one) for call, one in messages])


def _take(session: Session, state: State, caller: BrandCaller, call: Call, message: Message) -> MessageTaken:
    try:
        with session.begin_nested():
            if call in ("identify", "alias"):
                member_id = _resolve(session, state, caller, _identifiers(session, caller, call, message))
                return MessageTaken(id=message.messageId, status="accepted", member=member_id)
            if message.userId is not None:
                _resolve(session, state, caller, [("partner", message.userId)])
            wanted = _event(state, call, message)
            [result] = taking.take(session, state=state, caller=caller, wanted=[wanted])
            if isinstance(result, Problem):
                raise result
    except Problem as refused:
        return MessageTaken(id=message.messageId, status="refused", problem=refused.document())
    return _told(message, result)


def _told(message: Message, taken: Taken) -> MessageTaken:
    return MessageTaken(
        id=message.messageId, status=taken.status, member=taken.event.member_id, number=str(taken.event.id)
    )


def _resolve(session: Session, state: State, caller: BrandCaller, named: Sequence[tuple[KindName, str]]) -> str:
    return resolving.resolve(
        session,
        vault=vault_of(state),
        keystore=state.keystore,
        brand_id=caller.registry_id,
        wanted=[IdentifierGiven.model_construct(kind=kind, value=value) for kind, value in named],
        actor=caller.actor,
    ).member_id


def _identifiers(session: Session, caller: BrandCaller, call: Call, message: Message) -> list[tuple[KindName, str]]:
    found: list[tuple[KindName, str]] = []
    if message.userId is not None:
        found.append(("partner", message.userId))
    if call == "alias":
        if message.userId is None or message.previousId is None:
            raise RequestMalformed("alias has a userId and a previousId.")
        found.append((_kind_of(session, caller, message.previousId), message.previousId))
        return found
    if message.anonymousId is not None:
        found.append(("cookie", message.anonymousId))
    kinds: tuple[Literal["email", "phone"], ...] = ("email", "phone")
    for kind in kinds:
        value = message.traits.get(kind)
        if value is None:
            continue
        if not isinstance(value, str) or not 0 < len(value) <= 256:
            raise RequestMalformed(f"traits.{kind} is a text.")
        found.append((kind, value))
    return found


def _kind_of(session: Session, caller: BrandCaller, previous: str) -> Literal["partner", "cookie"]:
    """Whether a previous id is a name of the brand's own, or what a cookie held."""
    slug = members.brand_of(session, caller.registry_id).slug
    reference = MemberReference.model_construct(id=None, identifier=previous)
    return "partner" if members.addresses(session, slug=slug, references=[reference]) else "cookie"


def _event(state: State, call: Call, message: Message) -> Reported | Problem:
    type_ = NAMED.get(call, message.event or "")
    data = message.properties
    if call in NAMED:
        named = {"name": message.name, "category": message.category, "group": message.groupId, **message.properties}
        fields = KINDS[type_].schema.model_fields
        data = {name: value for name, value in named.items() if name in fields and value not in (None, "")}
    value = {
        "specversion": "1.0",
        "id": message.messageId,
        "source": SOURCE,
        "type": type_,
        "time": message.timestamp,
        "data": data,
    }
    if message.userId is not None:
        value["subject"] = message.userId
    elif message.anonymousId is not None:
        value["anonymousid"] = message.anonymousId
    return read(value, programme_start=state.settings.programme_start)
