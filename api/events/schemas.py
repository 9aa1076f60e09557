"""Facts from shops, and operations, as they are on the wire."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from api.events.memos import MemoText
from api.kit.amounts import Amount, AmountOrZero
from api.kit.clock import now_ms
from api.kit.moments import Moment
from api.kit.schemas import EXAMPLE_ADDRESS, EXAMPLE_TIME, Identifier, RequestModel, ResponseModel
from api.members.schemas import Currency, MemberReference
from chain.outbox.retries import DAYS_FULL, PAUSED, PAUSES_MAX, RETRY_S_MAX

OperationState = Literal["locked", "queued", "assigned", "sent", "mined", "confirmed", "failed", "waiting", "cancelled"]
RefusedState = Literal["failed", "waiting"]
LineStatus = Literal["accepted", "replayed", "retried", "refused"]
EXAMPLE_HASH = "0x9f3c1d0b5a7e2c4f6081a3b5c7d9e0f21436587a9bacbdcedfe0f1a2b3c4d5e6"


# A shop's clock may be ahead of ours by so much; a day after it happened, a fact is late.
AHEAD: Final = timedelta(minutes=1)
LATE: Final = timedelta(days=1)


def within_programme(at: datetime, info: ValidationInfo) -> datetime:
    """Refuses what happened before the programme began (`programme_start` of the context), or has not happened yet."""
    start = (info.context or {}).get("programme_start")
    if start is not None and at < start:
        raise PydanticCustomError("OccurredTooEarly", f"The programme began at {start.isoformat()}, this was before.")
    if at.timestamp() * 1000 > now_ms() + AHEAD.total_seconds() * 1000:
        raise PydanticCustomError("OccurredInFuture", "This has not happened yet, by the gateway's clock.")
    return at


def is_late(*, occurred_at_ms: int, received_at_ms: int) -> bool:
    """Whether a fact was reported so long after it happened that whoever counts by days should know."""
    return received_at_ms - occurred_at_ms > LATE.total_seconds() * 1000


RetryFor = Annotated[
    int,
    Field(
        strict=True,
        ge=0,
        le=RETRY_S_MAX,
        description=f"For so many seconds it is asked again by itself while only a pause of the brand"
        f" ({PAUSED}: after 1 minute, 2, at most {PAUSES_MAX}) or a full day ({', '.join(DAYS_FULL)}: on the next)"
        " refuses it. Without it, never.",
        examples=[0],
    ),
]


class ReportCreate(RequestModel):
    """Something that a brand reports. `id` is the brand's own and counts once."""

    id: Identifier = Field(examples=["order-19970101-00004"])
    occurred_at: Annotated[Moment, AfterValidator(within_programme)] = Field(
        description="Not before the programme began, not more than a minute ahead.", examples=["1997-01-01T00:00:00Z"]
    )


class FactCreate(ReportCreate):
    """Something that happened at a brand: what every kind of fact has. `id` is the brand's own and counts once."""

    member: MemberReference
    memo: MemoText | None = Field(default=None, examples=[{"receipt": "No. 4711", "item.1": "1 tea, jasmine"}])
    retry_for_s: RetryFor | None = None

    @model_validator(mode="after")
    def _of_one_member(self) -> Self:
        if (self.member.id is None) == (self.member.identifier is None):
            raise PydanticCustomError("MemberUnclear", "Name the member by id or by identifier, one of them.")
        return self


class PurchaseCreate(FactCreate):
    """A purchase that a member made. `id` is the brand's order id and counts once.

    An order that the contract refused is sent again as it is, or with what was wrong corrected.
    """

    amount: AmountOrZero = Field(description="In the currency's base units (cents).")
    currency: Currency = Field(default="USD", examples=["USD"])
    free: bool = Field(
        default=False,
        strict=True,
        description="An order of value nothing; only then may the amount be 0.",
        examples=[False],
    )

    @model_validator(mode="after")
    def _worth(self) -> Self:
        if self.amount == 0 and not self.free:
            raise PydanticCustomError(
                "AmountZero", "The amount is 0; an order of value nothing says so with free: true."
            )
        if self.amount != 0 and self.free:
            raise PydanticCustomError("FreeNotZero", "An order of value nothing has the amount 0.")
        return self


class ReturnCreate(ReportCreate):
    """Goods of a purchase came back, all or some. `id` is the brand's own id of the return and counts once.

    What the order's points would be without them is the rule's to say, in the version by which they were awarded.
    """

    id: Identifier = Field(examples=["return-19970102-00001"])
    occurred_at: Annotated[Moment, AfterValidator(within_programme)] = Field(
        description="Not more than a minute ahead.", examples=["1997-01-02T00:00:00Z"]
    )
    order: Identifier = Field(description="The purchase's own id.", examples=["order-19970101-00004"])
    amount: Amount | None = Field(
        default=None,
        description="Of what the purchase counted, in the same base units (cents); without it, all that is left of it.",
        examples=["1000"],
    )
    retry_for_s: RetryFor | None = None


class Receipt(ResponseModel):
    """Where on the chain something happened."""

    tx_hash: str = Field(examples=[EXAMPLE_HASH])
    block_number: int = Field(examples=[1042])
    block_hash: str = Field(examples=[EXAMPLE_HASH])
    log_index: int = Field(examples=[3])
    contract: str | None = Field(default=None, examples=[EXAMPLE_ADDRESS])


class OperationPublic(ResponseModel):
    """Anything asked of the ledger. `confirmed` means mined and mirrored."""

    id: str = Field(examples=["17"])
    kind: str = Field(examples=["award"])
    brand: str = Field(examples=["cdnow"])
    state: OperationState = Field(examples=["queued"])
    error: str | None = Field(default=None, description="The contract's error, when failed.", examples=[None])
    error_args: dict[str, Any] | None = Field(default=None, examples=[None])
    receipt: Receipt | None = Field(default=None, examples=[None])
    refusals: int = Field(default=0, description="How often it was refused and asked again.", examples=[0])
    retry_at: str | None = Field(default=None, description="When waiting: asked again then.", examples=[None])
    retry_until: str | None = Field(default=None, description="No longer than this, by itself.", examples=[None])
    locked_until: str | None = Field(
        default=None,
        description="When locked: an award asked for from this second on, as the rule's lockSeconds have it.",
        examples=[None],
    )
    created_at: str = Field(examples=[EXAMPLE_TIME])
    updated_at: str = Field(examples=[EXAMPLE_TIME])


class RefusedFact(ResponseModel):
    """What an order said before it was corrected."""

    member: str = Field(examples=["mem_0190a3f27c1e4b0c9a5d2e6f8b7c4d10"])
    occurred_at: str = Field(examples=[EXAMPLE_TIME])
    data: dict[str, Any] = Field(examples=[{"amount": "90000", "currency": "USD"}])


class Refusal(ResponseModel):
    """A refusal after which the operation was asked again. fact: the order as it was, when it was corrected then."""

    error: str = Field(examples=["BrandNotIssuing"])
    error_args: dict[str, Any] | None = Field(default=None, examples=[None])
    receipt: Receipt | None = Field(default=None, examples=[None])
    refused_at: str = Field(examples=[EXAMPLE_TIME])
    asked_again_at: str = Field(examples=[EXAMPLE_TIME])
    fact: RefusedFact | None = Field(default=None, examples=[None])


class OperationTold(OperationPublic):
    """An operation with the refusals that it had before, oldest first."""

    history: list[Refusal]
    award: str | None = Field(default=None, description="Of a return: the operation of its award.", examples=[None])
    returns: list[str] = Field(
        default=[], description="Of an award: the operations of its returns, oldest first.", examples=[["18"]]
    )


class RefusedOperation(OperationPublic):
    """A refused or waiting operation; order: the brand's own id of the order that asked for it."""

    order: str | None = Field(default=None, examples=["order-19970101-00004"])


class RefusedOperations(ResponseModel):
    """The brand's refused and waiting operations, newest first."""

    operations: list[RefusedOperation]
    next_cursor: str | None = Field(default=None, examples=[None])


class OperationCounts(ResponseModel):
    """How many of the brand's operations are in which state."""

    states: dict[OperationState, int] = Field(examples=[{"queued": 12, "confirmed": 6907}])
    kinds: dict[str, int] = Field(examples=[{"award": 6919}])


class PurchaseAccepted(ResponseModel):
    """The purchase counts. The points follow when the operation is confirmed."""

    id: str = Field(examples=["order-19970101-00004"])
    member: str = Field(examples=["mem_0190a3f27c1e4b0c9a5d2e6f8b7c4d10"])
    occurred_at: str = Field(description="In UTC.", examples=["1997-01-01T00:00:00.000Z"])
    received_at: str = Field(description="When it was first reported.", examples=[EXAMPLE_TIME])
    late: bool = Field(description="It was reported more than a day after it happened.", examples=[True])
    operation: OperationPublic


class ReturnAccepted(ResponseModel):
    """The return counts. Its points are taken back when the operation is confirmed."""

    id: str = Field(examples=["return-19970102-00001"])
    order: str = Field(examples=["order-19970101-00004"])
    member: str = Field(examples=["mem_0190a3f27c1e4b0c9a5d2e6f8b7c4d10"])
    amount: str = Field(description="What comes back, in the currency's base units.", examples=["1000"])
    occurred_at: str = Field(description="In UTC.", examples=["1997-01-02T00:00:00.000Z"])
    received_at: str = Field(description="When it was first reported.", examples=[EXAMPLE_TIME])
    late: bool = Field(description="It was reported more than a day after it happened.", examples=[True])
    award: str = Field(description="The operation of the award that it takes from.", examples=["17"])
    operation: OperationPublic = Field(
        description="The return's own; the award's, where that was still locked and the goods came off it before."
    )
    taken: str | None = Field(description="Points taken back, once confirmed.", examples=[None])
    owed: str | None = Field(description="Points that are owed instead, once confirmed.", examples=[None])
    forgiven: str | None = Field(description="Points that were spent and are forgiven.", examples=[None])


class PurchaseLine(ResponseModel):
    """The answer to one line of an NDJSON body of purchases."""

    line: int = Field(description="Counted from 1, blank lines included.", examples=[500])
    status: LineStatus = Field(
        description="`retried`: it was refused before, for `error`, and is asked again.", examples=["accepted"]
    )
    id: str | None = Field(default=None, examples=["order-19970101-00004"])
    operation: str | None = Field(default=None, examples=["17"])
    error: str | None = Field(default=None, examples=[None])
    error_args: dict[str, Any] | None = Field(default=None, examples=[None])
    occurred_at: str | None = Field(default=None, description="In UTC.", examples=["1997-01-01T00:00:00.000Z"])
    late: bool | None = Field(
        default=None, description="It was reported more than a day after it happened.", examples=[True]
    )
    locked_until: str | None = Field(
        default=None, description="When locked: the award is asked for from this second on.", examples=[None]
    )
    problem: dict[str, Any] | None = Field(default=None, examples=[None])
