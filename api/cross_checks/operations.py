"""Operations beside the events that decided them: what they say became of them, and what was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, select, tuple_

from api.cross_checks.findings import PAGE_ROWS, Found, compare, differs, pages
from chain.mirror.queries import events
from chain.mirror.queries.events import Timed
from chain.outbox.models import Operation, OperationCounter
from chain.outbox.operations import AWARD, CONFIRMED, CORRECT, MINED, RETURN
from chain.storage.columns import table_of

RULE: Final = "25.4"
COUNTED: Final = (MINED, CONFIRMED)
# Event -> where its brand and its operation's id are.
NUMBERED: Final = {"Awarded": ("operationId", AWARD), "Returned": ("returnId", RETURN)}

operation = table_of(Operation)
_counter = table_of(OperationCounter)
_SAID: Final = ("ruleId", "version", "baseAmount", "points")


def check(connection: Connection, found: Found, *, block: int) -> int:
    """Each operation that says it counted has its event, and each award or return of an id of ours its operation."""
    rows = 0
    asked = select(operation).where(operation.c.state.in_(COUNTED)).order_by(operation.c.id)
    for page in pages(connection, asked):
        rows += len(page)
        _compare_page(connection, found, page, block)
    _compare_counted(connection, found, block)
    return rows


def _compare_page(connection: Connection, found: Found, page: Sequence[Any], block: int) -> None:
    # What the relayer saw before the mirror did is left to the mirror.
    judged = [row for row in page if row.block_number is None or row.block_number <= block]
    places = [(row.block_number, row.log_index) for row in judged if row.log_index is not None]
    told = events.at_places(connection, places)
    for row in judged:
        event = told.get((row.block_number, row.log_index))
        if event is None:
            if row.log_index is not None or row.kind in (AWARD, CORRECT, RETURN):
                differs(found, "operation", row.id, "state of an operation", row.state, None, RULE)
            continue
        _compare_one(found, row, event)


def _compare_one(found: Found, row: Any, event: Timed) -> None:
    args = event.args
    right: Mapping[str, Any] = {"event": event.name, **args}
    pairs: list[tuple[str, Any, Any]] = [
        ("transaction of an operation", row.tx_hash, event.tx_hash),
        ("block of an operation", row.block_hash, event.block_hash),
    ]
    if row.kind in (AWARD, CORRECT):
        right = {name: args.get(name) for name in _SAID}
        pairs += [
            ("brand of an operation", str(row.brand), args.get("brandId")),
            ("id of an operation", row.operation_id, args.get("operationId")),
            ("member of an operation", row.payload.get("member"), args.get("member")),
            ("rule of an operation", str(row.payload.get("rule")), args.get("ruleId")),
            ("base amount of an operation", row.payload.get("base_amount"), args.get("baseAmount")),
        ]
    elif row.kind == RETURN:
        pairs += [
            ("brand of an operation", str(row.brand), args.get("brandId")),
            ("id of an operation", row.operation_id, args.get("returnId")),
        ]
    pairs.append(("result of an operation", row.result, right))
    compare(found, "operation", row.id, pairs, RULE)


def _compare_counted(connection: Connection, found: Found, block: int) -> None:
    """The other way: what counted on the chain under an id that was given out here."""
    next_ids: dict[int, int] = {
        row.brand: row.next_id for row in connection.execute(select(_counter.c.brand, _counter.c.next_id))
    }
    waiting: list[tuple[int, str, Timed]] = []
    for event in events.streamed(connection, block=block):
        if event.name not in NUMBERED:
            continue
        name, _ = NUMBERED[event.name]
        brand, id = int(event.args["brandId"]), event.args[name]
        if int(id) < next_ids.get(brand, 0):
            waiting.append((brand, id, event))
        if len(waiting) == PAGE_ROWS:
            _look_up(connection, found, waiting)
            waiting = []
    if waiting:
        _look_up(connection, found, waiting)


def _look_up(connection: Connection, found: Found, counted: Sequence[tuple[int, str, Timed]]) -> None:
    ids = [(brand, id) for brand, id, _ in counted]
    asked = select(operation.c.id, operation.c.brand, operation.c.operation_id, operation.c.state).where(
        tuple_(operation.c.brand, operation.c.operation_id).in_(ids)
    )
    rows = {(row.brand, row.operation_id): row for row in connection.execute(asked)}
    for brand, id, event in counted:
        row = rows.get((brand, id))
        if row is None:
            differs(found, "operation", f"{brand}, {id}", "row removed", None, event.name, RULE)
        elif row.state not in COUNTED:
            differs(found, "operation", row.id, "state of an operation", row.state, event.name, RULE)
