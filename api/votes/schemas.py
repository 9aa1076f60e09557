"""A vote as it is on the wire."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from api.events.schemas import OperationPublic
from api.kit.amounts import Points
from api.kit.schemas import RequestModel, ResponseModel, Slug
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
