"""The mirror's tables in a file of SQLite."""

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from chain.base.errors import DatabaseAway, DatabaseUnusable, LeaderElsewhere
from chain.erc20.store import TABLES, Store, check_columns, no_mirror

# Short, so that SIGTERM is heard while another program holds the file; the loop above asks again.
BUSY_TIMEOUT_S: Final = 1.0
CACHE_KIB: Final = 32_768
VARIABLES_MAX: Final = 900
# Rows in one statement. The driver lets other threads run once a statement, not once a row, so that reading goes on
# while SQLite writes.
ROWS_A_STATEMENT: Final = 128

SCHEMA: Final = (
    """CREATE TABLE IF NOT EXISTS erc20_transfers (
        block_number INTEGER NOT NULL, block_hash TEXT NOT NULL, tx_hash TEXT NOT NULL, log_index INTEGER NOT NULL,
        sender TEXT NOT NULL, recipient TEXT NOT NULL, amount TEXT NOT NULL,
        PRIMARY KEY (block_number, log_index)) WITHOUT ROWID""",
    "CREATE TABLE IF NOT EXISTS erc20_balances (address TEXT PRIMARY KEY, balance TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE IF NOT EXISTS mirror_checkpoint (
        block_number INTEGER NOT NULL, block_hash TEXT NOT NULL, state TEXT NOT NULL, reason TEXT, token TEXT NOT NULL,
        from_block INTEGER NOT NULL, genesis_hash TEXT NOT NULL, id INTEGER PRIMARY KEY CHECK (id = 1),
        chain_id TEXT, anchor_hash TEXT)""",
    "CREATE TABLE IF NOT EXISTS mirror_block (number INTEGER PRIMARY KEY, hash TEXT NOT NULL)",
)

# What no waiting heals. Everything else that SQLite says of a file may pass: a lock, a full disk, a mount that left.
UNUSABLE: Final = (
    "file is not a database",
    "unsupported file format",
    "is encrypted",
    "no such column",
    "no such table",
)


class SqliteStore(Store):
    """A file. The lead is a lock of the kernel on `<file>.leader`, given back when the process ends in any way."""

    def __init__(self, path: str):
        super().__init__()
        self.path = path
        self._connection: sqlite3.Connection | None = None
        self._lock: int | None = None
        self._file: tuple[int, int] | None = None

    def open(self) -> None:
        """Makes the file if its folder is there."""
        folder = Path(self.path).resolve().parent
        if not folder.is_dir():
            raise DatabaseUnusable(f"There is no folder {folder} for the database.")
        if Path(self.path).is_dir():
            raise DatabaseUnusable(f"{self.path} is a folder, not a database.")
        self._lead()
        try:
            self._connection = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            with _translated():
                self._prepare(self._connection)
            self._file = self._file_there()
        except BaseException as error:
            self.close()
            if isinstance(error, sqlite3.Error):
                raise DatabaseAway(f"The database cannot be opened: {error}.") from error
            raise

    def open_to_read(self) -> None:
        """A file that is there already, in one reading transaction."""
        if not Path(self.path).is_file():
            raise no_mirror(self.path)
        try:
            address = f"file:{quote(str(Path(self.path).resolve()))}?mode=ro"
            self._connection = sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            with _translated():
                self._connection.execute("BEGIN")
                self._found(self._connection, "mirror_checkpoint")
            if not self._columns or self.checkpoint() is None:
                raise no_mirror(self.path)
        except BaseException as error:
            self.close()
            if isinstance(error, sqlite3.Error):
                raise DatabaseAway(f"The database cannot be opened: {error}.") from error
            raise

    def close(self) -> None:
        """Ends the connection and gives the lead back."""
        self._cache.clear()
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def check(self) -> None:
        """A file that was removed or replaced could still be written to, where nobody would ever read it."""
        if self._connection is not None and self._file_there() != self._file:
            raise DatabaseAway(f"{self.path} was removed or replaced.")

    def stream(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """Row by row."""
        with _translated():
            yield from self._open_connection().execute(sql)

    def _open_connection(self) -> sqlite3.Connection:
        if self._connection is None:
            raise DatabaseAway("The database is not open.")
        return self._connection

    def _file_there(self) -> tuple[int, int] | None:
        """Which file lies at our path."""
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _lead(self) -> None:
        try:
            self._lock = os.open(f"{Path(self.path).resolve()}.leader", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise DatabaseUnusable(f"Beside the database no file can be made: {error.strerror}.") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            self._lock = None
            raise LeaderElsewhere("Another mirror leads this database.") from None

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        # NORMAL: a loss of power may lose the last transactions, whole ones, and the chain has them still.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        later = {table: self._found(connection, table) for table in TABLES}
        connection.execute("BEGIN IMMEDIATE")
        for statement in SCHEMA:
            connection.execute(statement)
        for table, names in later.items():
            for name in names:
                connection.execute(f"ALTER TABLE {table} ADD COLUMN {name} TEXT")
        connection.execute("COMMIT")
        self._columns = frozenset()

    def _found(self, connection: sqlite3.Connection, table: str) -> list[str]:
        """Looks at a table, and remembers what there is of the checkpoint; the columns that it lacks."""
        found = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        if table == "mirror_checkpoint":
            self._columns = frozenset(found)
        return check_columns(table, found)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Cursor]:
        connection = self._open_connection()
        self.check()
        with _translated():
            cursor = connection.cursor()
            cursor.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    if connection.in_transaction:
                        cursor.execute("ROLLBACK")
                raise

    def _select(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with _translated():
            return self._open_connection().execute(sql, values).fetchall()

    def _run(self, cursor: Any, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = cursor.execute(sql, values).fetchall()
        return rows

    def _insert(self, cursor: Any, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        _write_many(cursor, f"INSERT INTO {table} ({', '.join(TABLES[table])})", rows)

    def _balances(self, cursor: Any, addresses: Sequence[str]) -> Iterable[tuple[str, str]]:
        for start in range(0, len(addresses), VARIABLES_MAX):
            some = addresses[start : start + VARIABLES_MAX]
            places = ", ".join("?" * len(some))
            yield from cursor.execute(
                f"SELECT address, balance FROM erc20_balances WHERE address IN ({places})",  # noqa: S608
                some,
            ).fetchall()

    def _put_balances(self, cursor: Any, rows: Sequence[tuple[str, str]]) -> None:
        _write_many(
            cursor,
            "INSERT INTO erc20_balances (address, balance)",
            # In the order of the key: neighbours share a page.
            sorted(rows),
            "ON CONFLICT (address) DO UPDATE SET balance = excluded.balance",
        )

    def _drop_balances(self, cursor: Any, addresses: Sequence[str]) -> None:
        cursor.executemany("DELETE FROM erc20_balances WHERE address = ?", [(address,) for address in addresses])


def _write_many(cursor: Any, into: str, rows: Sequence[tuple[Any, ...]], rest: str = "") -> None:
    """Many rows to a statement; the last few one by one."""
    place = f"({', '.join('?' * len(rows[0]))})"
    whole = len(rows) - len(rows) % ROWS_A_STATEMENT
    if whole:
        statement = f"{into} VALUES {', '.join([place] * ROWS_A_STATEMENT)} {rest}"
        for start in range(0, whole, ROWS_A_STATEMENT):
            cursor.execute(statement, list(chain.from_iterable(rows[start : start + ROWS_A_STATEMENT])))
    if whole < len(rows):
        cursor.executemany(f"{into} VALUES {place} {rest}", rows[whole:])


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        text = str(error)
        if any(words in text for words in UNUSABLE):
            raise DatabaseUnusable(f"The database cannot be used: {text}.") from error
        raise DatabaseAway(f"The database does not answer: {text}.") from error
