"""The mirror's tables in PostgreSQL."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final
from urllib.parse import quote

import psycopg
from psycopg import sql as compose
from psycopg.conninfo import conninfo_to_dict

from chain.base.errors import ArgumentInvalid, DatabaseAway, DatabaseUnusable, LeaderElsewhere
from chain.erc20.store import TABLES, Store, check_columns, no_mirror

CONNECT_TIMEOUT_S: Final = 4
STREAM_ROWS: Final = 10_000
APPLICATION: Final = "moa mirror"
# "moae20": an advisory lock of its own, beside the worker's.
ADVISORY_LOCK: Final = 0x6D6F61653230

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS erc20_transfers (
    block_number BIGINT NOT NULL, block_hash TEXT NOT NULL, tx_hash TEXT NOT NULL, log_index BIGINT NOT NULL,
    sender TEXT NOT NULL, recipient TEXT NOT NULL, amount TEXT NOT NULL,
    PRIMARY KEY (block_number, log_index));
CREATE TABLE IF NOT EXISTS erc20_balances (address TEXT COLLATE "C" PRIMARY KEY, balance TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS mirror_checkpoint (
    block_number BIGINT NOT NULL, block_hash TEXT NOT NULL, state TEXT NOT NULL, reason TEXT, token TEXT NOT NULL,
    from_block BIGINT NOT NULL, genesis_hash TEXT NOT NULL, id INTEGER PRIMARY KEY CHECK (id = 1),
    chain_id TEXT, anchor_hash TEXT);
CREATE TABLE IF NOT EXISTS mirror_block (number BIGINT PRIMARY KEY, hash TEXT NOT NULL);
"""

# What no waiting heals, in the words of libpq when there is no connection to carry a code.
UNUSABLE: Final = (
    "password authentication failed",
    "no password supplied",
    "does not exist",
    "no pg_hba.conf entry",
    "permission denied",
    "could not translate host name",
    "invalid connection option",
    "invalid URI query parameter",
    "invalid port number",
    "Servname not supported",
    "invalid integer value",
    'missing "="',
)
HOSTS: Final = re.compile(r"[A-Za-z0-9._:%,-]*|/[^@]*")
PORTS: Final = re.compile(r"(\d{1,5}(,\d{1,5})*)?")
NOT_READABLE: Final = (
    "--db cannot be read as postgresql://user:password@host:port/database. "
    "In user and password write @ as %40, : as %3A, / as %2F, % as %25 and a space as %20."
)
# Classes of SQLSTATE: 28 authorisation, 3D and 3F no such database or schema, 42 rights and names.
UNUSABLE_CLASSES: Final = ("28", "3D", "3F", "42")


class PostgresStore(Store):
    """A database. The lead is an advisory lock of the very session that writes: who lost it cannot write."""

    def __init__(self, url: str):
        super().__init__()
        self._url = url
        self._password = checked(url)
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    def open(self) -> None:
        """Connects and makes the tables."""
        try:
            with self._translated():
                self._connection = self._connect(APPLICATION)
                self._lead(self._connection)
                self._prepare(self._connection)
        except BaseException:
            self.close()
            raise

    def open_to_read(self) -> None:
        """Connects, in one reading transaction."""
        try:
            with self._translated():
                self._connection = self._connect(f"{APPLICATION}, reading")
                self._connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                self._found(self._connection, "mirror_checkpoint")
            if not self._columns or self.checkpoint() is None:
                raise no_mirror("The database")
        except BaseException:
            self.close()
            raise

    def _connect(self, application: str) -> "psycopg.Connection[tuple[Any, ...]]":
        return psycopg.connect(
            self._url,
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT_S,
            application_name=application,
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
        )

    def close(self) -> None:
        """Ends the session, and with it the lead."""
        self._cache.clear()
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None

    def check(self) -> None:
        """A session that ended says so itself at its next statement."""

    def stream(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """Through a cursor of the server."""
        connection = self._open_connection()
        with self._translated(), connection.transaction(), connection.cursor("stream") as cursor:
            cursor.itersize = STREAM_ROWS
            yield from cursor.execute(sql)

    def _open_connection(self) -> "psycopg.Connection[tuple[Any, ...]]":
        if self._connection is None:
            raise DatabaseAway("The database is not open.")
        return self._connection

    def _lead(self, connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", (ADVISORY_LOCK,)).fetchone()
        if row is None or not row[0]:
            raise LeaderElsewhere("Another mirror leads this database.")

    def _prepare(self, connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
        later = {table: self._found(connection, table) for table in TABLES}
        with connection.transaction():
            connection.execute(SCHEMA)
            for table, names in later.items():
                for name in names:
                    connection.execute(
                        compose.SQL("ALTER TABLE {} ADD COLUMN {} TEXT").format(
                            compose.Identifier(table), compose.Identifier(name)
                        )
                    )
        self._columns = frozenset()
        # A loss of power may lose the last transactions, whole ones, and the chain has them still.
        connection.execute("SET synchronous_commit TO off")

    def _found(self, connection: "psycopg.Connection[tuple[Any, ...]]", table: str) -> list[str]:
        """Looks at a table, and remembers what there is of the checkpoint; the columns that it lacks."""
        rows = connection.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
            (table,),
        ).fetchall()
        found = [row[0] for row in rows]
        if table == "mirror_checkpoint":
            self._columns = frozenset(found)
        return check_columns(table, found)

    @contextmanager
    def _transaction(self) -> Iterator["psycopg.Cursor[tuple[Any, ...]]"]:
        connection = self._open_connection()
        with self._translated(), connection.transaction(), connection.cursor() as cursor:
            yield cursor

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            text = self._without_password(" ".join(str(error).split()))
            code = error.sqlstate or ""
            if code[:2] in UNUSABLE_CLASSES or (not code and any(words in text for words in UNUSABLE)):
                raise DatabaseUnusable(f"The database cannot be used: {text}") from None
            raise DatabaseAway(f"The database does not answer: {text}") from None

    def _without_password(self, text: str) -> str:
        for shown in {self._password, quote(self._password, safe="")}:
            text = text.replace(shown, "***") if shown else text
        return text

    def _select(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._translated():
            return self._open_connection().execute(_places(sql), values).fetchall()

    def _run(self, cursor: Any, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        cursor.execute(_places(sql), values)
        return cursor.fetchall() if cursor.description else []

    def _insert(self, cursor: Any, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        # Nothing but digits and hex goes in here, so COPY's text format needs no escapes.
        text = "\n".join(["\t".join(map(str, row)) for row in rows]) + "\n"
        with cursor.copy(f"COPY {table} ({', '.join(TABLES[table])}) FROM STDIN") as copy:
            copy.write(text)

    def _balances(self, cursor: Any, addresses: Sequence[str]) -> Iterable[tuple[str, str]]:
        cursor.execute("SELECT address, balance FROM erc20_balances WHERE address = ANY(%s)", (list(addresses),))
        rows: list[tuple[str, str]] = cursor.fetchall()
        return rows

    def _put_balances(self, cursor: Any, rows: Sequence[tuple[str, str]]) -> None:
        addresses, balances = zip(*sorted(rows), strict=True)
        cursor.execute(
            "INSERT INTO erc20_balances (address, balance) SELECT * FROM unnest(%s::text[], %s::text[]) "
            "ON CONFLICT (address) DO UPDATE SET balance = excluded.balance",
            (list(addresses), list(balances)),
        )

    def _drop_balances(self, cursor: Any, addresses: Sequence[str]) -> None:
        cursor.execute("DELETE FROM erc20_balances WHERE address = ANY(%s)", (list(addresses),))


def _places(sql: str) -> str:
    return sql.replace("?", "%s")


def checked(url: str) -> str:
    """The password in an address, "" without one. Raises ArgumentInvalid for an address that cannot be meant.

    Nothing of the address is shown: an @ or a / in a password that is not percent-encoded makes libpq take a part of
    the password for the host, the port or the database, and say so.
    """
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error:
        raise ArgumentInvalid(NOT_READABLE) from None
    host, port, name = (str(parts.get(key) or "") for key in ("host", "port", "dbname"))
    if not url.isprintable() or not HOSTS.fullmatch(host) or not PORTS.fullmatch(port) or "@" in name:
        raise ArgumentInvalid(NOT_READABLE)
    return str(parts.get("password") or "")
