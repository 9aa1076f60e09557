"""Roles as they are on the wire."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from api.kit.schemas import EXAMPLE_TIME, RequestModel, ResponseModel
from api.kit.texts import patterned
from api.sign_in.schemas import Proved

RoleId = Annotated[str, patterned(r"^[0-9a-f]{12}$", "a role's id is 12 hex digits in lower case")]


class BrandRoleGiven(RequestModel):
    """To whom a brand's role is given: whoever proves this address."""

    identifier: Proved
    role: Literal["owner", "marketer", "till", "support", "treasurer", "viewer"] = Field(examples=["till"])


class ProgrammeRoleGiven(RequestModel):
    identifier: Proved
    role: Literal["operator", "auditor"] = Field(examples=["auditor"])


class RolePublic(ResponseModel):
    id: str = Field(examples=["5f0c2a9b7d31"])
    role: str = Field(examples=["till"])
    brand: str | None = Field(examples=["cdnow"])
    shown: str = Field(description="The address, masked.", examples=["a…@example.com"])
    made_at: str = Field(examples=[EXAMPLE_TIME])


class RoleList(ResponseModel):
    roles: list[RolePublic]


class RoleTaken(ResponseModel):
    """A token of the role, for minutes. strong: it came by a passkey, and moves money too."""

    token: str | None = Field(description="In the first answer only.", examples=["moa_s_5f0c2a9b7d31_…"])
    role: str = Field(examples=["till"])
    brand: str | None = Field(examples=["cdnow"])
    strong: bool = Field(examples=[True])
    expires_at: str = Field(examples=[EXAMPLE_TIME])
