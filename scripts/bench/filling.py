"""A mirror as large as wanted, made by the database itself: entries, balances and their versions of one brand.

The rows are as wide as real ones and lie as scattered: accounts and hashes are spread over their whole range, so that
an index over them is as cold as after years.
"""
# ruff: noqa: S608  (every word of these statements is of this file)

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Engine, text
from sqlmodel import SQLModel

from chain.database import writing

TOKEN: Final = "0x" + "70" * 20
RULES: Final = "0x" + "72" * 20
BRAND_ID: Final = "1"
ENTRIES_PER_BLOCK: Final = 200
START_TIME: Final = 1_700_000_000
# Knuth's multiplicative hash, and its words with other odd factors: any number, spread over 32 bits.
FACTORS: Final = (2_654_435_761, 2_246_822_519, 3_266_489_917, 668_265_263, 374_761_393)
LOTS: Final = f"{1_000 << 48:x}..."


@dataclass(frozen=True, slots=True)
class Filled:
    """How much lies there; blocks are numbered from 1."""

    entries: int
    accounts: int
    blocks: int

    def account(self, number: int) -> str:
        """The address of account 0..accounts-1."""
        return "0x" + "".join(f"{(number + 1) * factor & 0xFFFFFFFF:08x}" for factor in FACTORS)

    def block_hash(self, number: int) -> str:
        """The hash of a block."""
        return f"0x{number:064x}"


def fill(engine: Engine, entries: int, accounts: int) -> Filled:
    """Makes the tables and their rows; the indexes of the large ones are built after the rows."""
    filled = Filled(entries, accounts, max(1, entries // ENTRIES_PER_BLOCK))
    with writing(engine) as connection:
        SQLModel.metadata.create_all(connection)
        postgresql = connection.dialect.name == "postgresql"
        if postgresql:
            connection.execute(text("SET LOCAL maintenance_work_mem = '1GB'"))
            connection.execute(text("SET LOCAL synchronous_commit = off"))
        tables = [SQLModel.metadata.tables[name] for name in ("entry", "balance")]
        indexes = [index for table in tables for index in table.indexes]
        for index in indexes:
            index.drop(connection)
        words = _POSTGRESQL if postgresql else _SQLITE
        for statement in _statements(words, filled):
            connection.execute(text(statement))
        for index in indexes:
            index.create(connection)
    return filled


def _statements(words: dict[str, str], filled: Filled) -> list[str]:
    numbers, integer = words["numbers"], words["integer"]

    def spread(number: str, parts: int) -> str:
        hexes = [words["hex"].format(f"({number}) * {FACTORS[i % 5]} & 4294967295") for i in range(parts)]
        return "'0x' || " + " || ".join(hexes)

    account = spread(f"(n % {filled.accounts}) + 1", 5)
    block = f"(n / {ENTRIES_PER_BLOCK} + 1)"
    block_hash = words["number64"].format(block)
    last = filled.blocks
    return [
        f"INSERT INTO brand_token (token, brand_id, name, symbol, decimals, origin, epoch_s, lifetime_epochs, grace_s,"
        f" since_block) VALUES ('{TOKEN}', '{BRAND_ID}', 'x', 'X', 2, {START_TIME}, 2592000, 0, 0, 1)",
        numbers.format(rows=filled.entries) +
        " INSERT INTO entry (seq, token, account, kind, points, held, tx_hash, block_number, block_hash, block_time,"
        " log_index, contract, brand_id, operation_id, detail)"
        f" SELECT n + 1, '{TOKEN}', {account}, 'award', '1000', '0', {spread(block, 8)}, {block}, {block_hash},"
        f" {START_TIME} + {block}, n % {ENTRIES_PER_BLOCK} * 3, '{RULES}', '{BRAND_ID}', {integer.format('n + 1')},"
        """ '{"base_amount": "1000", "rule": "1", "version": "1"}' FROM numbers""",
        numbers.format(rows=filled.accounts) +
        " INSERT INTO balance (token, account, lots, points, block_number, log_index)"
        f" SELECT '{TOKEN}', {account}, '{1_000 << 48:064x}' || '{'0' * 192}', '1000', {last}, n % 600 FROM numbers",
        numbers.format(rows=filled.entries) +
        " INSERT INTO balance_version (token, account, block_number, log_index, lots)"
        f" SELECT '{TOKEN}', {account}, {block}, n % 600, '{LOTS}' FROM numbers",
        f"INSERT INTO supply (token, minted, burnt) VALUES ('{TOKEN}', '{filled.entries * 1000}', '0')",
        f"INSERT INTO mirror_block (number, hash, time) VALUES ({last}, '0x{last:064x}', {START_TIME + last})",
        "INSERT INTO mirror_checkpoint (id, genesis_hash, start_block, block_number, block_hash, block_time,"
        " head_number, safe_number, final_number, history_from, state, updated_at_ms) VALUES"
        f" (1, '0x00', 1, {last}, '0x{last:064x}', {START_TIME + last}, {last}, {last}, {last}, 0, 'live', 0)",
        *words["after"].format(entries=filled.entries).split(";"),
    ]  # fmt: skip


_SQLITE: Final = {
    "numbers": "WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {rows})",
    "hex": "printf('%08x', {})",
    "number64": "'0x' || printf('%064x', {})",
    "integer": "CAST({} AS TEXT)",
    "after": "ANALYZE",
}
_POSTGRESQL: Final = {
    "numbers": "WITH numbers AS (SELECT n FROM generate_series(0, {rows}::bigint - 1) AS series(n))",
    "hex": "lpad(to_hex((({})))::text, 8, '0')",
    "number64": "'0x' || lpad(to_hex({}), 64, '0')",
    "integer": "({})::text",
    "after": "SELECT setval('entry_seq_seq', {entries} + 1);ANALYZE",
}
