"""The queue between the gateway and the chain: a transactional outbox.

An operation is written in the caller's own SQL transaction, so it exists exactly when its cause does.

    locked ──> queued ──> assigned ──> sent ──> mined ──> confirmed ──> (a reorg: sent)
      │          └────────────┴──────────┴──> failed, or waiting ──> (sent again: queued)
      └──> cancelled

Every step that may happen is in chain.outbox.transitions.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import orjson
from sqlalchemy import Connection, bindparam, func, insert, literal, null, select, text, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from chain.base.clock import now_ms
from chain.base.errors import OperationKeyReused
from chain.base.scalars import BlockHash, RegistryId, TxHash
from chain.outbox.models import REFUSED_OPERATION, ChainTransactionHash, Operation, OperationCounter, OperationRefusal
from chain.outbox.retries import PAUSES_MAX, next_try
from chain.outbox.transitions import ASSIGNED as ASSIGNED
from chain.outbox.transitions import CANCELLED as CANCELLED
from chain.outbox.transitions import CONFIRMED as CONFIRMED
from chain.outbox.transitions import FAILED as FAILED
from chain.outbox.transitions import LOCKED as LOCKED
from chain.outbox.transitions import MINED as MINED
from chain.outbox.transitions import OPERATION
from chain.outbox.transitions import QUEUED as QUEUED
from chain.outbox.transitions import SENT as SENT
from chain.outbox.transitions import WAITING as WAITING
from chain.storage import doorbell
from chain.storage.bulk import PLACE, indexed_by
from chain.storage.columns import table_of

TRANSITIONS: Final = OPERATION.steps
OPEN: Final = (QUEUED, ASSIGNED, SENT)
AWARD: Final = "award"
RETURN: Final = "return"
# An award with the second signature that its rule asks for.
CORRECT: Final = "correct"
# Many of one brand and proposal leave as one call.
VOTE: Final = "vote"
# What the contract counts once for a brand, by one row of ids (SPEC 2.15, 2.23).
COUNTED: Final = frozenset({AWARD, RETURN, CORRECT})
KEYS_PER_QUERY_MAX: Final = 500
FIRST_OPERATION_ID: Final = 1
BY_KEY: Final = "by key"

table: Final = table_of(Operation)
counter: Final = table_of(OperationCounter)
hashes: Final = table_of(ChainTransactionHash)
refusals: Final = table_of(OperationRefusal)


@dataclass(frozen=True, slots=True)
class NewOperation:
    """What is asked for. `brand`: the registry's id. `ordering_key`: operations of one key keep their order (the
    member's address)."""

    key: str
    kind: str
    brand: RegistryId
    ordering_key: str
    payload: dict[str, Any]
    # One of many that were sent as a file of lines: what a person waits for goes before it.
    bulk: bool = False
    # Until when it is asked again by itself, if it is refused for what passes (chain.outbox.retries).
    retry_until_ms: int | None = None
    # Not sent before this second (chain.outbox.locked); None, or one that is over: at once.
    due_at_ms: int | None = None
    # The id that the contract counts, where it was taken before (take_id): it was signed for.
    operation_id: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What an operation that is sent again shall ask for instead; None: as before. fact: what is kept of the old."""

    payload: dict[str, Any] | None = None
    ordering_key: str | None = None
    fact: dict[str, Any] | None = None
    retry_until_ms: int | None = None
    due_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class OperationView:
    """An operation as it stands."""

    id: int
    key: str
    kind: str
    brand: RegistryId
    ordering_key: str
    operation_id: str | None
    payload: dict[str, Any]
    state: str
    error: str | None
    error_args: dict[str, Any] | None
    transaction_id: int | None
    tx_hash: TxHash | None
    block_number: int | None
    block_hash: BlockHash | None
    log_index: int | None
    result: dict[str, Any] | None
    refusals: int
    retry_at_ms: int | None
    retry_until_ms: int | None
    due_at_ms: int | None
    created_at_ms: int
    updated_at_ms: int

    @property
    def finished(self) -> bool:
        """Whether nothing more is expected of it by itself."""
        return self.state in (CONFIRMED, FAILED, CANCELLED)


_KEPT: Final = ("payload", "operation_id", "error", "error_args", "transaction_id", "tx_hash",
                "block_number", "block_hash", "log_index")  # fmt: skip
VIEW: Final = [table.c[name] for name in OperationView.__dataclass_fields__]

# Built once: on the gateway's path the building of a statement costs as much as running it.
_BY_KEYS: Final = select(
    table.c.id, table.c.key, table.c.kind, table.c.brand, table.c.ordering_key, table.c.payload
).where(table.c.key.in_(bindparam("keys", expanding=True)))
_TAKE_IDS: Final = text(
    "INSERT INTO operation_counter (brand, next_id) VALUES (:brand, :following) "
    "ON CONFLICT (brand) DO UPDATE SET next_id = operation_counter.next_id + :count RETURNING next_id"
)
_NOTIFY: Final = text("SELECT pg_notify('moa_operation', '')")
_TAKE_NUMBER: Final = text("SELECT pg_current_xact_id()")
_INSERT: Final = {
    "sqlite": sqlite_insert(table)
    .on_conflict_do_nothing(index_elements=[table.c.key])
    .returning(table.c.id, table.c.key),
    "postgresql": postgresql_insert(table)
    .on_conflict_do_nothing(index_elements=[table.c.key])
    .returning(table.c.id, table.c.key),
}


def enqueue(connection: Connection | Session, operation: NewOperation) -> int:
    """The operation's id; see enqueue_many."""
    return enqueue_many(connection, [operation])[0]


def enqueue_many(connection: Connection | Session, operations: Sequence[NewOperation]) -> list[int]:
    """Writes operations in the caller's transaction and gives their ids, in the same order.

    On PostgreSQL the transaction has its own number before any id is given to it: whoever follows the table by id
    (api.kit.following) tells by that when all lower ids are decided.

    A key that is known with the same content gives the known id; with another content: OperationKeyReused. Awards
    and returns receive the next dense operation ids of their brand in the same transaction. Never commits.
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
        _notify(connection)
        if _dialect(connection) == "postgresql":
            connection.execute(_TAKE_NUMBER)
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


def take_id(connection: Connection | Session, brand: RegistryId) -> str:
    """The brand's next operation id, for what is signed before it is asked for. One that is never used is nobody's."""
    return str(_take_ids(connection, brand, 1))


def get(connection: Connection | Session, id: int) -> OperationView | None:
    """One operation, or None."""
    return get_many(connection, [id]).get(id)


def get_by_key(connection: Connection | Session, key: str) -> OperationView | None:
    """The operation with this key, or None."""
    row = connection.execute(select(*VIEW).where(table.c.key == key)).one_or_none()
    return OperationView(*row) if row is not None else None


def get_counted(connection: Connection | Session, brand: RegistryId, operation_id: str) -> OperationView | None:
    """The award or return that the contract counts under an id of the brand, or None."""
    asked = select(*VIEW).where(table.c.brand == brand, table.c.operation_id == operation_id)
    row = connection.execute(asked).one_or_none()
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
    """What the chain says of one operation. Found by (brand, operation_id) for awards, by its key where it has one (in
    a transaction of ours), else by transaction.

    ordering key: the member an award went to.
    """

    tx_hash: str
    block_number: int
    block_hash: str
    log_index: int | None
    brand: int | None = None
    operation_id: str | None = None
    ordering_key: str | None = None
    result: dict[str, Any] | None = None
    error: str | None = None
    error_args: dict[str, Any] = field(default_factory=dict)
    key: str | None = None


def record_outcomes(connection: Connection, outcomes: Sequence[Outcome], state: str) -> None:
    """Writes what happened: `state` (mined or confirmed) for what counted, failed for what was refused.

    Repeating it changes nothing. An operation that is confirmed stays so when a second submission is refused. An award
    that a stranger submitted counts when it went to the same member; if it went to another, the id is spent and the
    operation fails as OperationUsed. What was refused to a stranger says nothing of ours. What was refused for what
    passes waits instead, if it may still be asked again in its time.
    """
    if not outcomes:
        return
    known = ours(connection, (outcome.tx_hash for outcome in outcomes))
    at_ms, place = now_ms(), PLACE[connection.dialect.name]
    groups: dict[str, list[tuple[Any, ...]]] = {}
    for outcome in outcomes:
        mine = known.get(outcome.tx_hash)
        head = (outcome.tx_hash, outcome.block_number, outcome.block_hash, outcome.log_index)
        base, step = next_try(outcome.error, at_ms) if outcome.error is not None else (None, 0)
        failed = (*(base, step) * 2, outcome.error, _dumps(outcome.error_args))
        counted = (_dumps(outcome.result),)
        by_id = (outcome.brand, outcome.operation_id)
        if outcome.key is not None:
            if mine is not None:
                groups.setdefault(BY_KEY, []).append((*head, *counted, at_ms, outcome.key))
        elif outcome.operation_id is None:
            if mine is not None and outcome.error is None:
                groups.setdefault("single", []).append((*head, *counted, at_ms, mine))
            elif mine is not None:
                groups.setdefault("single failed", []).append((*head, *failed, at_ms, mine))
        elif outcome.error is None and (mine is not None or outcome.ordering_key is None):
            groups.setdefault("award", []).append((*head, *counted, at_ms, *by_id))
        elif outcome.error is None:
            spent = (
                *(None, 0) * 2,
                "OperationUsed",
                _dumps({"brandId": str(outcome.brand), "operationId": outcome.operation_id}),
            )
            groups.setdefault("award of a stranger", []).append((*head, *counted, at_ms, *by_id, outcome.ordering_key))
            groups.setdefault("award to another", []).append((*head, *spent, at_ms, *by_id, outcome.ordering_key))
        elif mine is not None:
            # Of an earlier transaction of the same award it says nothing: the award was sent again since.
            groups.setdefault("award failed", []).append((*head, *failed, at_ms, *by_id, mine))
    # What says more of one operation goes before what says the same of all of a transaction.
    for kind, rows in sorted(groups.items(), key=lambda group: group[0] != BY_KEY):
        connection.exec_driver_sql(_settling(kind, state, place), rows)


def settle_keys(connection: Connection, ended: Mapping[str, Outcome], state: str) -> None:
    """Operations that ask for what somebody else did, by their keys: they count as done by it.

    What is decided stays; what failed because it was done already, or is still on its way, counts all the same. A reorg
    opens it again like any other (take_back).
    """
    if not ended:
        return
    at_ms = now_ms()
    rows = [
        (one.tx_hash, one.block_number, one.block_hash, one.log_index, _dumps(one.result), at_ms, key)
        for key, one in ended.items()
    ]
    connection.exec_driver_sql(_settling(BY_KEY, state, PLACE[connection.dialect.name]), rows)


def ours(connection: Connection, tx_hashes: Iterable[str]) -> dict[str, int]:
    """The transaction of each hash that was signed by us."""
    found: dict[str, int] = {}
    wanted = sorted(set(tx_hashes))
    for start in range(0, len(wanted), KEYS_PER_QUERY_MAX):
        chosen = wanted[start : start + KEYS_PER_QUERY_MAX]
        rows = connection.execute(select(hashes.c.tx_hash, hashes.c.transaction_id).where(hashes.c.tx_hash.in_(chosen)))
        found |= {row.tx_hash: row.transaction_id for row in rows}
    return found


def take_back(connection: Connection, above_block: int) -> int:
    """After a rollback: what was decided above the block is open again. Gives the number of operations.

    What we sent is sent again; what a stranger had submitted, before it had a transaction of ours, is queued, or locked
    where its second has not come.
    """
    return _reopen(connection, table.c.block_number > above_block)


def take_back_transaction(connection: Connection, id: int) -> int:
    """As take_back, for what a receipt said of one transaction whose block is gone."""
    return _reopen(connection, table.c.transaction_id == id, decided=(MINED, FAILED, WAITING))


def _reopen(connection: Connection, which: Any, decided: Sequence[str] = (MINED, CONFIRMED, FAILED, WAITING)) -> int:
    _notify(connection)
    changed, at_ms = 0, now_ms()
    strange, due = table.c.transaction_id.is_(None), func.coalesce(table.c.due_at_ms, 0)
    for state, mine in (
        (SENT, table.c.transaction_id.is_not(None)),
        (LOCKED, strange & (due > at_ms)),
        (QUEUED, strange & (due <= at_ms)),
    ):
        before = [one for one in decided if one in OPERATION.before(state)]
        changed += connection.execute(
            update(table)
            .where(which, mine, table.c.state.in_(before), table.c.block_number.is_not(None))
            .values(
                state=state,
                tx_hash=None,
                block_number=None,
                block_hash=None,
                log_index=None,
                result=None,
                error=None,
                error_args=None,
                retry_at_ms=None,
                updated_at_ms=at_ms,
            )
        ).rowcount
    return changed


def of_transaction(connection: Connection, transaction_id: int) -> list[int]:
    """The operations that a transaction carries and that are not decided."""
    rows = connection.execute(
        select(table.c.id)
        .where(table.c.transaction_id == transaction_id, table.c.state.in_((ASSIGNED, SENT)))
        .order_by(table.c.id)
    )
    return list(rows.scalars())


def fail(connection: Connection, id: int, error: str, error_args: Mapping[str, Any]) -> bool:
    """A queued operation that cannot succeed fails without a transaction, or waits. False when it is no longer
    queued."""
    return fail_many(connection, [id], error, error_args) == 1


def fail_many(connection: Connection, ids: Sequence[int], error: str, error_args: Mapping[str, Any]) -> int:
    """The same for several that cannot succeed for one reason; how many were still queued."""
    place, at_ms = PLACE[connection.dialect.name], now_ms()
    values = (*next_try(error, at_ms) * 2, error, _dumps(dict(error_args)), at_ms)
    failed = 0
    for start in range(0, len(ids), KEYS_PER_QUERY_MAX):
        chosen = ids[start : start + KEYS_PER_QUERY_MAX]
        statement = (
            f"UPDATE operation SET state = {_refused(place)}, retry_at_ms = {_in_time(place)}, error = {place}, "  # noqa: S608
            f"error_args = {place}, updated_at_ms = {place} "
            f"WHERE state = 'queued' AND id IN ({', '.join([place] * len(chosen))})"
        )
        failed += connection.exec_driver_sql(statement, (*values, *chosen)).rowcount
    return failed


def again(connection: Connection | Session, id: int, change: Change | None = None) -> bool:
    """Queues an operation that was refused, or waits, once more: the same award under the same id of the contract, so
    that it counts once whatever becomes of what was sent before. The refusal stays known (refusals_of).

    change: what it shall ask for instead; it is locked where that is not due yet. False when it is neither refused nor
    waiting.
    """
    _notify(connection)
    changed = _again(connection, [id], keep_all=True, change=change or Change())
    return changed == 1


def any_due(connection: Connection, at_ms: int) -> bool:
    """Whether the time of anything that waits has come."""
    return bool(_due(connection, at_ms, 1))


def next_due_ms(connection: Connection) -> int | None:
    """When the time of the next that waits comes, in unix milliseconds; None when nothing waits."""
    chosen = indexed_by(connection, "operation_waiting")
    statement = f"SELECT MIN(retry_at_ms) FROM operation {chosen} WHERE state = 'waiting'"  # noqa: S608
    found: int | None = connection.exec_driver_sql(statement).scalar_one()
    return found


def _due(connection: Connection, at_ms: int, count_max: int) -> list[Any]:
    """(id, retry_until_ms) of what waits and whose time has come, oldest time first."""
    place = PLACE[connection.dialect.name]
    # SQLite would rather walk through all that wait, by their state alone.
    chosen = indexed_by(connection, "operation_waiting")
    statement = (
        f"SELECT id, retry_until_ms FROM operation {chosen} WHERE state = 'waiting' AND retry_at_ms <= {place} "  # noqa: S608
        f"ORDER BY retry_at_ms, id LIMIT {place}"
    )
    return list(connection.exec_driver_sql(statement, (at_ms, count_max)))


def again_in_time(connection: Connection, at_ms: int, count_max: int) -> int:
    """Queues what waits and whose time has come; what has no time left fails. How many were looked at."""
    due = _due(connection, at_ms, count_max)
    late = [id for id, until_ms in due if until_ms is None or until_ms < at_ms]
    if late:
        connection.execute(update(table).where(table.c.id.in_(late), table.c.state == WAITING).values(state=FAILED))
    _again(connection, sorted({id for id, _ in due} - set(late)), keep_all=False, change=Change())
    return len(due)


def refused_ids(
    connection: Connection, brand: Any, states: Sequence[str], below: int | None, count_max: int
) -> list[int]:
    """Ids of a brand's operations that are refused or wait, newest first, below an id."""
    place = PLACE[connection.dialect.name]
    chosen = ", ".join(f"'{state}'" for state in states if state in (FAILED, WAITING))
    bound = f"AND id < {place}" if below is not None else ""
    statement = (
        f"SELECT id FROM operation {indexed_by(connection, 'operation_refused')} "  # noqa: S608
        f"WHERE brand >= {place} AND brand <= {place} AND {REFUSED_OPERATION} AND state IN ({chosen}) {bound} "
        f"ORDER BY brand DESC, id DESC LIMIT {place}"
    )
    values = (brand, brand, *((below,) if below is not None else ()), count_max)
    return list(connection.exec_driver_sql(statement, values).scalars())


def refusals_of(connection: Connection | Session, id: int) -> list[Any]:
    """The refusals after which an operation was sent again, oldest first."""
    return list(connection.execute(select(refusals).where(refusals.c.operation == id).order_by(refusals.c.number)))


def payloads_of(connection: Connection | Session, transaction_id: int) -> dict[str, dict[str, Any]]:
    """Operation id → payload of each award as the transaction carried it, whatever it was corrected to since."""
    found: dict[str, dict[str, Any]] = {}
    for relation in (table, refusals):
        rows = connection.execute(
            select(relation.c.operation_id, relation.c.payload).where(
                relation.c.transaction_id == transaction_id, relation.c.operation_id.is_not(None)
            )
        )
        found |= {row.operation_id: row.payload for row in rows}
    return found


def carried_payloads(
    connection: Connection | Session, *, transaction_id: int, brand: Any, ids: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Operation id → payload of each award of a call, as that transaction carried it.

    What was corrected since, or is on its way in another transaction, is told as it was.
    """
    found: dict[str, dict[str, Any]] = {}
    for start in range(0, len(ids), KEYS_PER_QUERY_MAX):
        chosen = ids[start : start + KEYS_PER_QUERY_MAX]
        rows = connection.execute(
            select(table.c.operation_id, table.c.payload).where(
                table.c.brand == brand, table.c.operation_id.in_(chosen)
            )
        )
        found |= {row.operation_id: row.payload for row in rows}
    return found | payloads_of(connection, transaction_id)


def refused_in(connection: Connection | Session, ids: Sequence[int]) -> dict[int, int]:
    """The highest block in which each of these was ever refused; those that never were in a block are not in it."""
    found: dict[int, int] = {}
    for relation, key in ((table, table.c.id), (refusals, refusals.c.operation)):
        rows = connection.execute(
            select(key, func.max(relation.c.block_number))
            .where(key.in_(list(ids)), relation.c.block_number.is_not(None), relation.c.error.is_not(None))
            .group_by(key)
        )
        for id, block in rows:
            found[id] = max(block, found.get(id, 0))
    return found


def _again(connection: Connection | Session, ids: Sequence[int], *, keep_all: bool, change: Change) -> int:
    """keep_all: what was refused without a transaction is kept too; it costs a row each time."""
    if not ids:
        return 0
    which = (table.c.id.in_(ids), table.c.state.in_((FAILED, WAITING)))
    at_ms = now_ms()
    kept = {
        "operation": table.c.id,
        "number": table.c.refusals + 1,
        **{name: table.c[name] for name in _KEPT},
        "refused_at_ms": table.c.updated_at_ms,
        "fact": literal(change.fact, refusals.c.fact.type),
        "again_at_ms": literal(at_ms),
    }
    asked = select(*kept.values()).where(*which, table.c.error.is_not(None))
    if not keep_all:
        asked = asked.where(table.c.transaction_id.is_not(None))
    connection.execute(insert(refusals).from_select(list(kept), asked))
    values: dict[str, Any] = {
        name: value
        for name, value in (("payload", change.payload), ("ordering_key", change.ordering_key))
        if value is not None
    }
    if change.retry_until_ms is not None:
        values["retry_until_ms"] = change.retry_until_ms
    if change.due_at_ms is not None:
        values["due_at_ms"] = change.due_at_ms
    gone = dict.fromkeys(
        ("transaction_id", "tx_hash", "block_number", "block_hash", "log_index", "error", "retry_at_ms")
    )
    values |= {"result": null(), "error_args": null()}
    values |= {"state": _first_state(change.due_at_ms, at_ms), "refusals": table.c.refusals + 1}
    asked_again = update(table).where(*which).values(updated_at_ms=at_ms, **gone, **values)
    return _changed(connection.execute(asked_again))


def _first_state(due_at_ms: int | None, at_ms: int) -> str:
    return LOCKED if due_at_ms is not None and due_at_ms > at_ms else QUEUED


def _changed(result: Any) -> int:
    """How many rows a statement changed; the result's common type does not know of it."""
    return int(result.rowcount)


def _in_time(place: str) -> str:
    """When it would be asked again, by base and step of next_try."""
    return (
        f"CAST({place} AS BIGINT) + CAST({place} AS BIGINT) "
        f"* CASE WHEN refusals < {PAUSES_MAX} THEN refusals + 1 ELSE {PAUSES_MAX} END"
    )


def _refused(place: str) -> str:
    """The state after a refusal."""
    return f"CASE WHEN retry_until_ms >= {_in_time(place)} THEN '{WAITING}' ELSE '{FAILED}' END"


@lru_cache(64)
def _settling(kind: str, state: str, place: str) -> str:
    """One UPDATE by place: the values in the order in which settle gives them."""
    counted = kind in ("award", "award of a stranger", "single", BY_KEY)
    found = f"brand = {place} AND operation_id = {place}"
    if kind == BY_KEY:
        found = f"key = {place}"
    elif kind.startswith("single"):
        found = f"kind <> 'award' AND transaction_id = {place}"
    elif kind == "award of a stranger":
        found += f" AND ordering_key = {place}"
    elif kind == "award to another":
        found += f" AND ordering_key <> {place}"
    elif kind == "award failed":
        found += f" AND transaction_id = {place}"
    after = f"'{state}'" if counted else _refused(place)
    before = OPERATION.before(state) if counted else OPEN
    allowed = ", ".join(f"'{one}'" for one in before)
    values = f"retry_at_ms = {_in_time(place)}, error = {place}, error_args = {place}, result = NULL"
    if counted:
        values = f"retry_at_ms = NULL, result = {place}, error = NULL, error_args = NULL"
    # Every name here is our own; values only ever go by place.
    return (
        f"UPDATE operation SET tx_hash = {place}, block_number = {place}, "  # noqa: S608
        f"block_hash = {place}, log_index = {place}, state = {after}, {values}, updated_at_ms = {place} "
        f"WHERE {found} AND state IN ({allowed})"
    )


def _dumps(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _known(connection: Connection | Session, keys: Sequence[str]) -> dict[str, Any]:
    found = {}
    for start in range(0, len(keys), KEYS_PER_QUERY_MAX):
        for row in connection.execute(_BY_KEYS, {"keys": list(keys[start : start + KEYS_PER_QUERY_MAX])}):
            found[row.key] = row
    return found


def _same_or_refuse(asked: NewOperation, row: Any) -> None:
    if (asked.kind, asked.brand, asked.ordering_key, asked.payload) != (
        row.kind,
        row.brand,
        row.ordering_key,
        row.payload,
    ):
        raise OperationKeyReused(asked.key, row.id)


def _rows(connection: Connection | Session, operations: Sequence[NewOperation]) -> list[dict[str, Any]]:
    wanted: dict[int, int] = {}
    for operation in operations:
        if operation.kind in COUNTED and operation.operation_id is None:
            wanted[operation.brand] = wanted.get(operation.brand, 0) + 1
    following = {brand: _take_ids(connection, brand, count) for brand, count in wanted.items()}
    at_ms = now_ms()
    rows = []
    for operation in operations:
        operation_id = operation.operation_id
        if operation.kind in COUNTED and operation_id is None:
            operation_id = str(following[operation.brand])
            following[operation.brand] += 1
        rows.append(
            {
                "key": operation.key,
                "kind": operation.kind,
                "brand": operation.brand,
                "ordering_key": operation.ordering_key,
                "operation_id": operation_id,
                "payload": operation.payload,
                "state": _first_state(operation.due_at_ms, at_ms),
                "bulk": int(operation.bulk),
                "retry_until_ms": operation.retry_until_ms,
                "due_at_ms": operation.due_at_ms,
                "created_at_ms": at_ms,
                "updated_at_ms": at_ms,
            }
        )
    return rows


def _take_ids(connection: Connection | Session, brand: int, count: int) -> int:
    """The first of `count` operation ids of the brand, taken for good with the caller's transaction."""
    values = {"brand": brand, "following": FIRST_OPERATION_ID + count, "count": count}
    return int(connection.execute(_TAKE_IDS, values).scalar_one()) - count


def _notify(connection: Connection | Session) -> None:
    """Wakes a relayer that has nothing to do (chain.outbox.wake), when the caller's transaction commits."""
    if _dialect(connection) == "postgresql":
        connection.execute(_NOTIFY)
    else:
        doorbell.ring_after(connection.connection() if isinstance(connection, Session) else connection)


def _dialect(connection: Connection | Session) -> str:
    bind = connection.get_bind() if isinstance(connection, Session) else connection
    return bind.dialect.name


def _insert_missing(connection: Connection | Session) -> Any:
    return _INSERT[_dialect(connection)]
