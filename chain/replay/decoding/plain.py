"""The model's values as the chain's, and both as a difference shows them."""

import dataclasses
from collections.abc import Iterable
from enum import IntEnum
from typing import Any

from chain.model.errors import Refused
from chain.model.lots import SLOTS, TAG_SHIFT, unpacked


def plain(value: Any) -> Any:
    """Structs and lists as tuples, enums as integers, refusals as name and values."""
    if isinstance(value, Refused):
        return value.name, tuple(plain(each) for each in value.values())
    if isinstance(value, IntEnum):
        return int(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return tuple(plain(getattr(value, each.name)) for each in dataclasses.fields(value))
    if isinstance(value, list | tuple):
        return tuple(plain(each) for each in value)
    return value


def shown_words(words: Iterable[int]) -> list[str]:
    """Packed words as people read them: points by expiry epoch; a word without points by the epochs that it empties."""
    found = []
    for word in words:
        lots = unpacked([word])
        group = word >> TAG_SHIFT
        if lots:
            found += [f"{points} of epoch {expiry}" for expiry, points in lots.items()]
        elif word:
            found.append(f"nothing of epochs {SLOTS * group} to {SLOTS * group + SLOTS - 1}")
    return found


def shown(value: Any) -> Any:
    """For a difference: integers as decimal text, structs as lists."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, dict):
        return {name: shown(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [shown(each) for each in value]
    return value
