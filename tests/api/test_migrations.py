"""From every revision that was ever released, with rows in it, to the newest: nothing of our own is lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, BigInteger, Boolean, Connection, Integer, LargeBinary, MetaData, select
from sqlmodel import SQLModel

from api import migrate, tables
from chain.storage import database

# What no chain can give again. All else is the mirror's, and a migration may have it read anew.
OURS = {
    "brand", "member", "enrolment", "api_key", "member_session", "idempotent_write", "idempotent_batch", "event",
    "operation", "operation_counter", "operation_refusal", "award", "goods_return", "hold_request", "hold_step",
    "exchange_request", "memo", "reported_event", "chain_signer", "identifier_link", "member_merge", "claim", "tried",
    "device", "refresh_token", "challenge", "outbox_message", "passkey", "act_about", "consent_word", "preference",
    "erasure", "staff_role", "staff_session",
    "chain_transaction", "chain_transaction_hash", "act_pending", "act_tally", "act_salt", "log_entry", "log_tile",
    "log_state", "log_checkpoint", "log_cosignature",
}  # fmt: skip
ROWS = 3
REVISIONS = [one.revision for one in ScriptDirectory.from_config(migrate.configured(None)).walk_revisions()][::-1]
# What a value must be for the rows to hang together; {n} is the row's number.
MEANT = {
    ("brand", "slug"): "brand-{n}",
    ("brand", "number"): "{n}",
    ("brand", "token"): "0x{n:040x}",
    ("api_key", "kind"): "b",
    ("operation", "kind"): "award",
    ("operation", "state"): "queued",
    ("operation", "operation_id"): "{n}",
    ("chain_transaction", "state"): "sent",
}
# Columns that a later revision may have reason to write otherwise: how a brand is named, what an order said
# before it was corrected (tests/api/members/test_brands.py says what becomes of both).
RENAMED = {"brand", "brand_id", "number", "fact"}


def value(table: str, column: Any, number: int) -> Any:
    """A value of the column's kind, another one for each row."""
    for key in column.foreign_keys:
        return value(key.column.table.name, key.column, number)
    if (table, column.name) in MEANT:
        return MEANT[table, column.name].format(n=number)
    if column.name == "brand" and not isinstance(column.type, Integer):
        return f"brand-{number}"
    if isinstance(column.type, Boolean):
        return number % 2 == 0
    if isinstance(column.type, BigInteger | Integer):
        return number
    if isinstance(column.type, LargeBinary):
        return bytes([number]) * 32
    if isinstance(column.type, JSON):
        return {"memo_root": None, "rule": number, "base_amount": str(number)} if column.name == "payload" else {}
    told = f"{column.name}-{number}"
    return told[-(getattr(column.type, "length", None) or len(told)) :]


def rows_of(connection: Connection) -> dict[str, list[Any]]:
    """All rows of every table of ours that there is."""
    found = MetaData()
    found.reflect(connection)
    ours = [table for name, table in sorted(found.tables.items()) if name in OURS]
    return {table.name: [row._mapping for row in connection.execute(select(table))] for table in ours}


def filled(connection: Connection) -> Iterator[tuple[str, int]]:
    """Rows in every table of ours that there is, in an order that foreign keys allow."""
    found = MetaData()
    found.reflect(connection)
    for table in found.sorted_tables:
        if table.name in OURS:
            rows = [{c.name: value(table.name, c, number) for c in table.columns} for number in range(1, ROWS + 1)]
            connection.execute(table.insert(), rows)
            yield table.name, len(rows)


@pytest.mark.parametrize("revision", REVISIONS)
def test_what_is_our_own_outlives_every_migration(url: str, revision: str) -> None:
    """SPEC 9.16"""
    assert tables.TABLES
    engine = database.engine(url)
    with database.writing(engine) as connection:
        command.upgrade(migrate.configured(connection), revision)
    with database.writing(engine) as connection:
        written = dict(filled(connection))
        before = rows_of(connection)
    assert {name: len(rows) for name, rows in before.items()} == written
    assert {"operation", "event", "member", "api_key"} <= written.keys()

    migrate.run(url)

    with database.writing(engine) as connection:
        after = rows_of(connection)
        differences = compare_metadata(MigrationContext.configure(connection), SQLModel.metadata)
    engine.dispose()
    assert [one[0] for one in differences if one[1].name != "operation_open_ordering_key"] == []
    for name, rows in before.items():
        kept = [column for column in rows[0] if column in after[name][0] and column not in RENAMED]
        assert kept, name
        as_it_was, as_it_is = (
            sorted(str([row[column] for column in kept]) for row in found) for found in (rows, after[name])
        )
        assert as_it_is == as_it_was, f"{name}, from revision {revision}"
