"""The log's own full check: every entry hashed anew, beside the tiles that are kept and every tree that was signed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson
from sqlalchemy import Connection, select

from api.audit_log.models import ActPending, LogCheckpoint, LogEntry, LogState, LogTile
from api.cross_checks.findings import Found, compare, differs, pages
from chain.storage.columns import table_of
from chain.tlog.checkpoints import unverified
from chain.tlog.errors import TlogError
from chain.tlog.hashes import HASH_BYTES, leaf_hash, node_hash, perfect_root
from chain.tlog.notes import encode
from chain.tlog.tiles import TILE_WIDTH

RULE: Final = "25.2"
TILE_BYTES: Final = TILE_WIDTH * HASH_BYTES
CHECKPOINTS_MAX: Final = 100_000
Hear = Callable[[Mapping[str, Any]], None]

_entry, _pending, _tile = table_of(LogEntry), table_of(ActPending), table_of(LogTile)
_state, _checkpoint = table_of(LogState), table_of(LogCheckpoint)


def check(connection: Connection, found: Found, hear: Hear) -> int:
    """Compares entries, tiles, size and signed trees; each act is told to `hear`. How many there were."""
    signed = connection.execute(
        select(_checkpoint.c.id, _checkpoint.c.size, _checkpoint.c.root, _checkpoint.c.note)
        .order_by(_checkpoint.c.size, _checkpoint.c.id)
        .limit(CHECKPOINTS_MAX)
    ).all()
    tree, next_signed = _Tree(connection, found), 0
    for page in pages(connection, select(_entry.c.seq, _entry.c.leaf).order_by(_entry.c.seq)):
        for row in page:
            seq, leaf = row.seq, row.leaf
            if seq != tree.size:
                differs(found, "log_entry", tree.size, "row removed", None, "an act", RULE)
                return tree.size
            tree.add(leaf_hash(leaf.encode()))
            _tell(leaf, hear)
            while next_signed < len(signed) and signed[next_signed].size <= tree.size:
                _compare_signed(found, signed[next_signed], tree)
                next_signed += 1
    tree.end()
    said = connection.execute(select(_state.c.size).where(_state.c.id == 1)).scalar() or 0
    compare(found, "log_state", 1, [("entries of the log", said, tree.size)], RULE)
    if next_signed < len(signed):
        compare(found, "log_checkpoint", signed[-1].id, [("entries signed", signed[-1].size, tree.size)], RULE)
    waiting = 0
    for page in pages(connection, select(_pending.c.leaf).order_by(_pending.c.id)):
        waiting += len(page)
        for row in page:
            _tell(row.leaf, hear)
    return tree.size + waiting


class _Tree:
    """A tree that grows by one leaf at a time: its right edge, and one tile a level, is all that is in memory."""

    def __init__(self, connection: Connection, found: Found):
        self._connection, self._found = connection, found
        self.size = 0
        self._peaks: list[bytes] = []
        self._levels: list[tuple[int, bytearray]] = [(0, bytearray())]

    def add(self, leaf: bytes) -> None:
        """One entry more; a tile that it fills is compared."""
        peak, size = leaf, self.size
        while size & 1:
            peak, size = node_hash(self._peaks.pop(), peak), size >> 1
        self._peaks.append(peak)
        self.size += 1
        self._put(0, leaf)

    def root(self) -> bytes:
        """The root as it is now; there is an entry."""
        folded = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            folded = node_hash(peak, folded)
        return folded

    def end(self) -> None:
        """The tiles that are not full yet."""
        for level in range(len(self._levels)):
            if self._levels[level][1]:
                self._compare(level)

    def _put(self, level: int, one: bytes) -> None:
        if level == len(self._levels):
            self._levels.append((0, bytearray()))
        number, held = self._levels[level]
        held += one
        if len(held) == TILE_BYTES:
            self._compare(level)
            hashes = [bytes(held[at : at + HASH_BYTES]) for at in range(0, TILE_BYTES, HASH_BYTES)]
            self._levels[level] = (number + 1, bytearray())
            self._put(level + 1, perfect_root(hashes))

    def _compare(self, level: int) -> None:
        number, right = self._levels[level]
        asked = select(_tile.c.hashes).where(_tile.c.level == level, _tile.c.number == number)
        said = self._connection.execute(asked).scalar()
        # SQLite keeps any text in any column.
        held = bytes(said) if isinstance(said, bytes | memoryview) else None
        if held != bytes(right):
            shown = said if held is None else held.hex()[-64:]
            key = f"{level}, {number}"
            differs(self._found, "log_tile", key, "hashes of entries", shown, right.hex()[-64:], RULE)


def _compare_signed(found: Found, signed: Any, tree: _Tree) -> None:
    if signed.size != tree.size or tree.size == 0:
        differs(found, "log_checkpoint", signed.id, "entries signed", signed.size, tree.size, RULE)
        return
    right = encode(tree.root())
    pairs: list[tuple[str, Any, Any]] = [("root of the log", signed.root, right)]
    try:
        told = unverified(signed.note)
        pairs += [("root in the signed note", encode(told.root), right)]
        compare(found, "log_checkpoint", signed.id, [("size in the signed note", told.size, signed.size)], RULE)
    except (TlogError, ValueError) as error:
        pairs += [("signed note", type(error).__name__, None)]
    compare(found, "log_checkpoint", signed.id, pairs, RULE)


def _tell(leaf: str, hear: Hear) -> None:
    try:
        act = orjson.loads(leaf)
    except orjson.JSONDecodeError:
        return  # its hash is not the one that was signed: told as such
    if isinstance(act, dict) and isinstance(act.get("detail"), dict):
        hear(act)
