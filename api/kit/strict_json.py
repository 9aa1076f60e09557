"""JSON read so that it means one thing: UTF-8, no field twice, no NaN, no text that cannot be seen."""

from __future__ import annotations

import json
from typing import Any, Final

from api.kit.problems import Problem, RequestMalformed
from api.kit.texts import has_invisible, refuse_invisible

DEPTH_MAX: Final = 32


class FieldRepeated(Problem):
    """A JSON object names a field twice."""

    status = 422


def parse(raw: bytes, *, newlines: bool = False) -> Any:
    """The value of a JSON text, or FieldRepeated, CharacterRefused, RequestMalformed."""
    try:
        text = raw.decode()
        value = _decoder.decode(text)
    except UnicodeDecodeError:
        raise RequestMalformed("body: JSON is UTF-8.") from None
    except RecursionError:
        raise RequestMalformed(f"body: at most {DEPTH_MAX} levels.") from None
    except ValueError as fault:
        raise RequestMalformed(f"body: no JSON: {str(fault)[:200]}.") from None
    # Without an escape, what is not in the text is not in its strings either.
    if "\\" in text or has_invisible(text):
        _refuse_texts(value, "", newlines, DEPTH_MAX)
    return value


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                shown = name[:40].encode("ascii", "backslashreplace").decode()
                raise FieldRepeated(f"The field {shown!r} is there twice; an object has each field once.", field=shown)
            seen.add(name)
    return made


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")


_decoder: Final = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_no_constant)


def _refuse_texts(value: Any, place: str, newlines: bool, levels: int) -> None:
    """Looks at every string of the value, names of fields too."""
    if levels == 0:
        raise RequestMalformed(f"body: at most {DEPTH_MAX} levels.")
    if isinstance(value, str):
        refuse_invisible(value, place or "body", newlines=newlines)
    elif isinstance(value, dict):
        for name, inner in value.items():
            refuse_invisible(name, "body")
            _refuse_texts(inner, f"{place}.{name}" if place else name, newlines, levels - 1)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            _refuse_texts(inner, f"{place}.{number}", newlines, levels - 1)
