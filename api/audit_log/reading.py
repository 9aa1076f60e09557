"""The log as readers ask for it: the newest checkpoint, entries, hashes. From one snapshot each, without a scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from api.kit.database import Snapshot
from chain.tlog.tiles import LEVELS_MAX, TILE_HEIGHT, ReadTile, Tiles

ENTRIES_MAX: Final = 1_000
WITNESSES_MAX: Final = 32

_SIGNED = "SELECT id, size, root, note, block_number, at_ms FROM log_checkpoint ORDER BY id DESC LIMIT 1"
_COSIGNED = "SELECT line FROM log_cosignature WHERE checkpoint_id = ? ORDER BY witness LIMIT ?"
_WITNESSED = (
    "SELECT id, size, root, note, block_number, at_ms FROM log_checkpoint"
    " WHERE id = (SELECT MAX(checkpoint_id) FROM log_cosignature)"
)
_TILES = "SELECT level, number, hashes FROM log_tile WHERE "
_PLACE = "(level = ? AND number = ?)"
_TILE = "SELECT hashes FROM log_tile WHERE level = ? AND number = ?"
_ENTRIES = "SELECT seq, leaf FROM log_entry WHERE seq >= ? AND seq < ? ORDER BY seq"


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint as it is shown: the log's own signatures, then those of witnesses. root: base64."""

    id: int
    size: int
    root: str
    note: str
    block_number: int
    at_ms: int


def newest(read: Snapshot) -> Signed | None:
    """The newest checkpoint with the cosignatures that it has; None before the first."""
    return _signed(read, _SIGNED)


def newest_witnessed(read: Snapshot) -> Signed | None:
    """The newest checkpoint that a witness signed."""
    return _signed(read, _WITNESSED)


def entries(read: Snapshot, *, start: int, end: int) -> Sequence[tuple[int, str]]:
    """(place, bytes as text) of the entries from `start` to before `end`; at most ENTRIES_MAX."""
    return [(seq, leaf) for seq, leaf in read.rows(_ENTRIES, start, min(end, start + ENTRIES_MAX))]


def tiles(read: Snapshot, size: int, *places: int) -> Tiles:
    """The nodes of the tree of the first `size` entries.

    places: leaves whose paths will be asked for; their tiles and those of the right edge come in one statement.
    """
    wanted: set[tuple[int, int]] = set()
    for level in range(LEVELS_MAX):
        edge = (size >> TILE_HEIGHT * level) - 1
        if edge < 0:
            break
        wanted |= {(level, edge >> TILE_HEIGHT)} | {(level, place >> TILE_HEIGHT * (level + 1)) for place in places}
    if not wanted:
        return Tiles(tile_of(read), size)
    sql = _TILES + " OR ".join([_PLACE] * len(wanted))
    rows = read.rows(sql, *(part for place in sorted(wanted) for part in place))
    return Tiles(tile_of(read), size, {(level, number): bytes(hashes) for level, number, hashes in rows})


def tile_of(read: Snapshot) -> ReadTile:
    def find(level: int, number: int) -> bytes | None:
        row = read.row(_TILE, level, number)
        return None if row is None else bytes(row[0])

    return find


def _signed(read: Snapshot, sql: str) -> Signed | None:
    row = read.row(sql)
    if row is None:
        return None
    id, size, root, note, block_number, at_ms = row
    lines = "".join(line for (line,) in read.rows(_COSIGNED, id, WITNESSES_MAX))
    return Signed(id, size, root, note + lines, block_number, at_ms)
