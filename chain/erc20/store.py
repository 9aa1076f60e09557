"""The tables of `moa mirror` and the one transaction that changes them; SQLite and PostgreSQL say it their own way.

Others may read `erc20_transfers`, `erc20_balances` and `mirror_checkpoint` at any time and always see one block.
`mirror_block` keeps the hashes of the last blocks, to find a common ancestor. There is no undo log: the rows above
the ancestor say exactly what they did to balances, so taking them back is the same sum with the other sign.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final

from chain.base.errors import AnswerInconsistent, DatabaseUnusable, MirrorMismatch
from chain.base.scalars import BlockHash
from chain.erc20.transfers import Transfer, deltas

BACKFILLING: Final = "backfilling"
LIVE: Final = "live"
# The node shows less than it has shown, or nothing at all; what was seen is kept.
WAITING: Final = "waiting"
STOPPED: Final = "stopped"

BALANCES_CACHED_MAX: Final = 100_000
UNDO_CHUNK_ROWS: Final = 20_000

TABLES: Final = {
    "erc20_transfers": ("block_number", "block_hash", "tx_hash", "log_index", "sender", "recipient", "amount"),
    "erc20_balances": ("address", "balance"),
    "mirror_checkpoint": (
        "block_number",
        "block_hash",
        "state",
        "reason",
        "token",
        "from_block",
        "genesis_hash",
        "chain_id",
        "anchor_hash",
    ),
    "mirror_block": ("number", "hash"),
}
# Columns that came later: a database of before gets them when it is opened to be written.
ADDED: Final = {"mirror_checkpoint": ("chain_id", "anchor_hash")}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The block that the tables are of, and what they are a mirror of.

    `chain_id`: decimal text; None in a database of before it was asked for. `anchor_hash`: the hash of the block below
    `from_block`, once it was seen; None where there is no such block.
    """

    block_number: int
    block_hash: str
    state: str
    reason: str | None
    token: str
    from_block: int
    genesis_hash: str
    chain_id: str | None = None
    anchor_hash: str | None = None


@dataclass(slots=True)
class Change:
    """One transaction. `was`: the block hash the tables must be of. `above`: what lies above it is taken back first;
    None: nothing is. `known`: (number, hash) of new blocks, oldest first. `number`, `hash`: the new checkpoint.
    `base`: a block of another branch to begin again from; all known blocks are forgotten for it. `anchor_hash`: that of
    the checkpoint from now on."""

    was: str
    above: int | None
    rows: Sequence[Transfer]
    known: Sequence[tuple[int, str]]
    number: int
    hash: str
    state: str
    # Blocks further below are no longer needed to find an ancestor.
    keep_from: int = 0
    base: tuple[int, str] | None = None
    anchor_hash: str | None = None
    taken_back: int = field(default=0, init=False)
    # Addresses whose sum fell below zero, and one of them.
    below_zero: int = field(default=0, init=False)
    example: str = field(default="", init=False)


class Store(ABC):
    """A database that holds one mirror. One thread; `open` and `close` as often as the database comes and goes."""

    def __init__(self) -> None:
        self._cache: dict[str, int] = {}
        # Columns of `mirror_checkpoint` as they were found; empty: all of ours.
        self._columns: frozenset[str] = frozenset()

    # What each database says its own way

    @abstractmethod
    def open(self) -> None:
        """Connects, takes the lead and makes the tables. Raises DatabaseAway, DatabaseUnusable, LeaderElsewhere."""

    @abstractmethod
    def open_to_read(self) -> None:
        """Connects and sees one moment of the tables until `close`; makes, changes and leads nothing.

        Raises DatabaseAway, or DatabaseUnusable where there is no mirror.
        """

    @abstractmethod
    def close(self) -> None:
        """Gives connection and lead back. Never raises."""

    @abstractmethod
    def check(self) -> None:
        """Raises DatabaseAway when what is written no longer goes where others read."""

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[Any]:
        """A cursor inside a writing transaction, which commits at the end and rolls back on any error."""

    @abstractmethod
    def _select(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows outside a transaction. Places in `sql` are question marks."""

    @abstractmethod
    def _run(self, cursor: Any, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """A statement inside a transaction; its rows, if it has any."""

    @abstractmethod
    def _insert(self, cursor: Any, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Many new rows."""

    @abstractmethod
    def _balances(self, cursor: Any, addresses: Sequence[str]) -> Iterable[tuple[str, str]]:
        """(address, balance) of those that have one."""

    @abstractmethod
    def _put_balances(self, cursor: Any, rows: Sequence[tuple[str, str]]) -> None:
        """Inserts or replaces."""

    @abstractmethod
    def _drop_balances(self, cursor: Any, addresses: Sequence[str]) -> None:
        """Deletes."""

    @abstractmethod
    def stream(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """The rows of a query of our own, without holding them all."""

    # What is the same for both

    def checkpoint(self) -> Checkpoint | None:
        """Where the tables stand; None before the first `begin`."""
        there = self._columns or frozenset(TABLES["mirror_checkpoint"])
        names = ", ".join(name if name in there else "NULL" for name in TABLES["mirror_checkpoint"])
        rows = self._select(f"SELECT {names} FROM mirror_checkpoint")  # noqa: S608 - our own names
        return Checkpoint(*rows[0]) if rows else None

    def each(self, table: str, order: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """All rows of a table in an order, without holding them all."""
        return self.stream(f"SELECT {', '.join(TABLES[table])} FROM {table} ORDER BY {', '.join(order)}")  # noqa: S608

    def parties(self) -> Iterator[str]:
        """Every address that ever gave or took, in order; the zero address, which holds nothing, is among them."""
        gave, took = "SELECT sender FROM erc20_transfers", "SELECT recipient FROM erc20_transfers"
        return (row[0] for row in self.stream(f"{gave} UNION {took} ORDER BY 1"))

    def parties_near(self, block_number: int) -> tuple[str, ...]:
        """Both sides of the first transfer at or after a block; none when there is no such transfer."""
        rows = self._select(
            "SELECT sender, recipient FROM erc20_transfers WHERE block_number >= ? "
            "ORDER BY block_number, log_index LIMIT 1",
            block_number,
        )
        return rows[0] if rows else ()

    def holder_near(self, address: str) -> str | None:
        """The first address with a balance at or after this one; None when there is none."""
        rows = self._select("SELECT address FROM erc20_balances WHERE address >= ? ORDER BY address LIMIT 1", address)
        return rows[0][0] if rows else None

    def balance(self, address: str) -> int:
        """In base units; 0 where there is no row."""
        rows = self._select("SELECT balance FROM erc20_balances WHERE address = ?", address)
        return int(rows[0][0]) if rows else 0

    def begin(self, start: Checkpoint) -> None:
        """Writes the first checkpoint: nothing is mirrored yet."""
        with self._transaction() as cursor:
            self._run(
                cursor,
                "INSERT INTO mirror_checkpoint (id, block_number, block_hash, state, token, from_block, genesis_hash, "
                "chain_id, anchor_hash) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)",
                start.block_number,
                start.block_hash,
                start.state,
                start.token,
                start.from_block,
                start.genesis_hash,
                start.chain_id,
                start.anchor_hash,
            )
            self._insert(cursor, "mirror_block", [(start.block_number, start.block_hash)])

    def known_blocks(self) -> dict[int, BlockHash]:
        """{number: hash} of the blocks within the undo horizon."""
        rows: list[tuple[int, BlockHash]] = self._select("SELECT number, hash FROM mirror_block")
        return dict(rows)

    def holds_rows_up_to(self, number: int) -> bool:
        """Whether a transfer of this block or an earlier one is held."""
        return bool(self._select("SELECT 1 FROM erc20_transfers WHERE block_number <= ? LIMIT 1", number))

    def set_state(self, state: str, reason: str | None = None) -> None:
        """Changes nothing but the state."""
        with self._transaction() as cursor:
            self._run(cursor, "UPDATE mirror_checkpoint SET state = ?, reason = ? WHERE id = 1", state, reason)

    def identify(self, chain_id: str, anchor_hash: str | None) -> None:
        """Writes down which chain it is, in a database of before that was asked for."""
        with self._transaction() as cursor:
            self._run(
                cursor,
                "UPDATE mirror_checkpoint SET chain_id = ?, anchor_hash = ? WHERE id = 1",
                chain_id,
                anchor_hash,
            )

    def write(self, change: Change) -> None:
        """Rows, balances, checkpoint and block hash, and before them the way back if there is one: all or nothing."""
        fresh: dict[str, int] = {}
        try:
            with self._transaction() as cursor:
                self._same(cursor, change.was)
                if change.above is not None:
                    self._take_back(cursor, change, fresh)
                if change.rows:
                    self._insert(cursor, "erc20_transfers", change.rows)
                    self._add(cursor, deltas(change.rows), fresh, change)
                self._keep_blocks(cursor, change)
                self._run(
                    cursor,
                    "UPDATE mirror_checkpoint SET block_number = ?, block_hash = ?, state = ?, reason = NULL, "
                    "anchor_hash = ? WHERE id = 1",
                    change.number,
                    change.hash,
                    change.state,
                    change.anchor_hash,
                )
        except BaseException:
            # Whether it was committed is unknown when the database went away in between.
            self._cache.clear()
            raise
        if len(self._cache) + len(fresh) > BALANCES_CACHED_MAX:
            self._cache.clear()
        if len(fresh) <= BALANCES_CACHED_MAX:
            self._cache.update(fresh)

    def _same(self, cursor: Any, was: str) -> None:
        rows = self._run(cursor, "SELECT block_hash FROM mirror_checkpoint WHERE id = 1")
        if not rows or rows[0][0] != was:
            raise AnswerInconsistent("The checkpoint moved under this mirror.")

    def _take_back(self, cursor: Any, change: Change, fresh: dict[str, int]) -> None:
        """Bounded chunks, newest first: a deep reorg of a busy token does not have to fit into memory."""
        names = ", ".join(TABLES["erc20_transfers"])
        while True:
            rows = self._run(
                cursor,
                f"SELECT {names} FROM erc20_transfers WHERE block_number > ? "  # noqa: S608 - our own names
                "ORDER BY block_number DESC, log_index DESC LIMIT ?",
                change.above,
                UNDO_CHUNK_ROWS,
            )
            if not rows:
                break
            gone = [Transfer(*row) for row in rows]
            self._add(cursor, deltas(gone, sign=-1), fresh, change)
            last = gone[-1]
            self._run(
                cursor,
                "DELETE FROM erc20_transfers WHERE block_number > ? OR (block_number = ? AND log_index >= ?)",
                last.block_number,
                last.block_number,
                last.log_index,
            )
            change.taken_back += len(gone)
        self._run(cursor, "DELETE FROM mirror_block WHERE number > ?", change.above)

    def _add(self, cursor: Any, changes: dict[str, int], fresh: dict[str, int], change: Change) -> None:
        """Adds to balances; one that becomes zero is none. `fresh`: what this transaction wrote already."""
        unknown = [address for address in changes if address not in fresh and address not in self._cache]
        before = {address: int(balance) for address, balance in self._balances(cursor, unknown)} if unknown else {}
        put: list[tuple[str, str]] = []
        drop: list[str] = []
        for address, delta in changes.items():
            had = fresh.get(address)
            if had is None:
                had = self._cache.get(address)
            if had is None:
                had = before.get(address, 0)
            now = fresh[address] = had + delta
            if now < 0 <= had:
                change.below_zero, change.example = change.below_zero + 1, address
            if now:
                put.append((address, str(now)))
            elif had:
                drop.append(address)
        if put:
            self._put_balances(cursor, put)
        if drop:
            self._drop_balances(cursor, drop)

    def _keep_blocks(self, cursor: Any, change: Change) -> None:
        kept = [block for block in change.known if block[0] >= change.keep_from]
        if change.base is not None:
            self._run(cursor, "DELETE FROM mirror_block")
            kept.insert(0, change.base)
        if kept:
            self._insert(cursor, "mirror_block", kept)
        self._run(cursor, "DELETE FROM mirror_block WHERE number < ?", change.keep_from)


def check_asked(held: Checkpoint, token: str, from_block: int) -> None:
    """Raises MirrorMismatch when the tables are of another token, or begin elsewhere."""
    if held.token != token:
        raise MirrorMismatch("token", held.token, token)
    if held.from_block != from_block:
        raise MirrorMismatch("from block", str(held.from_block), str(from_block))


def check_columns(table: str, found: Collection[str]) -> list[str]:
    """The columns that a table of ours lacks because they came later; all found ones empty: there is no table.

    Raises DatabaseUnusable when a table of that name is there and is not ours.
    """
    missing = [name for name in TABLES[table] if name not in found]
    if not found:
        return []
    if not set(missing) <= set(ADDED.get(table, ())):
        raise DatabaseUnusable(f"The database has a table {table} of another program; use another database.")
    return missing


def no_mirror(where: str) -> DatabaseUnusable:
    """What is to be read is not there."""
    return DatabaseUnusable(f"{where} holds no mirror; nothing was made.")
