"""All cross checks over one snapshot; a database that has no table of the gateway has nothing to check."""

from __future__ import annotations

from sqlalchemy import Connection, inspect

from api.cross_checks import acts, facts, journeys, operations
from api.cross_checks.findings import Found, differs
from api.cross_checks.ways_in import WaysIn

TABLES = (
    "act_pending", "api_key", "award", "brand", "event", "exchange_request", "goods_return", "hold_request",
    "log_checkpoint", "log_entry", "log_state", "log_tile", "member", "member_session", "memo", "staff_role",
)  # fmt: skip


def check(connection: Connection, found: Found, *, block: int) -> int:
    """Compares the gateway's tables with the mirror up to a block, and with the log; how many rows were looked at."""
    there = set(inspect(connection).get_table_names())
    missing = [name for name in TABLES if name not in there]
    if len(missing) == len(TABLES):
        return 0
    for name in missing:
        differs(found, name, "", "table removed", None, name, "25.1")
    if missing:
        return 0
    ways = WaysIn(connection)
    rows = acts.check(connection, found, ways.hear)
    rows += ways.check(connection, found)
    rows += operations.check(connection, found, block=block)
    rows += facts.check(connection, found)
    rows += journeys.check_brands(connection, found)
    rows += journeys.check_holds(connection, found)
    rows += journeys.check_exchanges(connection, found)
    return rows
