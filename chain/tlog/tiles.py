"""A tree's hashes kept as tiles of C2SP (c2sp.org/tlog-tiles): 256 to a tile, eight heights to a level.

Tile (level, number) holds the roots of the subtrees of 256^level leaves from number·256 on. An append changes one tile
a level (and a level-0 tile for each further 256 leaves); a proof reads one or two a level.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from chain.tlog.errors import TileMissing
from chain.tlog.hashes import HASH_BYTES, perfect_root
from chain.tlog.tree import SIZE_MAX

TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 1 << TILE_HEIGHT
LEVELS_MAX: Final = 8

# Gives the bytes of tile (level, number), or None when there is none.
ReadTile = Callable[[int, int], bytes | None]


class Tiles:
    """The nodes of a tree of `size` leaves, read from its tiles; each tile is read once. held: read already."""

    def __init__(self, read: ReadTile, size: int, held: Mapping[tuple[int, int], bytes] | None = None) -> None:
        assert 0 <= size <= SIZE_MAX, "a tree has a size"
        self._read = read
        self._size = size
        self._tiles: dict[tuple[int, int], bytes] = dict(held or {})

    def node(self, height: int, index: int) -> bytes:
        """The root of the perfect subtree (height, index); TileMissing when the tiles do not hold it."""
        assert (index + 1) << height <= self._size, "only whole subtrees are nodes"
        level, above = divmod(height, TILE_HEIGHT)
        # The node covers 2^above hashes of its level, all in one tile.
        first = index << above
        number, at = divmod(first, TILE_WIDTH)
        held = self._tile(level, number, at + (1 << above))
        hashes = [held[place * HASH_BYTES : (place + 1) * HASH_BYTES] for place in range(at, at + (1 << above))]
        return perfect_root(hashes)

    def _tile(self, level: int, number: int, wanted: int) -> bytes:
        found = self._tiles.get((level, number))
        if found is None:
            found = self._tiles[level, number] = self._read(level, number) or b""
        if len(found) < wanted * HASH_BYTES or len(found) % HASH_BYTES:
            raise TileMissing(level, number, wanted, len(found) // HASH_BYTES)
        return found


def append(read: ReadTile, size: int, leaves: Sequence[bytes]) -> dict[tuple[int, int], bytes]:
    """The tiles that change when these leaf hashes are appended to a tree of `size`, with their whole new content."""
    changed: dict[tuple[int, int], bytes] = {}
    added: Sequence[bytes] = leaves
    count = size
    for level in range(LEVELS_MAX):
        if not added:
            break
        above: list[bytes] = []
        number, width = divmod(count, TILE_WIDTH)
        held = _partial(read, level, number, width)
        taken = 0
        while taken < len(added):
            more = added[taken : taken + TILE_WIDTH - width]
            held += b"".join(more)
            taken, width = taken + len(more), width + len(more)
            changed[level, number] = held
            if width == TILE_WIDTH:
                hashes = [held[at : at + HASH_BYTES] for at in range(0, len(held), HASH_BYTES)]
                above.append(perfect_root(hashes))
                number, width, held = number + 1, 0, b""
        added, count = above, count >> TILE_HEIGHT
    return changed


def _partial(read: ReadTile, level: int, number: int, width: int) -> bytes:
    """The tile at the tree's right edge as it is, cut to the width that the size says."""
    if width == 0:
        return b""
    held = read(level, number) or b""
    if len(held) < width * HASH_BYTES:
        raise TileMissing(level, number, width, len(held) // HASH_BYTES)
    return held[: width * HASH_BYTES]
