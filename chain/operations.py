"""The queue between the gateway and the chain: a transactional outbox.

An operation is written in the caller's own SQL transaction, so it exists exactly when its cause does.

    queued ──> assigned ──> sent ──> mined ──> confirmed
      │            │          │        │           │
      └────────────┴──────────┴────────┴──> failed │      a reorg takes mined, confirmed and failed back to sent;
                                            │      │      a nonce lost to a stranger takes assigned and sent back to
                                            └──> confirmed   queued; failed becomes confirmed when the chain shows
                                                             that the operation counted (someone else submitted it)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import time
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select, text, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from chain.errors import OperationKeyReused, TransitionForbidden
from chain.models import Operation, OperationCounter, table_of

QUEUED: Final = "queued"
ASSIGNED: Final = "assigned"
SENT: Final = "sent"
MINED: Final = "mined"
CONFIRMED: Final = "confirmed"
FAILED: Final = "failed"

TRANSITIONS: Final[Mapping[str, frozenset[str]]] = {
    QUEUED: frozenset({ASSIGNED, FAILED, CONFIRMED}),
    ASSIGNED: frozenset({SENT, MINED, CONFIRMED, FAILED, QUEUED}),
    SENT: frozenset({MINED, CONFIRMED, FAILED, QUEUED}),
    MINED: frozenset({CONFIRMED, FAILED, SENT}),
    CONFIRMED: frozenset({SENT}),
    FAILED: frozenset({CONFIRMED, SENT}),
}
OPEN: Final = (QUEUED, ASSIGNED, SENT)
AWARD: Final = "award"
KEYS_PER_QUERY_MAX: Final = 500
FIRST_OPERATION_ID: Final = 1

table: Final = table_of(Operation)
counter: Final = table_of(OperationCounter)


@dataclass(frozen=True, slots=True)
class NewOperation:
    """What is asked for. `lane`: operations of one lane keep their order (the member's address)."""

    key: str
    kind: str
    brand: str
    lane: str
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class OperationView:
    """An operation as it stands."""

    id: int
    key: str
    kind: str
    brand: str
    lane: str
    operation_id: str | None
    payload: dict[str, Any]
    state: str
    error: str | None
    error_args: dict[str, Any] | None
    transaction_id: int | None
    tx_hash: str | None
    block_number: int | None
    block_hash: str | None
    log_index: int | None
    result: dict[str, Any] | None
    created_at_ms: int
    updated_at_ms: int

    @property
    def finished(self) -> bool:
        """Whether nothing more is expected of it."""
        return self.state in (CONFIRMED, FAILED)


VIEW: Final = [table.c[name] for name in OperationView.__dataclass_fields__]

# Built once: on the gateway's path the building of a statement costs as much as running it.
_BY_KEYS: Final = select(table.c.id, table.c.key, table.c.kind, table.c.brand, table.c.lane, table.c.payload).where(
    table.c.key.in_(bindparam("keys", expanding=True))
)
_TAKE_IDS: Final = text(
    "INSERT INTO operation_counter (brand, next_id) VALUES (:brand, :following) "
    "ON CONFLICT (brand) DO UPDATE SET next_id = operation_counter.next_id + :count RETURNING next_id"
)
_INSERT: Final = {
    "sqlite": sqlite_insert(table)
    .on_conflict_do_nothing(index_elements=[table.c.key])
    .returning(table.c.id, table.c.key),
    "postgresql": postgresql_insert(table)
    .on_conflict_do_nothing(index_elements=[table.c.key])
    .returning(table.c.id, table.c.key),
}


def now_ms() -> int:
    """Unix time in milliseconds."""
    return int(time() * 1000)


def sources(after: str) -> list[str]:
    """The states from which `after` may follow."""
    return [before for before, targets in TRANSITIONS.items() if after in targets]


def check_transition(before: str, after: str) -> None:
    """Raises TransitionForbidden when the table does not allow the step."""
    if after not in TRANSITIONS[before]:
        raise TransitionForbidden(before, after)


def enqueue(connection: Connection | Session, operation: NewOperation) -> int:
    """The operation's id; see enqueue_many."""
    return enqueue_many(connection, [operation])[0]


def enqueue_many(connection: Connection | Session, operations: Sequence[NewOperation]) -> list[int]:
    """Writes operations in the caller's transaction and gives their ids, in the same order.

    A key that is known with the same content gives the known id; with another content: OperationKeyReused. Awards
    receive the next dense operation ids of their brand in the same transaction. Never commits.
    """
    known = _known(connection, [operation.key for operation in operations])
    fresh: dict[str, NewOperation] = {}
    for operation in operations:
        earlier = known.get(operation.key)
        if earlier is not None:
            _same_or_refuse(operation, earlier)
        elif operation.key in fresh and fresh[operation.key] != operation:
            raise OperationKeyReused(operation.key, 0)
        else:
            fresh[operation.key] = operation
    ids = {key: row.id for key, row in known.items()}
    if fresh:
        rows = _rows(connection, list(fresh.values()))
        made = connection.execute(_insert_missing(connection), rows).all()
        ids |= {key: id for id, key in made}
        # A key that another transaction wrote between our look and our insert.
        missed = [key for key in fresh if key not in ids]
        if missed:
            for key, row in _known(connection, missed).items():
                _same_or_refuse(fresh[key], row)
                ids[key] = row.id
    return [ids[operation.key] for operation in operations]


def get(connection: Connection | Session, id: int) -> OperationView | None:
    """One operation, or None."""
    return get_many(connection, [id]).get(id)


def get_by_key(connection: Connection | Session, key: str) -> OperationView | None:
    """The operation with this key, or None."""
    row = connection.execute(select(*VIEW).where(table.c.key == key)).one_or_none()
    return OperationView(*row) if row is not None else None


def get_many(connection: Connection | Session, ids: Sequence[int]) -> dict[int, OperationView]:
    """Those that exist, by id."""
    found: dict[int, OperationView] = {}
    for start in range(0, len(ids), KEYS_PER_QUERY_MAX):
        chosen = ids[start : start + KEYS_PER_QUERY_MAX]
        for row in connection.execute(select(*VIEW).where(table.c.id.in_(chosen))):
            found[row[0]] = OperationView(*row)
    return found


@dataclass(slots=True)
class Outcome:
    """What the chain says of one operation. Found by (brand, operation_id) for awards, else by transaction."""

    tx_hash: str
    block_number: int
    block_hash: str
    log_index: int | None
    brand: str | None = None
    operation_id: str | None = None
    result: dict[str, Any] | None = None
    error: str | None = None
    error_args: dict[str, Any] = field(default_factory=dict)


def settle(connection: Connection, outcomes: Sequence[Outcome], state: str) -> None:
    """Writes what happened: `state` (mined or confirmed) for what counted, failed for what was refused.

    Repeating it changes nothing. An operation that is confirmed stays so when a second submission is refused.
    """
    at_ms = now_ms()
    groups: dict[tuple[bool, bool], list[dict[str, Any]]] = {}
    for outcome in outcomes:
        row = {
            "v_tx_hash": outcome.tx_hash,
            "v_block_number": outcome.block_number,
            "v_block_hash": outcome.block_hash,
            "v_log_index": outcome.log_index,
            "v_result": outcome.result,
            "v_error": outcome.error,
            "v_error_args": outcome.error_args if outcome.error else None,
            "k_brand": outcome.brand,
            "k_operation_id": outcome.operation_id,
            "at_ms": at_ms,
        }
        groups.setdefault((outcome.operation_id is not None, outcome.error is None), []).append(row)
    for (by_id, counted), rows in groups.items():
        connection.execute(_SETTLE[by_id, counted, state], rows)


def take_back(connection: Connection, above_block: int) -> int:
    """After a rollback: what was decided above the block is open again. Gives the number of operations."""
    changed = connection.execute(
        update(table)
        .where(table.c.block_number > above_block, table.c.state.in_([MINED, CONFIRMED, FAILED]))
        .values(
            state=SENT,
            tx_hash=None,
            block_number=None,
            block_hash=None,
            log_index=None,
            result=None,
            error=None,
            error_args=None,
            updated_at_ms=now_ms(),
        )
    )
    return changed.rowcount


def _settle_statement(by_id: bool, counted: bool, state: str) -> Any:
    found = (
        "brand = :k_brand AND operation_id = :k_operation_id"
        if by_id
        else "operation_id IS NULL AND transaction_id = "
        "(SELECT transaction_id FROM chain_transaction_hash WHERE tx_hash = :v_tx_hash)"
    )
    after = state if counted else FAILED
    allowed = ", ".join(f"'{before}'" for before in sources(after) if counted or before != CONFIRMED)
    values = "error = :v_error, error_args = :v_error_args"
    if counted:
        values = "result = :v_result, error = NULL, error_args = NULL"
    statement = text(
        f"UPDATE operation SET state = '{after}', tx_hash = :v_tx_hash, block_number = :v_block_number, "  # noqa: S608
        f"block_hash = :v_block_hash, log_index = :v_log_index, {values}, updated_at_ms = :at_ms "
        f"WHERE {found} AND state IN ({allowed})"
    )
    if counted:
        return statement.bindparams(bindparam("v_result", type_=table.c.result.type))
    return statement.bindparams(bindparam("v_error_args", type_=table.c.error_args.type))


_SETTLE: Final = {
    (by_id, counted, state): _settle_statement(by_id, counted, state)
    for by_id in (True, False)
    for counted in (True, False)
    for state in (MINED, CONFIRMED)
}


def _known(connection: Connection | Session, keys: Sequence[str]) -> dict[str, Any]:
    found = {}
    for start in range(0, len(keys), KEYS_PER_QUERY_MAX):
        for row in connection.execute(_BY_KEYS, {"keys": list(keys[start : start + KEYS_PER_QUERY_MAX])}):
            found[row.key] = row
    return found


def _same_or_refuse(asked: NewOperation, row: Any) -> None:
    if (asked.kind, asked.brand, asked.lane, asked.payload) != (row.kind, row.brand, row.lane, row.payload):
        raise OperationKeyReused(asked.key, row.id)


def _rows(connection: Connection | Session, operations: Sequence[NewOperation]) -> list[dict[str, Any]]:
    wanted: dict[str, int] = {}
    for operation in operations:
        if operation.kind == AWARD:
            wanted[operation.brand] = wanted.get(operation.brand, 0) + 1
    following = {brand: _take_ids(connection, brand, count) for brand, count in wanted.items()}
    at_ms = now_ms()
    rows = []
    for operation in operations:
        operation_id = None
        if operation.kind == AWARD:
            operation_id = str(following[operation.brand])
            following[operation.brand] += 1
        rows.append(
            {
                "key": operation.key,
                "kind": operation.kind,
                "brand": operation.brand,
                "lane": operation.lane,
                "operation_id": operation_id,
                "payload": operation.payload,
                "state": QUEUED,
                "created_at_ms": at_ms,
                "updated_at_ms": at_ms,
            }
        )
    return rows


def _take_ids(connection: Connection | Session, brand: str, count: int) -> int:
    """The first of `count` operation ids of the brand, taken for good with the caller's transaction."""
    values = {"brand": brand, "following": FIRST_OPERATION_ID + count, "count": count}
    return int(connection.execute(_TAKE_IDS, values).scalar_one()) - count


def _insert_missing(connection: Connection | Session) -> Any:
    bind = connection.get_bind() if isinstance(connection, Session) else connection
    return _INSERT[bind.dialect.name]
