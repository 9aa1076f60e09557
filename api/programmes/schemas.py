"""Previews as they are on the wire: what an award or an exchange would give now."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from api.kit.amounts import Amount, AmountOrZero, Points
from api.kit.schemas import EXAMPLE_TIME, RequestModel, ResponseModel, Slug

Shortfall = Literal["forgive", "debt"]


class Rate(ResponseModel):
    """A fraction: out = in × numerator ÷ denominator, rounded down."""

    numerator: str = Field(examples=["3"])
    denominator: str = Field(examples=["2"])


class RuleCited(ResponseModel):
    """The published rule that made the points."""

    id: str = Field(examples=["1"])
    version: int = Field(examples=[1])
    name: str = Field(examples=["purchase"])
    base_amount: str = Field(examples=["2933"])
    base_decimals: int = Field(description="The currency's own: 2 for USD, 0 for KRW.", examples=[2])
    currency: str = Field(examples=["USD"])
    numerator: str = Field(examples=["1"])
    denominator: str = Field(examples=["1"])
    return_window_s: int = Field(
        default=0, description="For so long after an award its goods may come back; 0: never.", examples=[2_592_000]
    )
    shortfall: Shortfall = Field(
        default="forgive",
        description="What becomes of returned goods' points that are spent by then: forgiven, or owed.",
        examples=["debt"],
    )


class AwardQuoteAsk(RequestModel):
    """Which points would a purchase of this amount earn?"""

    amount: AmountOrZero


class AwardQuote(ResponseModel):
    points: Points
    decimals: int = Field(examples=[2])
    rule: RuleCited


class ExchangeQuoteAsk(RequestModel):
    """What would these points of one brand give in another's?"""

    source: Slug = Field(alias="from", examples=["cdnow"])
    target: Slug = Field(alias="to", examples=["hanok"])
    points_in: Amount


class AgreementCited(ResponseModel):
    id: str = Field(examples=["1"])
    version: int = Field(examples=[1])


class ExchangeQuote(ResponseModel):
    """Exactly what the exchange gives if it is done before `expires_at` under this agreement version."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    source: str = Field(alias="from", examples=["cdnow"])
    target: str = Field(alias="to", examples=["hanok"])
    points_in: Points
    points_out: Points
    minimum_out: Points
    fee: Points = Field(description="In points of `to`, already taken from points_out.")
    decimals: int = Field(examples=[2])
    rate: Rate
    agreement: AgreementCited
    expires_at: str = Field(examples=[EXAMPLE_TIME])
