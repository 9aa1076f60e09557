"""What every schema on the wire is made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict

from api.kit.texts import patterned

Slug = Annotated[str, patterned(r"^[a-z][a-z0-9-]{1,31}$", "a brand is 2 to 32 of a-z, 0-9 and -, a letter first")]
Identifier = Annotated[
    str, patterned(r"^[!-~]+$", "an identifier is visible ASCII without spaces", min_length=1, max_length=128)
]
MemberId = Annotated[str, patterned(r"^mem_[0-9a-f]{32}$", "a member's id is mem_ and 32 hex digits in lower case")]
EXAMPLE_MEMBER = "mem_0190a3f27c1e4b0c9a5d2e6f8b7c4d10"
EXAMPLE_ADDRESS = "0x3B0e1Bd7D0C8F4A2e0c2F1D5Bb1A9B0e6D7C8f90"
EXAMPLE_TIME = "2026-11-21T22:15:00.000Z"


class ResponseModel(BaseModel):
    """What we say. Never parsed by us."""

    model_config = ConfigDict(frozen=True)


class RequestModel(BaseModel):
    """What we are asked. A field that we do not know is refused, so that a typing error is never silent."""

    model_config = ConfigDict(extra="forbid", frozen=True)
