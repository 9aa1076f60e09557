"""Transactions with a nonce, in SQL: every step of the relayer's order of writing is one function here.

assigned ──> signed ──> sent ──> mined | reverted          a reorg takes these back to sent
    └───────────┴─────────┴──> filling ──> filled          and this back to filling
                └─────────┴──────┴──> lost ──> filling     a stranger used the nonce; the stranger's is gone

Every step that may happen is in chain.outbox.transitions. Functions that change a state say whether they did: of two
relayers that both believe they lead, one does, and only that one carries on.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, bindparam, case, insert, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from chain.base.clock import now_ms
from chain.base.errors import QueueMoved
from chain.outbox import operations
from chain.outbox.models import ChainSigner, ChainTransaction, ChainTransactionHash
from chain.outbox.transitions import (
    ASSIGNED,
    FILLED,
    FILLING,
    LOST,
    MINED,
    OPERATION,
    QUEUED,
    REVERTED,
    SENT,
    SIGNED,
    TRANSACTION,
)
from chain.storage.bulk import PLACE
from chain.storage.columns import table_of

# What a transfer of nothing costs: the price of a nonce.
FILL_GAS: Final = 21_000

OPEN: Final = (ASSIGNED, SIGNED, SENT, FILLING)
PROVISION: Final = "provision"
FILL: Final = "fill"

table: Final = table_of(ChainTransaction)
hashes: Final = table_of(ChainTransactionHash)
signers: Final = table_of(ChainSigner)
operation: Final = operations.table
# Both dialects have it; their common type does not know of it.
_INSERT: Final[dict[str, Any]] = {"sqlite": sqlite_insert, "postgresql": postgresql_insert}


@dataclass(slots=True)
class Transaction:
    """A nonce given out and what it is for."""

    id: int
    signer: str
    nonce: int
    kind: str
    target: str
    gas: int
    operations: int
    state: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a nonce shall be given for: a call and the operations it carries out."""

    kind: str
    target: str
    calldata: bytes
    gas: int
    operations: tuple[int, ...] = ()


FIELDS: Final = [table.c[name] for name in Transaction.__dataclass_fields__]
_OPEN_ONES: Final = select(*FIELDS).where(table.c.state.in_(OPEN)).order_by(table.c.id)
_TAKE_NONCES: Final = (
    update(signers)
    .where(signers.c.address == bindparam("k_address"))
    # Nonces below the chain's count are spent, whoever spent them.
    .values(
        next_nonce=case((signers.c.next_nonce < bindparam("v_count"), bindparam("v_count")), else_=signers.c.next_nonce)
        + bindparam("v_nonces")
    )
    .returning(signers.c.next_nonce)
)


def open_ones(connection: Connection) -> list[Transaction]:
    """Those not decided yet, oldest first."""
    return [Transaction(*row) for row in connection.execute(_OPEN_ONES)]


def any_mined(connection: Connection, ids: Iterable[int]) -> bool:
    """Whether one of these was mined and did not revert."""
    wanted = list(ids)
    if not wanted:
        return False
    found = connection.execute(select(table.c.id).where(table.c.id.in_(wanted), table.c.state == MINED).limit(1))
    return found.first() is not None


def provision(connection: Connection, *, address: str, ref: str, count: int) -> None:
    """Makes the signer known. A fresh key burns nonce 0 on itself: Ganache mines a nonce-0 transaction as often as
    it is sent, so it must never carry an operation."""
    made = connection.execute(
        _INSERT[connection.dialect.name](signers)
        .values(address=address, ref=ref, next_nonce=count)
        .on_conflict_do_nothing(index_elements=[signers.c.address])
    )
    if made.rowcount == 1 and count == 0:
        assign(connection, address, [Plan(PROVISION, address, b"", FILL_GAS)])


def assign(connection: Connection, signer: str, plans: Sequence[Plan], *, count: int = 0) -> list[Transaction]:
    """Nonces, transactions and the state of their operations, all in the caller's one SQL transaction.

    count: how many nonces of the signer the chain has seen. Raises QueueMoved, and the caller's transaction must
    then roll back, when one of the operations is no longer queued: another relayer was first.
    """
    values: dict[str, Any] = {"k_address": signer, "v_count": count, "v_nonces": len(plans)}
    following = connection.execute(_TAKE_NONCES, values).scalar_one()
    made = []
    for nonce, plan in enumerate(plans, start=following - len(plans)):
        at_ms = now_ms()
        values = {
            "signer": signer,
            "nonce": nonce,
            "kind": plan.kind,
            "target": plan.target,
            "gas": plan.gas,
            "operations": len(plan.operations),
            "state": ASSIGNED,
        }
        row = {**values, "calldata": "0x" + plan.calldata.hex(), "created_at_ms": at_ms, "updated_at_ms": at_ms}
        id = connection.execute(insert(table).values(row).returning(table.c.id)).scalar_one()
        _take_operations(connection, id, plan.operations, at_ms)
        made.append(Transaction(id=id, **values))
    return made


def _take_operations(connection: Connection, id: int, taken: Sequence[int], at_ms: int) -> None:
    place = PLACE[connection.dialect.name]
    allowed = ", ".join(f"'{state}'" for state in OPERATION.before(ASSIGNED))
    for start in range(0, len(taken), operations.KEYS_PER_QUERY_MAX):
        chosen = taken[start : start + operations.KEYS_PER_QUERY_MAX]
        places = ", ".join([place] * len(chosen))
        # Every name is our own; values only ever go by place.
        statement = (
            f"UPDATE operation SET state = '{ASSIGNED}', transaction_id = {place}, updated_at_ms = {place} "  # noqa: S608
            f"WHERE id IN ({places}) AND state IN ({allowed})"
        )
        changed = connection.exec_driver_sql(statement, (id, at_ms, *chosen))
        if changed.rowcount != len(chosen):
            raise QueueMoved(len(chosen) - changed.rowcount)


def calldata(connection: Connection, id: int) -> bytes:
    """The call of a transaction."""
    found: str = connection.execute(select(table.c.calldata).where(table.c.id == id)).scalar_one()
    return bytes.fromhex(found[2:])


def keep_signed(connection: Connection, transaction: Transaction, tx_hash: str, raw: str) -> None:
    """Stores raw and hash before anything is sent; earlier ones of the same nonce stay."""
    at_ms = now_ms()
    connection.execute(
        _INSERT[connection.dialect.name](hashes)
        .values(tx_hash=tx_hash, transaction_id=transaction.id, raw=raw, created_at_ms=at_ms)
        .on_conflict_do_nothing(index_elements=[hashes.c.tx_hash])
    )
    if transaction.state == ASSIGNED:
        _change(connection, transaction.id, SIGNED)


def keep_sent(connection: Connection, transaction: Transaction) -> None:
    """The node took it. What the mirror saw mined meanwhile stays so."""
    changed = connection.execute(
        update(table)
        .where(table.c.id == transaction.id, table.c.state == SIGNED)
        .values(state=SENT, updated_at_ms=now_ms())
    )
    if changed.rowcount == 1:
        connection.execute(
            update(operation)
            .where(operation.c.transaction_id == transaction.id, operation.c.state == ASSIGNED)
            .values(state=SENT, updated_at_ms=now_ms())
        )


def keep_mined(connection: Connection, id: int, *, block_number: int, block_hash: str, reverted: bool) -> bool:
    """It has a receipt."""
    after = REVERTED if reverted else MINED
    # The mirror may see it before we could say that it was sent, or before another process could say it was signed.
    return _change(connection, id, after, block_number=block_number, block_hash=block_hash)


def keep_filled(connection: Connection, id: int, *, block_number: int, block_hash: str) -> bool:
    """Its nonce was spent on nothing: the operations are queued again."""
    if not _change(connection, id, FILLED, block_number=block_number, block_hash=block_hash):
        return False
    requeue(connection, id)
    return True


def keep_lost(connection: Connection, transaction: Transaction, *, next_nonce: int) -> bool:
    """A stranger used the nonce: the operations are queued again, the signer goes on after the stranger."""
    if not _change(connection, transaction.id, LOST):
        return False
    requeue(connection, transaction.id)
    connection.execute(
        update(signers)
        .where(signers.c.address == transaction.signer, signers.c.next_nonce < next_nonce)
        .values(next_nonce=next_nonce)
    )
    return True


def give_up(connection: Connection, id: int) -> bool:
    """Its nonce shall be spent on nothing. Its operations stay with it until that is mined: what was offered before
    may still count."""
    return _change(connection, id, FILLING)


def fill(connection: Connection, signer: str, nonce: int) -> None:
    """A transaction of nothing for a nonce that no transaction of ours stands for."""
    at_ms = now_ms()
    row = {
        "signer": signer,
        "nonce": nonce,
        "kind": FILL,
        "target": signer,
        "calldata": "0x",
        "gas": FILL_GAS,
        "operations": 0,
        "state": FILLING,
        "created_at_ms": at_ms,
        "updated_at_ms": at_ms,
    }
    # Another relayer may have seen the gap as well.
    made = _INSERT[connection.dialect.name](table).values(row)
    connection.execute(made.on_conflict_do_nothing(index_elements=[table.c.signer, table.c.nonce]))


def requeue(connection: Connection, id: int) -> None:
    """The operations of a transaction that will have no effect wait for another."""
    connection.execute(
        update(operation)
        .where(operation.c.transaction_id == id, operation.c.state.in_((ASSIGNED, SENT)))
        .values(state=QUEUED, transaction_id=None, updated_at_ms=now_ms())
    )


def see_mined(connection: Connection, blocks: Mapping[str, tuple[int, str]]) -> None:
    """The mirror saw these hashes mined: {tx hash: (block number, block hash)}."""
    if not blocks:
        return
    for tx_hash, id in operations.ours(connection, blocks).items():
        block_number, block_hash = blocks[tx_hash]
        keep_mined(connection, id, block_number=block_number, block_hash=block_hash, reverted=False)


def take_back(connection: Connection, above_block: int) -> None:
    """After a rollback: what was mined above the block is only sent."""
    for after in (SENT, FILLING):
        before = [state for state in TRANSACTION.before(after) if state in (MINED, REVERTED, FILLED)]
        connection.execute(
            update(table)
            .where(table.c.block_number > above_block, table.c.state.in_(before))
            .values(state=after, block_number=None, block_hash=None, updated_at_ms=now_ms())
        )


def take_back_one(connection: Connection, id: int) -> None:
    """The block that a receipt named is gone: transaction and operations are only sent."""
    for after in (SENT, FILLING):
        before = [state for state in TRANSACTION.before(after) if state in (MINED, REVERTED, FILLED)]
        connection.execute(
            update(table)
            .where(table.c.id == id, table.c.state.in_(before))
            .values(state=after, block_number=None, block_hash=None, updated_at_ms=now_ms())
        )
    operations.take_back_transaction(connection, id)


def standing(connection: Connection, signer: str, first: int, last: int) -> dict[int, tuple[int, str]]:
    """(id, state) of the transactions for these nonces, by nonce."""
    rows = connection.execute(
        select(table.c.nonce, table.c.id, table.c.state).where(
            table.c.signer == signer, table.c.nonce >= first, table.c.nonce <= last
        )
    )
    return {nonce: (id, state) for nonce, id, state in rows}


def next_nonces(connection: Connection) -> dict[str, int]:
    """The nonce each signer will use next."""
    rows = connection.execute(select(signers.c.address, signers.c.next_nonce))
    return {row.address: row.next_nonce for row in rows}


def hashes_of(connection: Connection, ids: Sequence[int]) -> dict[int, list[tuple[str, str]]]:
    """(hash, raw) of everything ever signed for these transactions, oldest first."""
    found: dict[int, list[tuple[str, str]]] = {id: [] for id in ids}
    rows = connection.execute(
        select(hashes.c.transaction_id, hashes.c.tx_hash, hashes.c.raw)
        .where(hashes.c.transaction_id.in_(list(ids)))
        .order_by(hashes.c.created_at_ms, hashes.c.tx_hash)
    )
    for id, tx_hash, raw in rows:
        found[id].append((tx_hash, raw))
    return found


def _change(connection: Connection, id: int, after: str, **values: Any) -> bool:
    """Whether the state changed: only from one that the table of transitions has before it."""
    changed = connection.execute(
        update(table)
        .where(table.c.id == id, table.c.state.in_(TRANSACTION.before(after)))
        .values(state=after, updated_at_ms=now_ms(), **values)
    )
    return changed.rowcount == 1
