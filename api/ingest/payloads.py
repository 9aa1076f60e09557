"""The data of every kind of event. Amounts are strings of the currency's base units, and their currency stands beside
them; everything else that is counted is a whole number of the unit in its name. PERSONAL marks what is sealed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from api.kit.amounts import Amount, AmountOrZero
from api.kit.schemas import Identifier, RequestModel
from api.members.schemas import Currency

PERSONAL: Final = {"personal": True}
LINES_MAX: Final = 200
ANSWERS_MAX: Final = 100
COUNT_MAX: Final = 1_000_000_000
DAY_S: Final = 86_400

Name = Annotated[str, Field(min_length=1, max_length=200)]
Code = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[!-~]+$")]
Count = Annotated[int, Field(strict=True, ge=1, le=COUNT_MAX)]
CountOrZero = Annotated[int, Field(strict=True, ge=0, le=COUNT_MAX)]
Seconds = Annotated[int, Field(strict=True, ge=0, le=7 * DAY_S)]
Stars = Annotated[int, Field(strict=True, ge=1, le=5)]
Text = Annotated[str, Field(min_length=1, max_length=4_000, json_schema_extra=PERSONAL)]
Terms = Annotated[str, Field(min_length=1, max_length=400, json_schema_extra=PERSONAL)]
Url = Annotated[str, Field(min_length=1, max_length=2_000, json_schema_extra=PERSONAL)]


def personal_fields(schema: type[RequestModel]) -> frozenset[str]:
    """The fields of a payload that are sealed under the member's key."""
    return frozenset(
        name for name, field in schema.model_fields.items() if _is_personal([field, *field.metadata, field.annotation])
    )


def _is_personal(marks: Sequence[Any]) -> bool:
    """Whether the mark stands on the field, or anywhere in its type: a text that may be absent is one all the same."""
    return any(
        (getattr(one, "json_schema_extra", None) or {}).get("personal")
        or _is_personal([*get_args(one), *getattr(one, "__metadata__", ())])
        for one in marks
    )


class Line(RequestModel):
    """A line of a basket; amount: of the whole line, after its own discount."""

    sku: Code = Field(examples=["tea-jasmine-100"])
    quantity: Count = Field(examples=[2])
    amount: AmountOrZero = Field(examples=["2400"])
    promotion: Code | None = Field(default=None, examples=["spring-2for1"])


class PointsPaid(RequestModel):
    """What was paid with points: it earns none. amount: what that part is in money."""

    amount: Amount = Field(examples=["500"])
    points: Amount | None = Field(default=None, examples=["50000"])
    hold: Identifier | None = Field(default=None, examples=["hold_0190a3f27c1e4b0c9a5d2e6f8b7c4d10"])


class Purchase(RequestModel):
    """A purchase. What counts is its total without what was paid with points; `order` counts once."""

    order: Identifier = Field(examples=["order-19970101-00004"])
    currency: Currency = Field(examples=["USD"])
    total: AmountOrZero = Field(description="All that was paid, with tax and shipping.", examples=["2933"])
    tax: AmountOrZero = Field(default=0, examples=["133"])
    tax_included: bool = Field(default=True, strict=True, description="The lines' amounts have the tax in them.")
    discount: AmountOrZero = Field(default=0, description="Off the whole basket.", examples=["0"])
    shipping: AmountOrZero = Field(default=0, examples=["0"])
    lines: list[Line] = Field(default=[], max_length=LINES_MAX)
    paid_with_points: PointsPaid | None = None
    store: Code | None = Field(default=None, examples=["seoul-01"])
    channel: Literal["web", "app", "store", "phone"] | None = Field(default=None, examples=["store"])
    promotions: list[Code] = Field(default=[], max_length=20)

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.lines:
            made = sum(line.amount for line in self.lines) + self.shipping - self.discount
            made += 0 if self.tax_included else self.tax
            if made != self.total:
                raise PydanticCustomError("BasketUnequal", f"The basket makes {made}, its total says {self.total}.")
        if self.paid_with_points is not None and self.paid_with_points.amount > self.total:
            raise PydanticCustomError("BasketUnequal", "More was paid with points than the whole total.")
        return self

    @property
    def counts(self) -> int:
        """What earns points."""
        return self.total - (0 if self.paid_with_points is None else self.paid_with_points.amount)


class Return(RequestModel):
    """Goods of a purchase came back; without an amount, all that is left of it. `id` counts once."""

    id: Identifier = Field(examples=["return-19970102-00001"])
    order: Identifier = Field(examples=["order-19970101-00004"])
    currency: Currency = Field(examples=["USD"])
    amount: Amount | None = Field(default=None, examples=["1000"])
    lines: list[Line] = Field(default=[], max_length=LINES_MAX)
    reason: Text | None = None

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.lines and sum(line.amount for line in self.lines) != self.amount:
            raise PydanticCustomError("BasketUnequal", "The lines that came back do not make the amount.")
        return self


class ProductView(RequestModel):
    sku: Code = Field(examples=["tea-jasmine-100"])
    seconds: Seconds | None = None
    url: Url | None = None


class PageView(RequestModel):
    name: Name | None = Field(default=None, examples=["Teas"])
    category: Name | None = None
    title: Text | None = None
    url: Url | None = None
    path: Url | None = None
    search: Terms | None = None
    referrer: Url | None = None


class ScreenView(RequestModel):
    name: Name = Field(examples=["Home"])
    category: Name | None = None


class Search(RequestModel):
    terms: Terms = Field(examples=["jasmine tea"])
    results: CountOrZero | None = Field(default=None, examples=[12])


class Cart(RequestModel):
    """A cart as it is after the change; its id is known at the till too."""

    cart: Identifier = Field(examples=["cart-17"])
    change: Literal["added", "removed", "changed", "emptied", "abandoned"] = Field(examples=["added"])
    currency: Currency = Field(examples=["USD"])
    lines: list[Line] = Field(default=[], max_length=LINES_MAX)


class Checkout(RequestModel):
    cart: Identifier = Field(examples=["cart-17"])
    step: Literal["started", "address", "payment", "completed", "abandoned"] = Field(examples=["started"])
    currency: Currency = Field(examples=["USD"])
    total: AmountOrZero = Field(examples=["2933"])


class AppSession(RequestModel):
    phase: Literal["started", "ended"] = Field(examples=["started"])
    seconds: Seconds | None = Field(default=None, examples=[120])
    version: Code | None = Field(default=None, examples=["4.2.0"])


class StoreVisit(RequestModel):
    store: Code = Field(examples=["seoul-01"])
    seconds: Seconds | None = Field(default=None, examples=[1800])
    entrance: Code | None = None


class Beacon(RequestModel):
    """Somebody stood by something for so long."""

    store: Code = Field(examples=["seoul-01"])
    beacon: Code = Field(examples=["shelf-7"])
    dwell_s: Seconds = Field(examples=[45])
    sku: Code | None = None


class Kiosk(RequestModel):
    store: Code = Field(examples=["seoul-01"])
    device: Code = Field(examples=["kiosk-2"])
    action: Code = Field(examples=["looked-up-points"])


class Experience(RequestModel):
    experience: Code = Field(examples=["tea-tasting-05"])
    store: Code | None = Field(default=None, examples=["seoul-01"])
    stars: Stars | None = Field(default=None, examples=[5])


class Support(RequestModel):
    """One step of a conversation; its thread is the same on every channel."""

    thread: Identifier = Field(examples=["case-4711"])
    channel: Literal["phone", "chat", "email", "store", "app"] = Field(examples=["phone"])
    step: Literal["opened", "answered", "asked", "closed"] = Field(examples=["opened"])
    topic: Code | None = Field(default=None, examples=["delivery"])
    text: Text | None = None


class Review(RequestModel):
    sku: Code = Field(examples=["tea-jasmine-100"])
    stars: Stars = Field(examples=[4])
    text: Text | None = None
    order: Identifier | None = None


class SurveyAnswer(RequestModel):
    survey: Code = Field(examples=["nps-2026"])
    score: Annotated[int, Field(strict=True, ge=0, le=10)] | None = Field(default=None, examples=[9])
    answers: Annotated[
        dict[str, Annotated[str, Field(max_length=1_000)]],
        Field(max_length=ANSWERS_MAX, json_schema_extra=PERSONAL),
    ] = Field(default_factory=dict)


class Attendance(RequestModel):
    place: Code = Field(examples=["app"])
    streak_days: CountOrZero | None = Field(default=None, examples=[3])


class Referral(RequestModel):
    """Of the member who recommended; code: by which whoever came is known."""

    code: Identifier = Field(examples=["ref-7K3M"])
    step: Literal["invited", "joined", "bought"] = Field(examples=["joined"])


class Mission(RequestModel):
    mission: Code = Field(examples=["five-teas"])
    progress: CountOrZero = Field(examples=[3])
    of: Count = Field(examples=[5])


class Course(RequestModel):
    course: Code = Field(examples=["tea-basics"])
    lesson: Code | None = Field(default=None, examples=["3"])
    completed: bool = Field(strict=True, examples=[False])


class Stock(RequestModel):
    sku: Code = Field(examples=["tea-jasmine-100"])
    place: Code = Field(examples=["seoul-01"])
    available: CountOrZero = Field(examples=[0])
    change: Literal["in", "out", "counted", "shipped", "came_back"] = Field(examples=["out"])


class Weather(RequestModel):
    """Temperature in tenths of a degree Celsius, rain in tenths of a millimetre an hour."""

    place: Code = Field(examples=["seoul"])
    condition: Code = Field(examples=["rain"])
    temperature_dc: Annotated[int, Field(strict=True, ge=-1_000, le=1_000)] = Field(examples=[215])
    rain_dmm: CountOrZero | None = Field(default=None, examples=[12])


class Footfall(RequestModel):
    place: Code = Field(examples=["seoul-01"])
    people: CountOrZero = Field(examples=[140])
    seconds: Seconds = Field(examples=[900])


class CampaignExposure(RequestModel):
    campaign: Code = Field(examples=["spring"])
    creative: Code | None = None
    channel: Code = Field(examples=["display"])
    placement: Code | None = None


class SocialMention(RequestModel):
    """Who wrote it is told only of a member."""

    network: Code = Field(examples=["x"])
    sentiment: Literal["positive", "neutral", "negative"] | None = Field(default=None, examples=["positive"])
    handle: Terms | None = None
    text: Text | None = None
    url: Url | None = None


class Membership(RequestModel):
    group: Identifier = Field(examples=["family-7"])
