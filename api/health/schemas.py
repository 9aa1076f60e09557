"""How the gateway is, on the wire."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.kit.schemas import ResponseModel
from api.views.schemas import AsOf, Check


class Health(ResponseModel):
    status: Literal["alive"] = "alive"
    uptime_s: float = Field(examples=[12.5])


class Ready(ResponseModel):
    """ready only when every check is ok; a check that is not says what is wrong."""

    ready: bool = Field(examples=[True])
    checks: list[Check]
    as_of: AsOf | None = None
