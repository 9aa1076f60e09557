"""Badges as they are on the wire."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from api.events.schemas import OperationPublic
from api.kit.schemas import EXAMPLE_MEMBER, EXAMPLE_TIME, Identifier, RequestModel, ResponseModel
from api.kit.texts import patterned
from api.members.schemas import MemberReference


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


class BadgeDefinition(ResponseModel):
    """What a brand published of a kind of badge; it never changes. `given`: how many were given under it up to now."""

    definition: str = Field(examples=["3"])
    kind: Literal["tier", "mission", "achievement"]
    level: int = Field(description="Of a tier, 1 to 255; 0 for the others.", examples=[2])
    giver: Literal["owner", "issuer", "till"] = Field(description="Whose role gives it and takes it back.")
    withdrawable: bool = Field(examples=[True])
    limit: str = Field(description="Most that are ever given.", examples=["1000"])
    given: str = Field(examples=["12"])
    end: str = Field(description="Unix second from which on none is given any more.", examples=["1893456000"])
    valid_s: str | None = Field(description="For how many seconds one is valid; null: for ever.", examples=["31536000"])
    metadata_hash: str = Field(description="keccak256 of the public text.", examples=["0x" + "6b" * 32])


class BadgeDefinitionList(ResponseModel):
    """A brand's definitions as they stand in a block."""

    block_number: int = Field(examples=[1042])
    block_hash: str = Field(examples=["0x" + "5d" * 32])
    definitions: list[BadgeDefinition]
    next_cursor: str | None = Field(examples=[None])


DefinitionId = Annotated[str, patterned("^[1-9][0-9]{0,3}$", "a definition is a number from 1 to 1,024, as text")]
GIFTS_MAX: Final = 100


class BadgesGive(RequestModel):
    """Badges of one definition for up to 100 members. `reference` is the brand's own and counts once."""

    reference: Identifier = Field(examples=["gold-2026-12"])
    definition: DefinitionId = Field(examples=["1"])
    members: list[MemberReference] = Field(min_length=1, max_length=GIFTS_MAX)


class BadgeWithdraw(RequestModel):
    """A member's badge is taken back. `reference` is the brand's own, counts once, as of gifts."""

    reference: Identifier = Field(examples=["gold-2026-12-back"])
    definition: DefinitionId = Field(examples=["1"])
    member: MemberReference


class BadgeRefused(ResponseModel):
    """One member of a batch who was not given it; the others were."""

    member: str = Field(examples=[EXAMPLE_MEMBER])
    error: str = Field(examples=["BadgeHeld"])
    error_args: dict[str, Any] | None = Field(examples=[{"limit": "1000"}])


class BadgeOperation(ResponseModel):
    """What was asked, and, once the chain has it, who has the badge and who was refused it."""

    reference: str = Field(examples=["gold-2026-12"])
    definition: str = Field(examples=["1"])
    members: list[str] = Field(examples=[[EXAMPLE_MEMBER]])
    operation: OperationPublic
    given: list[str] | None = Field(description="null: the chain has not said yet.", examples=[[EXAMPLE_MEMBER]])
    refused: list[BadgeRefused] | None
