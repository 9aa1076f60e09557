"""Holds and exchanges as they are on the wire."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from api.events.schemas import OperationPublic, RetryFor
from api.kit.amounts import Amount, Points
from api.kit.schemas import EXAMPLE_MEMBER, EXAMPLE_TIME, MemberId, RequestModel, ResponseModel, Slug
from api.kit.texts import patterned
from api.members.schemas import MemberReference

HoldState = Literal["requested", "held", "captured", "released", "expired", "refused"]
IntentionState = Literal["unknown", "withdrawn", "settling", "confirmed", "refused"]
HoldId = Annotated[str, patterned(r"^hold_[0-9a-f]{32}$", "a hold's id is hold_ and 32 hex digits in lower case")]
HoldCode = Annotated[str, patterned(r"^[0-9]{9}$", "a hold's code is nine digits, without spaces")]
IntentionKey = Annotated[str, patterned(r"^[0-9A-Za-z_-]{1,128}$", "a key is 1 to 128 of letters, digits, - and _")]
EXAMPLE_CODE = "482109379"
EXAMPLE_KEY = "5d1c7c1e-9a58-4a2f-8a55-1f4f2a7d9c10"
EXAMPLE_HOLD = "hold_0190a3f27c1e4b0c9a5d2e6f8b7c4d10"
DEADLINE_S_MAX = 30 * 24 * 3600


class HoldPlace(RequestModel):
    """Sets points aside for a redemption.

    A brand names the member and holds its own points; a member names the brand and holds its own.
    """

    member: MemberReference | None = Field(default=None)
    brand: Slug | None = Field(default=None, examples=[None])
    points: Amount = Field(examples=["300"])
    reward: str = Field(default="", max_length=64, examples=["coffee-large"])
    lifetime_s: int | None = Field(default=None, strict=True, ge=30, le=DEADLINE_S_MAX, examples=[900])

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        if self.member is not None and (self.member.id is None) == (self.member.identifier is None):
            raise PydanticCustomError("MemberUnclear", "Name the member by id or by identifier, one of them.")
        return self


class HoldCapture(RequestModel):
    """Burns held points; what is not captured goes back. Without `points`, the whole hold."""

    points: Amount | None = Field(default=None, examples=["200"])


class HoldRefund(RequestModel):
    """Gives captured points back, with the expiry they had. Without `points`, all of them."""

    points: Amount | None = Field(default=None, examples=["100"])


class HoldPublic(ResponseModel):
    id: str = Field(examples=[EXAMPLE_HOLD])
    code: str | None = Field(
        description="What the member reads out at the till; null for holds of before there were codes.",
        examples=[EXAMPLE_CODE],
    )
    brand: str = Field(examples=["cdnow"])
    member: str = Field(examples=[EXAMPLE_MEMBER])
    points: Points
    captured: Points = Field(examples=["0"])
    refunded: Points = Field(examples=["0"])
    debt: Points = Field(
        description="What the member owes this brand now: points of goods that came back, spent by then.",
        examples=["0"],
    )
    decimals: int = Field(examples=[2])
    reward: str = Field(examples=["coffee-large"])
    state: HoldState = Field(examples=["requested"])
    placed_at: str = Field(description="When it was asked for.", examples=[EXAMPLE_TIME])
    deadline: str = Field(examples=[EXAMPLE_TIME])
    operation: OperationPublic = Field(description="The hold's newest operation.")


class ExchangeCreate(RequestModel):
    """Does a quoted exchange; the contract gives at least `minimum_out` or refuses."""

    source: Slug = Field(alias="from", examples=["cdnow"])
    target: Slug = Field(alias="to", examples=["hanok"])
    points_in: Amount = Field(examples=["400"])
    minimum_out: Amount = Field(examples=["1"])
    agreement_version: int = Field(strict=True, ge=1, le=2**32 - 1, examples=[1])
    retry_for_s: RetryFor | None = None


class ExchangePublic(ResponseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)

    id: str = Field(examples=["exc_0190a3f27c1e4b0c9a5d2e6f8b7c4d10"])
    source: str = Field(alias="from", examples=["cdnow"])
    target: str = Field(alias="to", examples=["hanok"])
    points_in: Points
    points_out: Points | None = Field(description="Known when confirmed.")
    minimum_out: Points
    decimals: int = Field(examples=[2])
    operation: OperationPublic


class GatherPlace(RequestModel):
    """Moves all points of a brand from one of the person's members to the one that stands for the person."""

    brand: Slug = Field(examples=["cdnow"])
    source: MemberId = Field(alias="from", examples=[EXAMPLE_MEMBER])


class GatheredPublic(ResponseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)

    brand: str = Field(examples=["cdnow"])
    source: str = Field(alias="from", examples=[EXAMPLE_MEMBER])
    target: str = Field(alias="to", examples=[EXAMPLE_MEMBER])
    operation: OperationPublic


class HoldPage(ResponseModel):
    holds: list[HoldPublic] = Field(description="The newest first.")
    next_cursor: str | None = Field(examples=[None])


class IntentionPublic(ResponseModel):
    """What became of a write, by its idempotency key. `unknown`: nothing came under it, or its 90 days are over."""

    key: str = Field(examples=[EXAMPLE_KEY])
    state: IntentionState = Field(examples=["settling"])
    operation: OperationPublic | None = Field(default=None, description="What was asked of the ledger by it.")
    hold: HoldPublic | None = Field(default=None, description="The hold that was placed or changed by it.")
    exchange: ExchangePublic | None = Field(default=None, description="The exchange that was asked for by it.")
