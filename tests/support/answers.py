"""A node's recorded answers: the key of each, and a node that knows no others."""

from collections.abc import Mapping
from typing import Any

import orjson


def question(method: str, params: Any) -> str:
    """The key of an answer."""
    return orjson.dumps([method, *params], option=orjson.OPT_SORT_KEYS).decode()


class Answers:
    """A node that can be asked what it was asked before; to any other question it says that there is nothing."""

    def __init__(self, told: Mapping[str, Any]):
        self.told = told

    def call(self, method: str, *params: Any) -> Any:
        """As the node answered."""
        return self.told.get(question(method, params))

    def batch(self, asked: list[tuple[str, list[Any]]]) -> list[Any]:
        """As the node answered."""
        return [self.call(method, *params) for method, params in asked]
