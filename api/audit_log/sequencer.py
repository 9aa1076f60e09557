"""Gives acts their places: one at a time over all processes, in one transaction, each act exactly once.

The lock, the taking from `act_pending`, the entries, the tiles and the size are one transaction: a kill anywhere leaves
all of it done or none. What was signed before is compared with the tree before anything new is signed, so that a
database that somebody changed is noticed here already, and never signed over.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import Connection, insert, text

from api.audit_log.leaves import leaf
from api.audit_log.models import ActAbout, LogCheckpoint, LogEntry
from api.kit.clock import now_ms, rfc3339
from api.kit.database import Database, lock
from chain.mirror.queries.blocks import final_block
from chain.storage.columns import table_of
from chain.storage.looks import looking
from chain.tlog.checkpoints import Block, Checkpoint
from chain.tlog.errors import LogForked, TileMissing
from chain.tlog.hashes import leaf_hash
from chain.tlog.notes import NoteSigner, encode
from chain.tlog.tiles import ReadTile, Tiles, append
from chain.tlog.tree import root

BATCH_MAX: Final = 4_096
# Older checkpoints are kept as far as this many back: whoever has one needs no copy of ours.
CHECKPOINTS_KEPT: Final = 10_000
# Counts may reach the tallies this long after their window; what comes later is a second count of the same window.
GRACE_MS: Final = 2_000
LOCK: Final = "log of acts"
_ABOUT: Final = re.compile(r'"subject":"(member/[0-9a-f]{64})","version"')

_TAKE = text(
    "DELETE FROM act_pending WHERE id IN (SELECT id FROM act_pending ORDER BY id LIMIT :limit) RETURNING id, leaf"
)
_CLOSE = text(
    "DELETE FROM act_tally WHERE window_ms < :before RETURNING"
    " window_ms, digest, act, actor, subject, detail, count, first_at_ms, last_at_ms"
)
_PUT_BACK = text("INSERT INTO act_pending (leaf) VALUES (:leaf)")
_SIZE = text("SELECT size FROM log_state WHERE id = 1")
_FIRST = text("INSERT INTO log_state (id, size) VALUES (1, 0) ON CONFLICT (id) DO NOTHING")
_GROW = text("UPDATE log_state SET size = :size WHERE id = 1 AND size = :before")
_TILE = text("SELECT hashes FROM log_tile WHERE level = :level AND number = :number")
_PUT_TILE = text(
    "INSERT INTO log_tile (level, number, hashes) VALUES (:level, :number, :hashes)"
    " ON CONFLICT (level, number) DO UPDATE SET hashes = excluded.hashes"
)
_SIGNED = text("SELECT id, size, root, block_number, at_ms FROM log_checkpoint ORDER BY id DESC LIMIT 1")
_PRUNE = text("DELETE FROM log_checkpoint WHERE id <= :id")
_PRUNE_LINES = text("DELETE FROM log_cosignature WHERE checkpoint_id <= :id")


@dataclass(frozen=True, slots=True)
class Step:
    """What one step did."""

    integrated: int
    signed: bool


@dataclass(frozen=True, slots=True)
class Sequencer:
    """origin: the log's name. signers: the log's key first, then the one before it while readers still know that.

    window_ms: how long things are counted together. every_ms: the least time between two checkpoints; a checkpoint
    is made anew without new entries when the bound block has moved and refresh_ms have passed.
    """

    database: Database
    origin: str
    signers: Sequence[NoteSigner]
    chain_id: int
    window_ms: int
    every_ms: int
    refresh_ms: int = 60_000

    def step(self) -> Step:
        """Closes windows that are over, integrates what is pending (a batch), signs when it is time."""
        with self.database.write() as session:
            lock(session, LOCK)
            connection = session.connection()
            before = connection.execute(_SIGNED).one_or_none()
            if before is not None and (left := size_of(connection)) < before.size:
                raise LogForked(self.origin, f"{before.size} entries were signed, {left} are left.")
            close_windows(connection, before_ms=now_ms() - self.window_ms - GRACE_MS)
            integrated = integrate(connection)
            return Step(integrated, self._sign(connection, before))

    def _sign(self, connection: Connection, before: Any) -> bool:
        size = size_of(connection)
        if size == 0:
            return False
        at_ms = now_ms()
        block = _bound(connection, self.chain_id)
        if before is not None:
            if at_ms - before.at_ms < self.every_ms:
                return False
            moved = block is not None and block.number > before.block_number and at_ms - before.at_ms > self.refresh_ms
            if size == before.size and not moved:
                return False
        tree = Tiles(_tiles(connection), size)
        if before is not None:
            self._refuse_changed(tree, before)
        made = Checkpoint(self.origin, size, root(tree.node, size), (block.told(),) if block else ())
        values: dict[str, Any] = {
            "size": size,
            "root": encode(made.root),
            "note": made.signed(*self.signers),
            "block_number": block.number if block else -1,
            "at_ms": at_ms,
        }
        connection.execute(insert(table_of(LogCheckpoint)), values)
        if before is not None and before.id > CHECKPOINTS_KEPT:
            connection.execute(_PRUNE, {"id": before.id - CHECKPOINTS_KEPT})
            connection.execute(_PRUNE_LINES, {"id": before.id - CHECKPOINTS_KEPT})
        return True

    def _refuse_changed(self, tree: Tiles, before: Any) -> None:
        """Never signs a tree that does not begin with the one that was signed before."""
        try:
            began = encode(root(tree.node, before.size))
        except TileMissing as fault:
            raise LogForked(self.origin, str(fault)) from fault
        if began != before.root:
            raise LogForked(self.origin, f"the first {before.size} entries are not those that were signed.")


def integrate(connection: Connection, *, limit: int = BATCH_MAX) -> int:
    """Moves at most `limit` pending acts into the tree, in the order in which they were recorded; how many."""
    taken = sorted((row.id, row.leaf) for row in connection.execute(_TAKE, {"limit": limit}))
    if not taken:
        return 0
    size = size_of(connection)
    leaves = [told for _, told in taken]
    rows = [{"seq": size + at, "leaf": told} for at, told in enumerate(leaves)]
    connection.execute(insert(table_of(LogEntry)), rows)
    about = [{"subject": found[1], "seq": row["seq"]} for row in rows if (found := _ABOUT.search(str(row["leaf"])))]
    if about:
        connection.execute(insert(table_of(ActAbout)), about)
    changed = append(_tiles(connection), size, [leaf_hash(told.encode()) for told in leaves])
    tiles = [{"level": level, "number": number, "hashes": hashes} for (level, number), hashes in changed.items()]
    connection.execute(_PUT_TILE, tiles)
    grown = connection.execute(_GROW, {"size": size + len(leaves), "before": size})
    assert grown.rowcount == 1, "one sequencer at a time has the lock"
    return len(leaves)


def close_windows(connection: Connection, *, before_ms: int) -> int:
    """Makes an act of each tally of a window that began before this; how many."""
    rows = connection.execute(_CLOSE, {"before": before_ms}).all()
    rows = sorted(rows, key=lambda row: (row.window_ms, row.first_at_ms, row.digest))
    told = [{"leaf": _told(row)} for row in rows]
    if told:
        connection.execute(_PUT_BACK, told)
    return len(told)


def size_of(connection: Connection) -> int:
    """How many entries the tree has."""
    size: int | None = connection.execute(_SIZE).scalar()
    if size is None:
        connection.execute(_FIRST)
        return 0
    return size


def drain(sequencer: Sequencer, *, seconds_max: float) -> int:
    """Steps until nothing is pending, for commands and tests; how many acts found their places."""
    until = time.monotonic() + seconds_max
    total = 0
    while time.monotonic() < until:
        done = sequencer.step().integrated
        total += done
        if done == 0:
            break
    return total


def _told(row: Any) -> str:
    detail = row.detail if isinstance(row.detail, dict) else orjson.loads(row.detail)
    counted = {"count": row.count, "first_at": rfc3339(row.first_at_ms), "last_at": rfc3339(row.last_at_ms)}
    return leaf(row.act, at_ms=row.last_at_ms, actor=row.actor, subject=row.subject, detail={**detail, **counted})


def _tiles(connection: Connection) -> ReadTile:
    def find(level: int, number: int) -> bytes | None:
        found = connection.execute(_TILE, {"level": level, "number": number}).scalar()
        return None if found is None else bytes(found)

    return find


def _bound(connection: Connection, chain_id: int) -> Block | None:
    """The newest block that the mirror holds for final, if it knows its hash."""
    found = final_block(looking(connection))
    return None if found is None else Block(chain_id, found.number, found.hash)
