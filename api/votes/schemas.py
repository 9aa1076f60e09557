"""A vote as it is on the wire."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from api.events.schemas import OperationPublic
from api.kit.amounts import Points
from api.kit.schemas import EXAMPLE_ADDRESS, EXAMPLE_TIME, RequestModel, ResponseModel, Slug
from api.kit.texts import patterned

Choice = Literal["against", "for", "abstain"]
ProposalId = Annotated[str, patterned("^[1-9][0-9]{0,17}$", "a proposal is a number from 1 on, as text")]


class VoteCast(RequestModel):
    """How the member votes on a proposal, with the points of one brand."""

    proposal: ProposalId = Field(examples=["1"])
    brand: Slug = Field(examples=["cdnow"])
    choice: Choice


class VotePublic(ResponseModel):
    """A vote that was signed and handed in. `points`: its weight, of the block before the proposal."""

    proposal: str = Field(examples=["1"])
    brand: str = Field(examples=["cdnow"])
    choice: Choice
    points: Points
    operation: OperationPublic


class ProposalPublic(ResponseModel):
    """A proposal as the governor tells it now. Both houses must agree; then anyone has it queued and executed."""

    proposal: str = Field(examples=["1"])
    state: Literal["open", "agreed", "refused", "queued", "executed", "vetoed", "stale"]
    brands: list[str] = Field(description="Those that are asked.", examples=[["cdnow"]])
    block_number: int = Field(description="The block whose balances count.", examples=[1042])
    actions_hash: str = Field(examples=["0x" + "6b" * 32])
    text_hash: str = Field(description="keccak256 of its public text.", examples=["0x" + "7e" * 32])
    prepared_until: str = Field(description="Lists are posted and adopted before.", examples=[EXAMPLE_TIME])
    voted_until: str = Field(examples=[EXAMPLE_TIME])
    voices_for: int = Field(description="Brands, by one voice each.", examples=[1])
    voices_against: int = Field(examples=[0])
    brands_agree: bool = Field(description="The brands' house, up to now.", examples=[True])
    members_agree: bool = Field(description="The members' house, up to now.", examples=[False])


class TallyPublic(ResponseModel):
    """What a brand's members said, in points. `poster`: whose list they vote by; null: none is adopted yet."""

    brand: str = Field(examples=["cdnow"])
    poster: str | None = Field(examples=[EXAMPLE_ADDRESS])
    total: Points
    points_for: Points
    points_against: Points
    points_abstaining: Points


class PostedListPublic(ResponseModel):
    """A list of balances that somebody posted. It is adopted once nobody contradicted it until `challenge_until`."""

    brand: str = Field(examples=["cdnow"])
    poster: str = Field(examples=[EXAMPLE_ADDRESS])
    accounts: int = Field(examples=[12])
    total: Points
    challenge_until: str | None = Field(description="null: more of it is to come.", examples=[EXAMPLE_TIME])
    contradicted: bool = Field(examples=[False])
    adopted: bool = Field(examples=[True])


class ProposalTold(ProposalPublic):
    """The same with its houses by brand, and the lists."""

    tallies: list[TallyPublic]
    lists: list[PostedListPublic]


class ProposalList(ResponseModel):
    """A page, the newest first, as of a block."""

    as_of_block: int = Field(examples=[1050])
    as_of_hash: str = Field(examples=["0x" + "5d" * 32])
    proposals: list[ProposalPublic]
    next_cursor: str | None = Field(examples=[None])
