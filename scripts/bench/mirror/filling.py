"""A mirror as large as wanted, made by the database itself: entries, balances and their versions of one brand.

The rows are as wide as real ones and lie as scattered: accounts and hashes are spread over their whole range, so that
an index over them is as cold as after years.
"""
# ruff: noqa: S608  (every word of these statements is of this file)

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Engine, create_engine, text
from sqlmodel import SQLModel

import chain.tables  # noqa: F401 - makes the tables known
from chain.base.scalars import Address, BlockHash

TOKEN: Final = Address("0x" + "70" * 20)
RULES: Final = Address("0x" + "72" * 20)
BRAND_ID: Final = "1"
ENTRIES_PER_BLOCK: Final = 200
START_TIME: Final = 1_700_000_000
# Knuth's multiplicative hash, and its words with other odd factors: any number, spread over 32 bits.
FACTORS: Final = (2_654_435_761, 2_246_822_519, 3_266_489_917, 668_265_263, 374_761_393)
LOTS: Final = f"{1_000 << 48:x}..."
LARGE: Final = ("entry", "balance")


@dataclass(frozen=True, slots=True)
class Filled:
    """How much lies there; blocks are numbered from 1. Every account has as many entries as every other."""

    entries: int
    accounts: int
    blocks: int

    def account(self, number: int) -> str:
        """The address of account 0..accounts-1."""
        return "0x" + "".join(f"{(number + 1) * factor & 0xFFFFFFFF:08x}" for factor in FACTORS)

    def block_hash(self, number: int) -> BlockHash:
        """The hash of a block."""
        return BlockHash(f"0x{number:064x}")


def fill(engine: Engine, entries: int, accounts: int) -> Filled:
    """Makes the tables and their rows; the indexes of the large ones are built after the rows."""
    assert entries % accounts == 0, "every account has as many entries as every other"
    assert accounts >= ENTRIES_PER_BLOCK, "an account has one entry a block at most"
    filled = Filled(entries, accounts, max(1, entries // ENTRIES_PER_BLOCK))
    with _unlogged(engine) as execute:
        indexes = [index for name in LARGE for index in SQLModel.metadata.tables[name].indexes]
        for index in indexes:
            execute(f"DROP INDEX {index.name}")
        for statement in _statements(_WORDS[engine.dialect.name], filled):
            execute(statement)
        for index in indexes:
            assert index.table is not None, "it was made with its table"
            execute(f"CREATE INDEX {index.name} ON {index.table.name} ({', '.join(index.columns.keys())})")
        execute("ANALYZE")
    return filled


@contextmanager
def _unlogged(engine: Engine) -> Iterator[Callable[[str], object]]:
    """Runs statements past the log: what is lost in a crash here is made again."""
    with engine.begin() as connection:
        SQLModel.metadata.create_all(connection)
    sqlite = engine.dialect.name == "sqlite"
    engine.dispose()
    plain = create_engine(engine.url, isolation_level="AUTOCOMMIT")
    with plain.connect() as connection:

        def execute(statement: str) -> object:
            return connection.execute(text(statement))

        for statement in _BEFORE_SQLITE if sqlite else _BEFORE_POSTGRESQL:
            execute(statement)
        yield execute
        for statement in () if sqlite else _AFTER_POSTGRESQL:
            execute(statement)
    plain.dispose()


_BEFORE_SQLITE: Final = (
    "PRAGMA wal_checkpoint(TRUNCATE)",
    "PRAGMA journal_mode = OFF",
    "PRAGMA synchronous = OFF",
    "PRAGMA cache_size = -1000000",
    "PRAGMA temp_store = FILE",
)
_BEFORE_POSTGRESQL: Final = (
    "ALTER SYSTEM SET max_wal_size = '4GB'",
    "ALTER SYSTEM SET checkpoint_timeout = '1h'",
    "SELECT pg_reload_conf()",
    "SET maintenance_work_mem = '1GB'",
    "SET work_mem = '512MB'",
    "SET synchronous_commit = off",
)
_AFTER_POSTGRESQL: Final = ("ALTER SYSTEM RESET ALL", "SELECT pg_reload_conf()", "CHECKPOINT")


def _statements(words: dict[str, str], filled: Filled) -> list[str]:
    last, each = filled.blocks, filled.entries // filled.accounts

    def spread(number: str, parts: int) -> str:
        return "'0x' || " + " || ".join(words["hex"].format(f"{number} * {FACTORS[i % 5]}") for i in range(parts))

    def numbers(rows: int) -> str:
        return words["numbers"].format(rows=rows)

    block = f"(number / {ENTRIES_PER_BLOCK} + 1)"
    return [
        f"CREATE TABLE bench_account AS WITH {numbers(filled.accounts)}"
        f" SELECT number, {spread('(number + 1)', 5)} AS account FROM numbers",
        "CREATE UNIQUE INDEX bench_account_number ON bench_account (number)",
        f"CREATE TABLE bench_block AS WITH {numbers(last + 1)}"
        f" SELECT number, {words['number64']} AS hash, {spread('number', 8)} AS tx_hash FROM numbers",
        "CREATE UNIQUE INDEX bench_block_number ON bench_block (number)",
        f"INSERT INTO brand_token (token, brand_id, name, symbol, decimals, origin, epoch_s, lifetime_epochs, grace_s,"
        f" since_block) VALUES ('{TOKEN}', '{BRAND_ID}', 'x', 'X', 2, {START_TIME}, 2592000, 0, 0, 1)",
        f"WITH {numbers(filled.entries)}"
        " INSERT INTO entry (seq, token, account, kind, points, held, tx_hash, block_number, block_hash, block_time,"
        " log_index, contract, brand_id, operation_id, detail)"
        f" SELECT n.number + 1, '{TOKEN}', a.account, 'award', '1000', '0', b.tx_hash, b.number, b.hash,"
        f" {START_TIME} + b.number, n.number % {ENTRIES_PER_BLOCK} * 3, '{RULES}', '{BRAND_ID}',"
        """ CAST(n.number + 1 AS VARCHAR), '{"base_amount": "1000", "rule": "1", "version": "1"}'"""
        f" FROM numbers AS n JOIN bench_account AS a ON a.number = n.number % {filled.accounts}"
        f" JOIN bench_block AS b ON b.number = n.number / {ENTRIES_PER_BLOCK} + 1 ORDER BY n.number",
        "INSERT INTO balance (token, account, lots, points, block_number, log_index)"
        f" SELECT '{TOKEN}', account, '{1_000 << 48:064x}{'0' * 192}', '1000', {last}, number % 600"
        " FROM bench_account ORDER BY number",
        # In the order of the key: the table is its own index.
        f"WITH {numbers(each)}"
        " INSERT INTO balance_version (token, account, block_number, log_index, lots)"
        f" SELECT '{TOKEN}', a.account, {block.replace('number', f'(n.number * {filled.accounts} + a.number)')},"
        f" a.number % 600, '{LOTS}' FROM (SELECT account, number FROM bench_account ORDER BY account) AS a"
        " CROSS JOIN numbers AS n",
        f"INSERT INTO supply (token, minted, burnt) VALUES ('{TOKEN}', '{filled.entries * 1000}', '0')",
        f"INSERT INTO mirror_block (number, hash, time) VALUES ({last}, '0x{last:064x}', {START_TIME + last})",
        "INSERT INTO mirror_checkpoint (id, genesis_hash, start_block, block_number, block_hash, block_time,"
        " head_number, safe_number, final_number, history_from, state, updated_at_ms) VALUES"
        f" (1, '0x00', 1, {last}, '0x{last:064x}', {START_TIME + last}, {last}, {last}, {last}, 0, 'live', 0)",
        "DROP TABLE bench_account",
        "DROP TABLE bench_block",
        *([words["serial"].format(entries=filled.entries)] if words["serial"] else []),
    ]  # fmt: skip


_WORDS: Final = {
    "sqlite": {
        "numbers": "RECURSIVE numbers(number) AS"
        " (SELECT 0 UNION ALL SELECT number + 1 FROM numbers WHERE number + 1 < {rows})",
        "hex": "printf('%08x', ({}) & 4294967295)",
        "number64": "'0x' || printf('%064x', number)",
        "serial": "",
    },
    "postgresql": {
        "numbers": "numbers AS (SELECT number FROM generate_series(0::bigint, {rows} - 1) AS series(number))",
        "hex": "lpad(to_hex(({}) & 4294967295), 8, '0')",
        "number64": "'0x' || lpad(to_hex(number), 64, '0')",
        "serial": "SELECT setval('entry_seq_seq', {entries} + 1)",
    },
}
