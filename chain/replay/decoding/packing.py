"""Values of the model to and from JSON, by their types: dataclasses as lists of fields, dicts as lists of pairs."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable
from enum import IntEnum
from functools import cache
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

# Above this, JSON readers of other languages lose digits.
INTEGER_MAX: Final = 2**53 - 1


def pack(value: Any) -> Any:
    """Plain JSON values; equal values give equal JSON."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) <= INTEGER_MAX else hex(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [pack(getattr(value, field.name)) for field in dataclasses.fields(value)]
    if isinstance(value, dict):
        return [[pack(key), pack(value[key])] for key in sorted(value)]
    if isinstance(value, set | frozenset):
        return [pack(each) for each in sorted(value)]
    if isinstance(value, list | tuple):
        return [pack(each) for each in value]
    raise TypeError(f"{type(value).__name__} cannot be kept")


def unpack(kind: Any, value: Any) -> Any:
    """The value of this type. Raises TypeError or ValueError for what is no such value."""
    return _reader(kind)(value)


@cache
def _reader(kind: Any) -> Callable[[Any], Any]:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind in (bool, str) or kind is Any:
        return _exactly(kind)
    if kind is int:
        return _integer
    if isinstance(kind, type) and issubclass(kind, IntEnum):
        return lambda value: kind(_integer(value))
    if origin in (types.UnionType, Union):
        (inner,) = (_reader(each) for each in arguments if each is not type(None))
        return lambda value: None if value is None else inner(value)
    if origin is tuple:
        return _tuple(arguments)
    if origin in (list, set):
        item = _reader(arguments[0])
        return lambda value: origin(item(each) for each in value)
    if origin is dict:
        key, each = _reader(arguments[0]), _reader(arguments[1])
        return lambda value: {key(one): each(other) for one, other in value}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        parts = [_reader(hints[field.name]) for field in dataclasses.fields(kind)]
        make: Callable[..., Any] = kind
        return lambda value: make(*(read(each) for read, each in zip(parts, value, strict=True)))
    raise TypeError(f"{kind} cannot be kept")


def _exactly(kind: Any) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if kind is not Any and not isinstance(value, kind):
            raise TypeError(f"{value!r} is no {kind.__name__}")
        return value

    return read


def _integer(value: Any) -> int:
    if isinstance(value, str):
        return int(value, 16)
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r} is no integer")
    return value


def _tuple(arguments: tuple[Any, ...]) -> Callable[[Any], Any]:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        item = _reader(arguments[0])
        return lambda value: tuple(item(each) for each in value)
    parts = [_reader(each) for each in arguments]
    return lambda value: tuple(read(each) for read, each in zip(parts, value, strict=True))
