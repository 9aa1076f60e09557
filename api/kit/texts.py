"""Texts from outside: characters that nobody can see are refused by name, and a pattern has a sentence.

A NUL is stored by SQLite and refused by PostgreSQL; a right-to-left override, a zero-width space or a filler makes two
names look alike; a line separator makes one line of a log two. None of them is in a name, a reward or an identifier.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

from pydantic import StringConstraints

from api.kit.problems import SENTENCES, Problem

# Controls (C0, C1), what has no width, what turns the direction of writing, line and paragraph separators, fillers that
# look like nothing, tags, halves of pairs, and what is no character at all. ECMA-262 reads the same class.
INVISIBLE: Final = (
    r"\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
)
BEYOND: Final = r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
_refused: Final = re.compile(f"[{INVISIBLE}{BEYOND}]")


class CharacterRefused(Problem):
    """A text holds a character that cannot be seen, or that changes how others are seen."""

    status = 422


def refuse_invisible(text: str, place: str, *, newlines: bool = False) -> None:
    """Raises CharacterRefused for the first character that no text of ours may hold. newlines: U+000A is welcome."""
    for found in _refused.finditer(text):
        if newlines and found[0] == "\n":
            continue
        point = ord(found[0])
        named = unicodedata.name(found[0], "a control character" if point < 0xA0 else "no character")
        raise CharacterRefused(
            f"{place}: U+{point:04X} ({named}) is not accepted.", field=place, character=f"U+{point:04X}"
        )


def has_invisible(text: str) -> bool:
    """Whether any such character is in the text, wherever."""
    return _refused.search(text) is not None


def patterned(pattern: str, sentence: str, **bounds: Any) -> StringConstraints:
    """Constraints of a text that follows a pattern; the sentence is what a refusal says instead of the pattern."""
    SENTENCES[pattern] = sentence
    return StringConstraints(pattern=pattern, **bounds)
