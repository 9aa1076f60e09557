"""Brands, keys, members and sessions as they are on the wire."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,31}$")]
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[!-~]+$")]
MemberId = Annotated[str, StringConstraints(pattern=r"^mem_[0-9a-f]{32}$")]
EXAMPLE_MEMBER = "mem_0190a3f27c1e4b0c9a5d2e6f8b7c4d10"
EXAMPLE_ADDRESS = "0x3b0E1bD7D0c8F4a2E0c2F1d5bB1a9B0E6d7C8F90"
EXAMPLE_TIME = "2026-11-21T22:15:00.000Z"


class Told(BaseModel):
    """What we say. Never parsed by us."""

    model_config = ConfigDict(frozen=True)


class Asked(BaseModel):
    """What we are asked. A field that we do not know is refused, so that a typing error is never silent."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class BrandCreate(Asked):
    """Takes a brand that the chain's registry knows into the gateway."""

    slug: Slug = Field(examples=["cdnow"])
    name: str = Field(min_length=1, max_length=80, examples=["CDNOW"])
    symbol: str = Field(min_length=1, max_length=11, examples=["CDN"])
    colour: str = Field(default="#3b5bdb", pattern=r"^#[0-9a-fA-F]{6}$", examples=["#3b5bdb"])
    currency: str = Field(default="USD", pattern=r"^[A-Z]{3}$", examples=["USD"])


class BrandPublic(Told):
    slug: str = Field(examples=["cdnow"])
    name: str = Field(examples=["CDNOW"])
    symbol: str = Field(examples=["CDN"])
    colour: str = Field(examples=["#3b5bdb"])
    currency: str = Field(examples=["USD"])
    decimals: int = Field(examples=[2])
    brand_id: str = Field(description="The registry's number of the brand.", examples=["1"])
    token: str = Field(description="Address of the brand's token.", examples=[EXAMPLE_ADDRESS])
    created_at: str = Field(examples=[EXAMPLE_TIME])


class BrandList(Told):
    brands: list[BrandPublic]


class KeyCreated(Told):
    """A brand's new key. `key` is shown this once and kept by us only as a hash."""

    id: str = Field(examples=["5f0c2a9b7d31"])
    key: str | None = Field(description="In the first answer only.", examples=["moa_b_5f0c2a9b7d31_…"])
    prefix: str = Field(examples=["moa_b_5f0c2a9b7d31"])
    brand: str = Field(examples=["cdnow"])
    created_at: str = Field(examples=[EXAMPLE_TIME])


class KeyPublic(Told):
    id: str = Field(examples=["5f0c2a9b7d31"])
    prefix: str = Field(examples=["moa_b_5f0c2a9b7d31"])
    brand: str | None = Field(examples=["cdnow"])
    created_at: str = Field(examples=[EXAMPLE_TIME])
    last_used_at: str | None = Field(examples=[EXAMPLE_TIME])
    revoked_at: str | None = Field(examples=[None])


class KeyList(Told):
    keys: list[KeyPublic]


class MemberCreate(Asked):
    """Enrols a member with the calling brand.

    identifier: the brand's own name for the member. id: a member that exists already and showed its id to
    the brand; without it a member is made.
    """

    identifier: Identifier = Field(examples=["customer-00004"])
    id: MemberId | None = Field(default=None, examples=[None])


class MemberPublic(Told):
    id: str = Field(examples=[EXAMPLE_MEMBER])
    address: str = Field(examples=[EXAMPLE_ADDRESS])
    identifier: str | None = Field(description="The calling brand's name for the member.", examples=["customer-00004"])
    enrolled_at: str | None = Field(examples=[EXAMPLE_TIME])


class MemberLine(Told):
    """The answer to one line of an NDJSON body of members."""

    line: int = Field(examples=[1])
    status: Literal["accepted", "replayed", "refused"] = Field(examples=["accepted"])
    member: MemberPublic | None = None
    problem: dict[str, object] | None = Field(default=None, examples=[None])


class MemberReference(Asked):
    """A member by the brand's own identifier, or by id; exactly one of the two."""

    identifier: Identifier | None = Field(default=None, examples=["customer-00004"])
    id: MemberId | None = Field(default=None, examples=[None])


class SessionCreate(Asked):
    """How long the session is to last; without it, as long as the gateway is set to."""

    lifetime_s: int | None = Field(default=None, ge=60, le=30 * 24 * 3600, examples=[86400])


class SessionCreated(Told):
    """A member's session. `token` is shown this once."""

    token: str | None = Field(description="In the first answer only.", examples=["moa_m_5f0c2a9b7d31_…"])
    member: str = Field(examples=[EXAMPLE_MEMBER])
    expires_at: str = Field(examples=[EXAMPLE_TIME])
