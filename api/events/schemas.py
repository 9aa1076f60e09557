"""Facts from shops, and operations, as they are on the wire."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AwareDatetime, Field, model_validator
from pydantic_core import PydanticCustomError

from api.events.memos import MemoText
from api.kit.amounts import AmountOrZero
from api.kit.schemas import EXAMPLE_ADDRESS, EXAMPLE_TIME, Identifier, RequestModel, ResponseModel
from api.members.schemas import MemberReference

OperationState = Literal["queued", "assigned", "sent", "mined", "confirmed", "failed"]
EXAMPLE_HASH = "0x9f3c1d0b5a7e2c4f6081a3b5c7d9e0f21436587a9bacbdcedfe0f1a2b3c4d5e6"


def in_utc(at: datetime) -> datetime:
    """The same moment in UTC; refused when its offset leads out of the years 1 to 9999."""
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("this time has no place in the years 1 to 9999 of UTC") from None


class PurchaseCreate(RequestModel):
    """A purchase that a member made. `id` is the brand's order id and counts once."""

    id: Identifier = Field(examples=["order-19970101-00004"])
    member: MemberReference
    amount: AmountOrZero = Field(description="In the currency's base units (cents).")
    currency: str = Field(default="USD", pattern=r"^[A-Z]{3}$", examples=["USD"])
    occurred_at: Annotated[AwareDatetime, AfterValidator(in_utc)] = Field(examples=["1997-01-01T00:00:00Z"])
    memo: MemoText | None = Field(default=None, examples=[{"receipt": "No. 4711", "item.1": "1 tea, jasmine"}])
    free: bool = Field(
        default=False, description="An order of value nothing; only then may the amount be 0.", examples=[False]
    )

    @model_validator(mode="after")
    def _worth(self) -> Self:
        if (self.member.id is None) == (self.member.identifier is None):
            raise PydanticCustomError("MemberUnclear", "Name the member by id or by identifier, one of them.")
        if self.amount == 0 and not self.free:
            raise PydanticCustomError(
                "AmountZero", "The amount is 0; an order of value nothing says so with free: true."
            )
        if self.amount != 0 and self.free:
            raise PydanticCustomError("FreeNotZero", "An order of value nothing has the amount 0.")
        return self


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
    created_at: str = Field(examples=[EXAMPLE_TIME])
    updated_at: str = Field(examples=[EXAMPLE_TIME])


class OperationCounts(ResponseModel):
    """How many of the brand's operations are in which state."""

    states: dict[OperationState, int] = Field(examples=[{"queued": 12, "confirmed": 6907}])
    kinds: dict[str, int] = Field(examples=[{"award": 6919}])


class PurchaseAccepted(ResponseModel):
    """The purchase counts. The points follow when the operation is confirmed."""

    id: str = Field(examples=["order-19970101-00004"])
    member: str = Field(examples=["mem_0190a3f27c1e4b0c9a5d2e6f8b7c4d10"])
    operation: OperationPublic


class PurchaseLine(ResponseModel):
    """The answer to one line of an NDJSON body of purchases."""

    line: int = Field(description="Counted from 1, blank lines included.", examples=[500])
    status: Literal["accepted", "replayed", "refused"] = Field(examples=["accepted"])
    id: str | None = Field(default=None, examples=["order-19970101-00004"])
    operation: str | None = Field(default=None, examples=["17"])
    problem: dict[str, Any] | None = Field(default=None, examples=[None])
