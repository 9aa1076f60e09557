"""Where a page or a stream goes on: a place in one generation of the mirror, told as `<generation>.<place>`.

The mirror can be emptied and built anew from the chain; its entries are then numbered anew as well, and for a while
only some rows are there. A place of an earlier generation means nothing in the new one, so it is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from api.views.errors import CursorExpired, CursorMalformed
from chain.mirror.queries import entries
from chain.mirror.queries.checkpoint import Checkpoint
from chain.storage.looks import Look

SEQ_END: Final = 2**63 - 1
SHOWN_MAX: Final = 40
AGAIN: Final = "The mirror was built anew, or never had this place; begin again without a cursor."
NOT_OURS: Final = "Give the next_cursor of the page before, or none."
_cursor = re.compile(r"([0-9a-f]{1,16})\.([0-9a-zA-Z]{1,80})\Z", re.ASCII)
_number = re.compile(r"(0|[1-9][0-9]{0,18})\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A cursor as it was given."""

    generation: str
    place: str

    def number(self) -> int:
        """The place as a number."""
        return number(self.place)

    def require(self, moment: Checkpoint) -> None:
        """Raises CursorExpired unless it is of the mirror that is there."""
        if self.generation != moment.generation:
            raise CursorExpired(AGAIN, cursor=f"{self.generation}.{self.place}"[:SHOWN_MAX])


def told(moment: Checkpoint, place: int | str) -> str:
    """The cursor of a place of the mirror that is there."""
    return f"{moment.generation}.{place}"


def read(text: str, *, sentence: str = NOT_OURS) -> Cursor:
    """The parts of a cursor, or CursorMalformed."""
    found = _cursor.match(text)
    if found is None:
        raise CursorMalformed(sentence, cursor=text[:SHOWN_MAX])
    return Cursor(found[1], found[2])


def number(text: str) -> int:
    """The number that a cursor is, or CursorMalformed."""
    if not _number.match(text) or int(text) > SEQ_END:
        raise CursorMalformed(NOT_OURS, cursor=text[:SHOWN_MAX])
    return int(text)


def entry_place(look: Look, moment: Checkpoint, cursor: str | None, *, first: int) -> int:
    """The number of the entry at which a page goes on; `first` without a cursor. CursorExpired where there is none."""
    if cursor is None:
        return first
    given = read(cursor)
    place = given.number()
    given.require(moment)
    if place > entries.last(look):
        raise CursorExpired(AGAIN, cursor=cursor[:SHOWN_MAX])
    return place


def key_place(moment: Checkpoint, cursor: str | None, *, shape: Callable[[str], object]) -> str:
    """The key after which a page of another table of the mirror goes on; the empty text without a cursor."""
    if cursor is None:
        return ""
    given = read(cursor)
    if not shape(given.place):
        raise CursorMalformed(NOT_OURS, cursor=cursor[:SHOWN_MAX])
    given.require(moment)
    return given.place
