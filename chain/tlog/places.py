"""Where tiles and entry bundles are: the paths of C2SP's tlog-tiles, each tile under one spelling."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from chain.tlog.tiles import TILE_WIDTH

PATH_LENGTH_MAX: Final = 40
_place = re.compile(r"((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Place:
    """A tile's number within its level, and how many of its hashes; TILE_WIDTH: all."""

    number: int
    width: int

    def told(self) -> str:
        """`x001/x234/067.p/12`; without the end where the tile is full."""
        digits = str(self.number)
        digits = digits.rjust(-(-len(digits) // 3) * 3, "0")
        *first, last = (digits[at : at + 3] for at in range(0, len(digits), 3))
        tail = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return "".join(f"x{part}/" for part in first) + last + tail


def place_of(path: str) -> Place | None:
    """The place that a path names; None where it is no path of a tile, or another spelling of one."""
    found = _place.match(path) if len(path) <= PATH_LENGTH_MAX else None
    if found is None:
        return None
    width = TILE_WIDTH if found[2] is None else int(found[2])
    place = Place(int(found[1].replace("x", "").replace("/", "")), width)
    # A full tile is not written as a partial one, nor a number with elements of zeroes before it.
    return place if place.told() == path else None
