"""Reported events as they are on the wire."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field

from api.events.schemas import LineStatus, within_programme
from api.kit.amounts import Amount
from api.kit.moments import Moment
from api.kit.schemas import EXAMPLE_MEMBER, EXAMPLE_TIME, Identifier, RequestModel, ResponseModel
from api.kit.texts import patterned

EVENTS_MAX: Final = 100
PAGE_MAX: Final = 200
PAGE_USUAL: Final = 50
Source = Annotated[
    str, patterned(r"^[!-~]+$", "a source is a URI reference of visible ASCII", min_length=1, max_length=256)
]
TypeName = Annotated[
    str, patterned(r"^[!-~]+$", "a type is visible ASCII without spaces", min_length=1, max_length=128)
]
EXAMPLE_DATA: Final = {"sku": "tea-jasmine-100"}


class CloudEvent(RequestModel):
    """An event in CloudEvents 1.0.2's JSON format. (source, id) counts once; `time` is required.

    The member is named by `subject` (its id, or the brand's own name for it) or, before anybody knows who it is, by
    `anonymousid` (what a cookie holds).
    """

    specversion: Literal["1.0"] = Field(examples=["1.0"])
    id: Identifier = Field(examples=["evt-4711"])
    source: Source = Field(examples=["/shops/seoul-01"])
    type: TypeName = Field(examples=["product.viewed"])
    subject: Identifier | None = Field(default=None, examples=["customer-00004"])
    anonymousid: Identifier | None = Field(default=None, examples=[None])
    time: Annotated[Moment, AfterValidator(within_programme)] = Field(
        description="Not before the programme began, not more than a minute ahead.", examples=["1997-01-01T00:00:00Z"]
    )
    datacontenttype: Literal["application/json"] | None = Field(default=None, examples=["application/json"])
    dataschema: Source | None = Field(default=None, description="Read and not kept.", examples=[None])
    traceparent: Identifier | None = Field(default=None, description="Read and not kept.", examples=[None])
    tracestate: Identifier | None = Field(default=None, description="Read and not kept.", examples=[None])
    partitionkey: Identifier | None = Field(default=None, description="Read and not kept.", examples=[None])
    data: dict[str, Any] = Field(examples=[EXAMPLE_DATA])


class EventTaken(ResponseModel):
    """An event counts. operation: what a purchase or a return asked of the ledger."""

    status: LineStatus = Field(examples=["accepted"])
    source: str = Field(examples=["/shops/seoul-01"])
    id: str = Field(examples=["evt-4711"])
    number: str = Field(description="Its place in the brand's events.", examples=["17"])
    type: str = Field(examples=["product.viewed"])
    member: str | None = Field(examples=[EXAMPLE_MEMBER])
    occurred_at: str = Field(examples=[EXAMPLE_TIME])
    received_at: str = Field(description="When it was first reported.", examples=[EXAMPLE_TIME])
    late: bool = Field(description="It was reported more than a day after it happened.", examples=[False])
    operation: str | None = Field(default=None, examples=[None])


class EventLine(ResponseModel):
    """The answer to one event of several. line: counted from 1, as they came."""

    line: int = Field(examples=[1])
    status: LineStatus = Field(examples=["accepted"])
    source: str | None = Field(default=None, examples=["/shops/seoul-01"])
    id: str | None = Field(default=None, examples=["evt-4711"])
    number: str | None = Field(default=None, examples=["17"])
    type: str | None = Field(default=None, examples=["product.viewed"])
    member: str | None = Field(default=None, examples=[EXAMPLE_MEMBER])
    occurred_at: str | None = Field(default=None, examples=[EXAMPLE_TIME])
    received_at: str | None = Field(default=None, examples=[EXAMPLE_TIME])
    late: bool | None = Field(default=None, examples=[False])
    operation: str | None = Field(default=None, examples=[None])
    problem: dict[str, Any] | None = Field(default=None, examples=[None])


class EventLines(ResponseModel):
    """The answers to a batch, in its order."""

    events: list[EventLine]


class EventPublic(ResponseModel):
    """An event as it is kept. data has what a member said or wrote only where the page is of one named member."""

    number: str = Field(examples=["17"])
    source: str = Field(examples=["/shops/seoul-01"])
    id: str = Field(examples=["evt-4711"])
    type: str = Field(examples=["product.viewed"])
    member: str | None = Field(examples=[EXAMPLE_MEMBER])
    occurred_at: str = Field(examples=[EXAMPLE_TIME])
    received_at: str = Field(examples=[EXAMPLE_TIME])
    late: bool = Field(examples=[False])
    data: dict[str, Any] = Field(examples=[EXAMPLE_DATA])
    operation: str | None = Field(examples=[None])


class EventPage(ResponseModel):
    """Events after a number, in the order in which they were committed. next_after: where to go on, always told."""

    events: list[EventPublic]
    next_after: str = Field(examples=["17"])


class EventKindPolicy(ResponseModel):
    name: str = Field(examples=["product.viewed"])
    whose: Literal["member", "anyone", "nobody"] = Field(examples=["member"])
    sealed: list[str] = Field(description="Fields kept under the member's own key.", examples=[["url"]])
    data: dict[str, Any] = Field(description="The JSON schema of its data.", examples=[{"type": "object"}])


class EventPolicy(ResponseModel):
    """How events are taken."""

    kinds: list[EventKindPolicy]
    ahead_s: int = Field(description="So far ahead a source's clock may be.", examples=[60])
    late_s: int = Field(description="What is reported later than this after it happened is marked.", examples=[86400])
    batch_max: int = Field(examples=[EVENTS_MAX])
    decimals: dict[str, int] = Field(
        description="Decimals of a currency's base unit, where they are not two.", examples=[{"JPY": 0, "KWD": 3}]
    )


class CeilingWanted(RequestModel):
    """No purchase beyond this is counted; null: no ceiling. In the brand's own currency's base units."""

    amount: Amount | None = Field(examples=["500000"])


class CeilingPublic(ResponseModel):
    amount: str | None = Field(examples=["500000"])
    currency: str = Field(examples=["USD"])
    decimals: int = Field(examples=[2])
