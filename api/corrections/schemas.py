"""Points by hand as they are on the wire."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from api.events.schemas import OperationPublic
from api.kit.addresses import Address
from api.kit.amounts import Amount, Points
from api.kit.schemas import EXAMPLE_ADDRESS, EXAMPLE_MEMBER, EXAMPLE_TIME, Identifier, RequestModel, ResponseModel
from api.kit.texts import patterned
from api.members.schemas import MemberReference

Purpose = Literal["goodwill", "correction"]
CorrectionState = Literal["waiting", "expired", "withdrawn", "refused", "asked"]
CorrectionId = Annotated[str, patterned(r"^cor_[0-9a-f]{32}$", "a correction's id is cor_ and 32 hex digits")]
Signature = Annotated[
    str, patterned(r"^0x([0-9a-fA-F]{2}){65,2048}$", "a signature is 0x and the hex digits of 65 to 2,048 bytes")
]
Reason = Annotated[str, StringConstraints(min_length=3, max_length=280, strip_whitespace=True)]
EXAMPLE_CORRECTION = "cor_0190a3f27c1e4b0c9a5d2e6f8b7c4d10"


class CorrectionCreate(RequestModel):
    """Points that a member is to be given by hand. `reference` is the brand's own and counts once."""

    reference: Identifier = Field(examples=["case-4711"])
    member: MemberReference
    points: Amount = Field(description="In the token's base units.", examples=["500"])
    purpose: Purpose = Field(examples=["goodwill"])
    reason: Reason = Field(description="The member reads it.", examples=["The parcel came three weeks late."])

    @model_validator(mode="after")
    def _of_one_member(self) -> Self:
        if (self.member.id is None) == (self.member.identifier is None):
            raise PydanticCustomError("MemberUnclear", "Name the member by id or by identifier, one of them.")
        return self


class CorrectionApproval(RequestModel):
    """The second signature: of an account that holds the brand's owner role, over `to_sign` of the correction."""

    signer: Address = Field(examples=[EXAMPLE_ADDRESS])
    signature: Signature = Field(examples=["0x" + "1b" * 65])


class CorrectionPublic(ResponseModel):
    """Points by hand as they stand. `operation`: once they were asked of the ledger, which then decides."""

    id: str = Field(examples=[EXAMPLE_CORRECTION])
    reference: str = Field(examples=["case-4711"])
    member: str = Field(examples=[EXAMPLE_MEMBER])
    points: Points
    purpose: Purpose = Field(examples=["goodwill"])
    state: CorrectionState = Field(description="`waiting`: for a second one.", examples=["asked"])
    rule: str = Field(examples=["2"])
    asked_by: str = Field(description="key/ or role/ and its id.", examples=["role/5f0c2a9b7d31"])
    decided_by: str | None = Field(examples=["key/7b1e2a9b7d31"])
    asked_at: str = Field(examples=[EXAMPLE_TIME])
    decided_at: str | None = Field(examples=[EXAMPLE_TIME])
    approve_until: str | None = Field(description="null: it needs no second one.", examples=[EXAMPLE_TIME])
    operation: OperationPublic | None


class CorrectionTold(CorrectionPublic):
    """The same with the reason, and with what a second one signs while it is waited for."""

    reason: str | None = Field(description="null: the member was erased.", examples=["The parcel came late."])
    to_sign: dict[str, Any] | None = Field(
        description="EIP-712 typed data; null where nothing is to be signed.", examples=[None]
    )


class CorrectionList(ResponseModel):
    """A page, the newest first."""

    corrections: list[CorrectionPublic]
    next_cursor: str | None = Field(examples=[None])


class MyCorrection(ResponseModel):
    """Points that a brand gave by hand, and why. `operation` is the one that the history names."""

    id: str = Field(examples=[EXAMPLE_CORRECTION])
    brand: str = Field(examples=["cdnow"])
    reference: str = Field(examples=["case-4711"])
    points: Points
    purpose: Purpose = Field(examples=["goodwill"])
    reason: str | None = Field(examples=["The parcel came three weeks late."])
    asked_at: str = Field(examples=[EXAMPLE_TIME])
    operation: OperationPublic


class MyCorrectionList(ResponseModel):
    corrections: list[MyCorrection]
    next_cursor: str | None = Field(examples=[None])
