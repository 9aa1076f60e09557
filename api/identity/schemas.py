"""Identifiers, merges and claims as they are on the wire."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from api.identity.kinds import VALUE_CHARS_MAX, KindName
from api.kit.schemas import EXAMPLE_ADDRESS, EXAMPLE_MEMBER, EXAMPLE_TIME, MemberId, RequestModel, ResponseModel
from api.kit.texts import patterned

IDENTIFIERS_MAX: Final = 16
EXAMPLE_MERGE: Final = "mrg_0190a3f27c1e4b0c9a5d2e6f8b7c4d10"
MergeId = Annotated[str, patterned(r"^mrg_[0-9a-f]{32}$", "a merge's id is mrg_ and 32 hex digits in lower case")]
Code = Annotated[
    str, patterned(r"^[0-9A-Za-z -]{12,20}$", "a receipt's code is 12 letters and digits, in groups of four")
]
Case = Annotated[str, patterned(r"^[A-Za-z0-9._/-]{1,64}$", "a case is 1 to 64 letters, digits, dots, dashes")]


class IdentifierGiven(RequestModel):
    kind: KindName = Field(examples=["email"])
    value: str = Field(min_length=1, max_length=VALUE_CHARS_MAX, examples=["ada@example.com"])


class ResolveWanted(RequestModel):
    """By what a brand knows somebody."""

    identifiers: list[IdentifierGiven] = Field(min_length=1, max_length=IDENTIFIERS_MAX)


class Dropped(ResponseModel):
    """An identifier that was left out, and why: it names nobody, or would make one person of two."""

    kind: str = Field(examples=["cookie"])
    why: str = Field(examples=["limit_account"])


class ResolvedPublic(ResponseModel):
    """Whom the identifiers name. The id stays good whatever is merged later."""

    member: str = Field(examples=[EXAMPLE_MEMBER])
    address: str = Field(examples=[EXAMPLE_ADDRESS])
    outcome: Literal["found", "created", "added", "merged"] = Field(examples=["found"])
    matched: list[str] = Field(examples=[["email"]])
    dropped: list[Dropped]
    merge: str | None = Field(examples=[None])


class IdentifierPublic(ResponseModel):
    """An identifier as it is shown: masked. said_by: the brand that says so; null when the person proved it."""

    id: str = Field(examples=["17"])
    kind: str = Field(examples=["email"])
    shown: str | None = Field(examples=["a…@example.com"])
    said_by: str | None = Field(examples=[None])
    proven: bool = Field(examples=[True])
    first_seen_at: str = Field(examples=[EXAMPLE_TIME])
    last_seen_at: str = Field(examples=[EXAMPLE_TIME])


class MemberAddress(ResponseModel):
    """An address at which the member's points lie."""

    member: str = Field(examples=[EXAMPLE_MEMBER])
    address: str = Field(examples=[EXAMPLE_ADDRESS])


class IdentifierList(ResponseModel):
    identifiers: list[IdentifierPublic]
    addresses: list[MemberAddress]


class MergeWanted(RequestModel):
    """Two members whom support found to be one person. case: where it is written down how."""

    one: MemberId = Field(examples=[EXAMPLE_MEMBER])
    other: MemberId = Field(examples=["mem_0190a3f27c1e4b0c9a5d2e6f8b7c4d11"])
    case: Case = Field(examples=["case/4711"])


class MergeSide(ResponseModel):
    """One of the two sides: how many of what, and points by brand in base units. No identifier's value."""

    member: str = Field(examples=[EXAMPLE_MEMBER])
    members: list[str] = Field(examples=[[EXAMPLE_MEMBER]])
    addresses: list[str] = Field(examples=[[EXAMPLE_ADDRESS]])
    proven: bool = Field(examples=[True])
    identifiers: dict[str, int] = Field(examples=[{"email": 1}])
    brands: list[str] = Field(examples=[["cdnow"]])
    events: int = Field(examples=[12])
    points: dict[str, str] = Field(examples=[{"cdnow": "4399"}])


class MergePreview(ResponseModel):
    """What a merge would do. refused: the name of what speaks against it."""

    survivor: MergeSide
    absorbed: MergeSide
    refused: str | None = Field(examples=[None])
    undo_for_days: int = Field(examples=[30])


class MergePublic(ResponseModel):
    """A merge that was made. why: kinds of identifiers, the brand that said them, the case; never a value."""

    id: str = Field(examples=[EXAMPLE_MERGE])
    survivor: str = Field(examples=[EXAMPLE_MEMBER])
    absorbed: str = Field(examples=["mem_0190a3f27c1e4b0c9a5d2e6f8b7c4d11"])
    reason: str = Field(examples=["proven"])
    why: dict[str, object] = Field(examples=[{"kinds": ["email"]}])
    made_at: str = Field(examples=[EXAMPLE_TIME])
    undo_until: str = Field(examples=[EXAMPLE_TIME])
    undone_at: str | None = Field(examples=[None])


class MergeList(ResponseModel):
    merges: list[MergePublic]


class GuestMade(ResponseModel):
    """A guest whose purchase may be reported, and the code for the receipt. `code` is shown this once."""

    member: str = Field(examples=[EXAMPLE_MEMBER])
    claim: str = Field(examples=["clm_0190a3f27c1e4b0c9a5d2e6f8b7c4d10"])
    code: str | None = Field(description="In the first answer only.", examples=["7K3M-QX2A-9TBN"])
    expires_at: str = Field(examples=[EXAMPLE_TIME])


class ClaimWanted(RequestModel):
    code: Code = Field(examples=["7K3M-QX2A-9TBN"])


class ClaimPublic(ResponseModel):
    claim: str = Field(examples=["clm_0190a3f27c1e4b0c9a5d2e6f8b7c4d10"])
    brand: str = Field(examples=["cdnow"])
    claimed_at: str = Field(examples=[EXAMPLE_TIME])


class KindPolicy(ResponseModel):
    kind: str = Field(examples=["email"])
    priority: int = Field(examples=[2])
    limit: int = Field(examples=[5])
    window_s: int | None = Field(description="Within which the limit counts; null: ever.", examples=[31536000])
    proves: bool = Field(description="Whether showing it proves who somebody is.", examples=[True])


class IdentityPolicy(ResponseModel):
    """How people are told apart and put together. Never made tighter once there are data."""

    version: int = Field(examples=[1])
    kinds: list[KindPolicy]
    blocked_words: list[str] = Field(examples=[["-1", "null"]])
    blocked_pattern: str = Field(examples=["^[0-]*$"])
    undo_s: int = Field(examples=[2592000])
    claim_s: int = Field(examples=[2592000])
    members_max: int = Field(examples=[32])
