"""Transactions with a nonce, in SQL: every step of the relayer's order of writing is one function here.

assigned ──> signed ──> sent ──> mined
    │           │         └────> reverted      a reorg takes mined and reverted back to sent
    └───────────┴──────────────> lost          the nonce was used by a transaction that is not ours
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, select, update

from chain import operations
from chain.models import ChainSigner, ChainTransaction, ChainTransactionHash, table_of
from chain.operations import ASSIGNED, QUEUED, SENT, now_ms

OPEN: Final = ("assigned", "signed", "sent")

table: Final = table_of(ChainTransaction)
hashes: Final = table_of(ChainTransactionHash)
signers: Final = table_of(ChainSigner)
operation: Final = operations.table


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
_ASSIGN: Final = (
    update(operation)
    .where(operation.c.id == bindparam("k_id"), operation.c.state == QUEUED)
    .values(state=ASSIGNED, transaction_id=bindparam("v_transaction_id"), updated_at_ms=bindparam("v_at_ms"))
)


def open_ones(connection: Connection) -> list[Transaction]:
    """Those not decided yet, in nonce order of each signer."""
    rows = connection.execute(select(*FIELDS).where(table.c.state.in_(OPEN)).order_by(table.c.id))
    return [Transaction(*row) for row in rows]


def provision(connection: Connection, *, address: str, ref: str, count: int) -> None:
    """Makes the signer known. A fresh key burns nonce 0 on itself: Ganache mines a nonce-0 transaction as often as
    it is sent, so it must never carry an operation."""
    if connection.execute(select(signers.c.address).where(signers.c.address == address)).first():
        return
    connection.execute(insert(signers).values(address=address, ref=ref, next_nonce=count))
    if count == 0:
        assign(connection, address, [Plan("provision", address, b"", 21_000)])


def assign(connection: Connection, signer: str, plans: Sequence[Plan]) -> list[Transaction]:
    """Nonces, transactions and the state of their operations, all in the caller's one SQL transaction."""
    given = connection.execute(
        update(signers)
        .where(signers.c.address == signer)
        .values(next_nonce=signers.c.next_nonce + len(plans))
        .returning(signers.c.next_nonce)
    ).scalar_one()
    made = []
    for nonce, plan in enumerate(plans, start=given - len(plans)):
        at_ms = now_ms()
        values: dict[str, Any] = {
            "signer": signer,
            "nonce": nonce,
            "kind": plan.kind,
            "target": plan.target,
            "gas": plan.gas,
            "operations": len(plan.operations),
            "state": "assigned",
        }
        row = {**values, "calldata": "0x" + plan.calldata.hex(), "created_at_ms": at_ms, "updated_at_ms": at_ms}
        id = connection.execute(insert(table).values(row).returning(table.c.id)).scalar_one()
        if plan.operations:
            rows = [
                {"k_id": operation_id, "v_transaction_id": id, "v_at_ms": at_ms} for operation_id in plan.operations
            ]
            connection.execute(_ASSIGN, rows)
        made.append(Transaction(id=id, **values))
    return made


def calldata(connection: Connection, id: int) -> bytes:
    """The call of a transaction."""
    found: str = connection.execute(select(table.c.calldata).where(table.c.id == id)).scalar_one()
    return bytes.fromhex(found[2:])


def keep_signed(connection: Connection, transaction: Transaction, tx_hash: str, raw: str) -> None:
    """Stores raw and hash before anything is sent; earlier ones of the same nonce stay."""
    at_ms = now_ms()
    known = connection.execute(select(hashes.c.tx_hash).where(hashes.c.tx_hash == tx_hash)).first()
    if known is None:
        connection.execute(
            insert(hashes).values(tx_hash=tx_hash, transaction_id=transaction.id, raw=raw, created_at_ms=at_ms)
        )
    if transaction.state == "assigned":
        connection.execute(_state(transaction.id, ("assigned",), "signed", at_ms))


def keep_sent(connection: Connection, transaction: Transaction) -> None:
    """The node took it."""
    at_ms = now_ms()
    connection.execute(_state(transaction.id, ("signed",), "sent", at_ms))
    connection.execute(
        update(operation)
        .where(operation.c.transaction_id == transaction.id, operation.c.state == ASSIGNED)
        .values(state=SENT, updated_at_ms=at_ms)
    )


def keep_mined(connection: Connection, id: int, *, block_number: int, block_hash: str, reverted: bool) -> None:
    """It has a receipt."""
    connection.execute(
        _state(id, OPEN, "reverted" if reverted else "mined", now_ms()).values(
            block_number=block_number, block_hash=block_hash
        )
    )


def keep_lost(connection: Connection, transaction: Transaction, *, next_nonce: int) -> None:
    """A stranger used the nonce: the operations are queued again, the signer goes on after the stranger."""
    at_ms = now_ms()
    connection.execute(_state(transaction.id, OPEN, "lost", at_ms))
    requeue(connection, transaction.id)
    connection.execute(
        update(signers)
        .where(signers.c.address == transaction.signer, signers.c.next_nonce < next_nonce)
        .values(next_nonce=next_nonce)
    )


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
    ours = connection.execute(
        select(hashes.c.tx_hash, hashes.c.transaction_id).where(hashes.c.tx_hash.in_(list(blocks)))
    ).all()
    for tx_hash, id in ours:
        block_number, block_hash = blocks[tx_hash]
        keep_mined(connection, id, block_number=block_number, block_hash=block_hash, reverted=False)


def take_back(connection: Connection, above_block: int) -> None:
    """After a rollback: what was mined above the block is only sent."""
    connection.execute(
        update(table)
        .where(table.c.block_number > above_block, table.c.state.in_(("mined", "reverted")))
        .values(state="sent", block_number=None, block_hash=None, updated_at_ms=now_ms())
    )


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


def _state(id: int, before: Sequence[str], after: str, at_ms: int) -> Any:
    return update(table).where(table.c.id == id, table.c.state.in_(before)).values(state=after, updated_at_ms=at_ms)
