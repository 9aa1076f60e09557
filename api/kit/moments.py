"""Moments as they are on the wire: RFC 3339 with an offset, and nothing else. A bare number could be of any unit."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

SENTENCE: Final = "a moment is written in RFC 3339 with its offset, such as 2026-11-22T09:00:00Z or …+09:00"
PATTERN: Final = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})$"
_moment: Final = re.compile(PATTERN.removesuffix("$") + r"\Z", re.ASCII)


def parse_moment(value: Any) -> datetime:
    """The moment in UTC; refused when it is written otherwise, is no moment, or has no place in the years 1 to 9999."""
    if not isinstance(value, str) or not _moment.match(value):
        raise PydanticCustomError("moment", SENTENCE)
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        raise PydanticCustomError("moment", "there is no such moment in the years 1 to 9999 of UTC") from None


Moment = Annotated[
    datetime,
    BeforeValidator(parse_moment),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": PATTERN}),
]
