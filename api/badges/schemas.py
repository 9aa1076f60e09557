"""Badges as they are on the wire."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.kit.schemas import EXAMPLE_TIME, ResponseModel


class Badge(ResponseModel):
    """One live badge. `metadata_hash`: keccak256 of the definition's public text."""

    brand: str = Field(examples=["cdnow"])
    definition: str = Field(description="The brand's number of it, from 1.", examples=["3"])
    kind: Literal["tier", "mission", "achievement"]
    level: int = Field(description="Of a tier, 1 to 255; 0 for the others.", examples=[2])
    given_at: str = Field(examples=[EXAMPLE_TIME])
    valid_until: str | None = Field(description="null: it stays.", examples=[EXAMPLE_TIME])
    metadata_hash: str = Field(examples=["0x" + "6b" * 32])
    token_id: str = Field(description="Of the ERC-721 token, decimal.", examples=["6277101735386680763835789423"])


class BadgeList(ResponseModel):
    """A member's live badges in a block."""

    block_number: int = Field(examples=[1042])
    block_hash: str = Field(examples=["0x" + "5d" * 32])
    badges: list[Badge]
