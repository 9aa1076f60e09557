"""The rows of the mirror's changing tables, as they were at the end of a block.

A row that ever was is still in its table (only a reorg takes rows away, and their versions with them), so the table
names the keys and each key costs one seek among its versions.
"""

from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, String, cast, literal, select

from chain.mirror.history.moments import moment
from chain.mirror.models import Entry, LedgerVersion
from chain.mirror.rows.row_cache import KEYS, RELATIONS
from chain.mirror.rows.row_versions import KEY_PARTS_JOIN, text_of
from chain.storage.columns import table_of

Row = dict[str, Any]

versions: Final = table_of(LedgerVersion)
entries: Final = table_of(Entry)


def as_of(connection: Connection, relation: str, block: int, **fixed: Any) -> list[Row]:
    """Rows of a table as of a block, in the order of their keys. fixed: columns that never change, by value."""
    moment(connection, block)
    table, names = RELATIONS[relation], KEYS[relation]
    newest = (
        select(versions.c.row)
        .where(versions.c.relation == relation, versions.c.key == _key(relation), versions.c.block_number <= block)
        .order_by(versions.c.block_number.desc())
        .limit(1)
        .scalar_subquery()
    )
    wanted = [table.c[name] == value for name, value in fixed.items() if value is not None]
    rows = connection.execute(select(newest).where(*wanted).select_from(table))
    found = [row for row in rows.scalars() if row is not None]
    return sorted(found, key=lambda row: [row[name] for name in names])


def row_as_of(connection: Connection, relation: str, key: tuple[Any, ...], block: int) -> Row | None:
    """One row as of a block, None when it was not there yet."""
    moment(connection, block)
    row: Row | None = connection.execute(
        select(versions.c.row)
        .where(versions.c.relation == relation, versions.c.key == text_of(key), versions.c.block_number <= block)
        .order_by(versions.c.block_number.desc())
        .limit(1)
    ).scalar_one_or_none()
    return row


def holds(
    connection: Connection,
    block: int,
    account: str | None = None,
    brand_id: str | None = None,
    states: tuple[str, ...] | None = None,
) -> list[Row]:
    """Holds that had been placed by then; of one account or brand, or in some states, if asked for."""
    rows = as_of(connection, "hold", block, account=account and account.lower(), brand_id=brand_id)
    return [row for row in rows if states is None or row["state"] in states]


def obligations(connection: Connection, block: int) -> list[Row]:
    """What each brand owed each other, not yet netted."""
    return as_of(connection, "obligation", block)


def debts(connection: Connection, block: int, token: str | None = None, *, account: str | None = None) -> list[Row]:
    """What members owed to brands, by token and account; without those who owed nothing any more."""
    return [row for row in as_of(connection, "debt", block, token=token, account=account) if row["points"] != "0"]


def collateral(connection: Connection, block: int) -> list[Row]:
    """Each brand's collateral, and whether it was in default."""
    return as_of(connection, "collateral", block)


def rules(connection: Connection, block: int) -> list[Row]:
    """Every version of every rule that had been published by then, in force or not."""
    return as_of(connection, "rule", block)


def rules_in_force(connection: Connection, block: int, brand_id: str | None = None) -> list[Row]:
    """The version of each rule by which awards were paid in the block."""
    at = moment(connection, block).time
    newest: dict[tuple[str, str], Row] = {}
    for row in as_of(connection, "rule", block, brand_id=brand_id):
        if row["in_force_at"] <= at and not row["withdrawn"]:
            newest[row["brand_id"], row["rule_id"]] = row
    return list(newest.values())


def agreements(connection: Connection, block: int) -> list[Row]:
    """Agreements with every version that had been proposed by then."""
    return as_of(connection, "agreement", block)


def standings(connection: Connection, block: int) -> list[Row]:
    """Whether each brand might issue; the row of brand 0 holds the switch for all."""
    return as_of(connection, "brand_standing", block)


def tokens(connection: Connection, block: int) -> list[Row]:
    """Tokens of the brands that had been invited by then."""
    return as_of(connection, "brand_token", block)


def last_entry(connection: Connection, block: int) -> int:
    """The number of the last entry at or below the block, 0 when there is none: entries up to it were known then."""
    moment(connection, block)
    found = connection.execute(
        select(entries.c.seq)
        .where(entries.c.block_number <= block)
        .order_by(entries.c.block_number.desc(), entries.c.log_index.desc(), entries.c.seq.desc())
        .limit(1)
    ).scalar_one_or_none()
    return int(found or 0)


def _key(relation: str) -> ColumnElement[str]:
    """The text of a row's key, made by the database as chain.mirror.rows.row_versions makes it."""
    table, names = RELATIONS[relation], KEYS[relation]
    parts: list[ColumnElement[str]] = [cast(table.c[name], String) for name in names]
    key = parts[0]
    for part in parts[1:]:
        key = key + literal(KEY_PARTS_JOIN) + part
    return key
