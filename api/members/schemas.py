"""Brands, keys, members and sessions as they are on the wire."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from api.kit.schemas import (
    EXAMPLE_ADDRESS,
    EXAMPLE_MEMBER,
    EXAMPLE_TIME,
    Identifier,
    MemberId,
    RequestModel,
    ResponseModel,
    Slug,
)
from api.kit.texts import patterned

KeyId = Annotated[str, patterned(r"^[0-9a-f]{12}$", "a key's id is 12 hex digits in lower case")]
Colour = Annotated[str, patterned(r"^#[0-9a-fA-F]{6}$", "a colour is # and 6 hex digits")]
Country = Annotated[str, patterned(r"^[A-Z]{2}$", "a country is two capitals of ISO 3166, such as KR")]
Currency = Annotated[str, patterned(r"^[A-Z]{3}$", "a currency is three capitals of ISO 4217, such as USD")]

NAME_CHARS_MAX = 80
SYMBOL_CHARS_MAX = 11
# What the operator's key is called wherever keys stand beside each other.
RESERVED = frozenset({"operator"})


def _free(slug: str) -> str:
    if slug in RESERVED:
        raise PydanticCustomError("slug_reserved", "no brand is called {slug}", {"slug": slug})
    return slug


BrandSlug = Annotated[Slug, AfterValidator(_free)]


class BrandNames(RequestModel):
    """How a brand is called and shown. The chain has the hash of such a document, in JSON with sorted keys."""

    slug: BrandSlug = Field(examples=["cdnow"])
    name: str = Field(min_length=1, max_length=NAME_CHARS_MAX, examples=["CDNOW"])
    symbol: str = Field(min_length=1, max_length=SYMBOL_CHARS_MAX, examples=["CDN"])
    colour: Colour = Field(default="#3b5bdb", examples=["#3b5bdb"])
    currency: Currency = Field(default="USD", examples=["USD"])


class BrandChange(RequestModel):
    """Calls a brand otherwise; what is not named stays as it is."""

    slug: BrandSlug | None = Field(default=None, examples=["cdnow"])
    name: str | None = Field(default=None, min_length=1, max_length=NAME_CHARS_MAX, examples=["CDNOW"])
    symbol: str | None = Field(default=None, min_length=1, max_length=SYMBOL_CHARS_MAX, examples=["CDN"])
    colour: Colour | None = Field(default=None, examples=["#3b5bdb"])
    currency: Currency | None = Field(default=None, examples=["USD"])
    country: Country | None = Field(
        default=None,
        description="Where the brand's telephone numbers are at home: 010-1234-5678 is then +821012345678.",
        examples=["KR"],
    )


class BrandPublic(ResponseModel):
    slug: str = Field(examples=["cdnow"])
    name: str = Field(examples=["CDNOW"])
    symbol: str = Field(examples=["CDN"])
    colour: str = Field(examples=["#3b5bdb"])
    currency: str = Field(examples=["USD"])
    country: str | None = Field(default=None, examples=["KR"])
    decimals: int = Field(examples=[2])
    brand_id: str = Field(description="The registry's id of the brand.", examples=["1"])
    token: str = Field(description="Address of the brand's token.", examples=[EXAMPLE_ADDRESS])
    created_at: str = Field(examples=[EXAMPLE_TIME])


class BrandList(ResponseModel):
    brands: list[BrandPublic]


class KeyCreated(ResponseModel):
    """A brand's new key. `key` is shown this once and kept by us only as a hash."""

    id: str = Field(examples=["5f0c2a9b7d31"])
    key: str | None = Field(description="In the first answer only.", examples=["moa_b_5f0c2a9b7d31_…"])
    prefix: str = Field(examples=["moa_b_5f0c2a9b7d31"])
    brand: str = Field(examples=["cdnow"])
    created_at: str = Field(examples=[EXAMPLE_TIME])


class KeyPublic(ResponseModel):
    id: str = Field(examples=["5f0c2a9b7d31"])
    prefix: str = Field(examples=["moa_b_5f0c2a9b7d31"])
    brand: str | None = Field(examples=["cdnow"])
    created_at: str = Field(examples=[EXAMPLE_TIME])
    last_used_at: str | None = Field(examples=[EXAMPLE_TIME])
    revoked_at: str | None = Field(examples=[None])


class KeyList(ResponseModel):
    keys: list[KeyPublic]


class MemberCreate(RequestModel):
    """Enrols a member with the calling brand.

    identifier: the brand's own name for the member. id: a member that exists already and showed its id to
    the brand; without it a member is made.
    """

    identifier: Identifier = Field(examples=["customer-00004"])
    id: MemberId | None = Field(default=None, examples=[None])


class MemberPublic(ResponseModel):
    id: str = Field(examples=[EXAMPLE_MEMBER])
    address: str = Field(examples=[EXAMPLE_ADDRESS])
    identifier: str | None = Field(description="The calling brand's name for the member.", examples=["customer-00004"])
    enrolled_at: str | None = Field(examples=[EXAMPLE_TIME])


class MemberLine(ResponseModel):
    """The answer to one line of an NDJSON body of members."""

    line: int = Field(examples=[1])
    status: Literal["accepted", "replayed", "refused"] = Field(examples=["accepted"])
    member: MemberPublic | None = None
    problem: dict[str, object] | None = Field(default=None, examples=[None])


class MemberReference(RequestModel):
    """A member by the brand's own identifier, or by id; exactly one of the two."""

    identifier: Identifier | None = Field(default=None, examples=["customer-00004"])
    id: MemberId | None = Field(default=None, examples=[None])


class SessionCreate(RequestModel):
    """How long the session is to last; without it, as long as the gateway is set to."""

    lifetime_s: int | None = Field(default=None, strict=True, ge=60, le=30 * 24 * 3600, examples=[86400])


class SessionCreated(ResponseModel):
    """A member's session. `token` is shown this once."""

    token: str | None = Field(description="In the first answer only.", examples=["moa_m_5f0c2a9b7d31_…"])
    member: str = Field(examples=[EXAMPLE_MEMBER])
    expires_at: str = Field(examples=[EXAMPLE_TIME])


class SessionPublic(ResponseModel):
    """A member's session without its secret."""

    id: str = Field(examples=["5f0c2a9b7d31"])
    created_at: str = Field(examples=[EXAMPLE_TIME])
    expires_at: str = Field(description="When it is over, or was ended.", examples=[EXAMPLE_TIME])
    ended_at: str | None = Field(description="When somebody ended it before its time.", examples=[None])
    current: bool = Field(description="It is the one that asks.", examples=[True])


class SessionList(ResponseModel):
    sessions: list[SessionPublic]


class DevicePublic(ResponseModel):
    """A device that signed in. means: how; ended_why: by whom or what it was signed out."""

    id: str = Field(examples=["5f0c2a9b7d31"])
    label: str | None = Field(examples=["Ada's telephone"])
    means: str = Field(examples=["passkey"])
    made_at: str = Field(examples=[EXAMPLE_TIME])
    last_at: str = Field(examples=[EXAMPLE_TIME])
    expires_at: str = Field(examples=[EXAMPLE_TIME])
    ended_at: str | None = Field(examples=[None])
    ended_why: str | None = Field(examples=[None])
    current: bool = Field(description="It is the one that asks.", examples=[True])


class DeviceList(ResponseModel):
    devices: list[DevicePublic]


class KeyRotate(RequestModel):
    """How long the key still opens beside its successor."""

    overlap_s: int | None = Field(default=None, strict=True, ge=0, le=7 * 24 * 3600, examples=[3600])
