"""What a row was at each block: written with the change itself, read for history, and the way back after a reorg.

A version is the row as it stood at the end of the block that changed it. A rollback deletes the versions above a block
and puts each touched row back to its newest version that is left.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, Table, bindparam, delete, select

from chain.contracts import lots
from chain.contracts.named_lots import LOTS_CHANGED, TRANSFER, account_of
from chain.mirror.models import BalanceVersion, LedgerEvent, LedgerVersion
from chain.storage import bulk
from chain.storage.columns import table_of

Row = dict[str, Any]
Key = tuple[Any, ...]

BALANCE: Final = "balance"
KEY_PARTS_JOIN: Final = "/"
EVENTS_PAGE: Final = 10_000

balances: Final = table_of(BalanceVersion)
versions: Final = table_of(LedgerVersion)
events: Final = table_of(LedgerEvent)

_DROP_BALANCE: Final = delete(balances).where(
    balances.c.token == bindparam("b_token"),
    balances.c.account == bindparam("b_account"),
    balances.c.block_number > bindparam("b_above"),
)
_NEWEST_BALANCE: Final = (
    select(balances.c.block_number, balances.c.log_index, balances.c.lots)
    .where(balances.c.token == bindparam("b_token"), balances.c.account == bindparam("b_account"))
    .order_by(balances.c.block_number.desc())
    .limit(1)
)
_NEWEST: Final = (
    select(versions.c.row)
    .where(versions.c.relation == bindparam("b_relation"), versions.c.key == bindparam("b_key"))
    .order_by(versions.c.block_number.desc())
    .limit(1)
)


def text_of(key: Key) -> str:
    """A primary key as one text."""
    return KEY_PARTS_JOIN.join(map(str, key))


def keep(connection: Connection, changed: Iterable[tuple[str, Key, int, Row]]) -> None:
    """Writes versions: (relation, key, block number, the row at the end of that block), each once."""
    of_balances: list[Row] = []
    of_others: list[Row] = []
    for relation, key, block_number, row in changed:
        if relation == BALANCE:
            of_balances.append(
                {
                    "token": row["token"],
                    "account": row["account"],
                    "block_number": block_number,
                    "log_index": row["log_index"],
                    "lots": lots.shorten(row["lots"]),
                }
            )
        else:
            of_others.append({"relation": relation, "key": text_of(key), "block_number": block_number, "row": row})
    bulk.insert(connection, balances, of_balances)
    bulk.insert(connection, versions, of_others)


def roll_back(connection: Connection, above_block: int, relations: Mapping[str, Table]) -> None:
    """Every changed row as it was at the end of the block. The events above it must still be there."""
    _roll_back_balances(connection, above_block, relations[BALANCE])
    _roll_back_others(connection, above_block, relations)


def _roll_back_balances(connection: Connection, above_block: int, table: Table) -> None:
    touched = _touched_balances(connection, above_block)
    if not touched:
        return
    places = [{"b_token": token, "b_account": account, "b_above": above_block} for token, account in touched]
    connection.execute(_DROP_BALANCE, places)
    back: list[Row] = []
    gone: list[Row] = []
    for token, account in touched:
        place = {"b_token": token, "b_account": account}
        left = connection.execute(_NEWEST_BALANCE, place).one_or_none()
        if left is None:
            gone.append(place)
        else:
            back.append(balance_row(token, account, *left))
    bulk.replace(connection, table, back)
    if gone:
        same = (table.c.token == bindparam("b_token"), table.c.account == bindparam("b_account"))
        connection.execute(delete(table).where(*same), gone)


def balance_row(token: str, account: str, block_number: int, log_index: int, short: str) -> Row:
    """The row of `balance` that a version stands for."""
    text = lots.lengthen(short)
    return {
        "token": token,
        "account": account,
        "lots": text,
        "points": str(lots.stored(text)),
        "block_number": block_number,
        "log_index": log_index,
    }


def _touched_balances(connection: Connection, above_block: int) -> list[tuple[str, str]]:
    """Accounts whose lots changed above the block, from the events: versions need no index for it."""
    found: set[tuple[str, str]] = set()
    rows = connection.execute(
        select(events.c.address, events.c.name, events.c.args)
        .where(events.c.block_number > above_block, events.c.name.in_((LOTS_CHANGED, TRANSFER)))
        .execution_options(yield_per=EVENTS_PAGE)
    )
    for address, name, args in rows:
        account = account_of(name, args)
        if account is not None:
            found.add((address, account))
    return sorted(found)


def _roll_back_others(connection: Connection, above_block: int, relations: Mapping[str, Table]) -> None:
    above = versions.c.block_number > above_block
    # DISTINCT would have SQLite walk all of the primary key, which is in order, rather than find what is above.
    touched = {tuple(row) for row in connection.execute(select(versions.c.relation, versions.c.key).where(above))}
    # The row itself tells its key, with the types of its columns; any version of it does.
    keys: dict[tuple[str, str], Row] = {
        (relation, key): connection.execute(_NEWEST, {"b_relation": relation, "b_key": key}).scalar_one()
        for relation, key in sorted(touched)
    }
    connection.execute(delete(versions).where(above))
    for (relation, key), row in keys.items():
        table = relations[relation]
        left = connection.execute(_NEWEST, {"b_relation": relation, "b_key": key}).scalar_one_or_none()
        if left is None:
            same = [column == row[column.name] for column in table.primary_key.columns]
            connection.execute(delete(table).where(*same))
        else:
            bulk.replace(connection, table, [left])
