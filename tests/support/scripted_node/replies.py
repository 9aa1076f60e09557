"""What comes of a request: a result, an error, or something that is no JSON-RPC at all."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Request:
    """One call as the node got it. `transport`: http or ws."""

    method: str
    params: list[Any]
    transport: str = "http"


@dataclass(frozen=True, slots=True)
class Result:
    """An answer; may hold orjson fragments."""

    value: Any


@dataclass(frozen=True, slots=True)
class Failure:
    """A JSON-RPC error."""

    code: int
    message: str
    data: Any = None


@dataclass(frozen=True, slots=True)
class Wire:
    """Instead of a JSON-RPC answer. `ending`: keep (answer this and keep the connection), close, reset, hang, or cut
    (half of the true answer, then reset)."""

    ending: str
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Late:
    """The same, but after a while."""

    delay_s: float
    reply: "Result | Failure | Wire | Late"


Reply = Result | Failure | Wire | Late
GoOn = Callable[[], Reply]


class Refusal(Exception):
    """Raised by a method that answers with an error."""

    def __init__(self, code: int, message: str, data: Any = None):
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


def plain(value: Any) -> Any:
    """A result as ordinary values, its fragments parsed."""
    return orjson.loads(orjson.dumps(value))
