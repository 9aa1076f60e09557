"""The tables of the outbox: operations, and the transactions that bring them to the chain. They cannot be rebuilt."""

from typing import Any, Final

from sqlalchemy import BigInteger, Column, Index, Integer, SmallInteger, UniqueConstraint
from sqlmodel import Field, SQLModel

from chain.storage.columns import big, document, partial, serial

# The conditions of the partial indexes of operations: PostgreSQL and SQLite use these where a statement repeats them.
OPEN_OPERATION: Final = "state IN ('queued', 'assigned', 'sent', 'mined')"
REFUSED_OPERATION: Final = "state IN ('failed', 'waiting')"
LOCKED_OPERATION: Final = "state = 'locked'"
QUEUED_SINGLE: Final = "state = 'queued' AND kind <> 'award'"


class Operation(SQLModel, table=True):
    """Something asked of the ledger; has exactly one effect on the chain, or a typed failure."""

    __tablename__ = "operation"
    __table_args__ = (
        UniqueConstraint("key"),
        UniqueConstraint("brand", "operation_id"),
        Index("operation_state_id", "state", "id"),
        Index("operation_brand_state_kind", "brand", "state", "kind"),
        Index("operation_block_number", "block_number"),
        Index("operation_transaction_id", "transaction_id"),
        partial("operation_queued_person", "brand", "id", where="state = 'queued' AND bulk = 0"),
        partial("operation_queued_lines", "brand", "id", where="state = 'queued' AND bulk = 1"),
        partial("operation_open_ordering_key", "ordering_key", "id", where=OPEN_OPERATION),
        partial("operation_queued_single", "ordering_key", "id", where=QUEUED_SINGLE),
        partial("operation_refused", "brand", "id", where=REFUSED_OPERATION),
        partial("operation_waiting", "retry_at_ms", "id", where="state = 'waiting'"),
        partial("operation_locked", "due_at_ms", "id", where=LOCKED_OPERATION),
        partial("operation_locked_brand", "bulk", "brand", "due_at_ms", "id", where=LOCKED_OPERATION),
        partial("operation_locked_ordering_key", "ordering_key", "due_at_ms", "id", where=LOCKED_OPERATION),
        {"sqlite_autoincrement": True},
    )
    id: int | None = serial()
    key: str
    kind: str
    # The registry's id.
    brand: int = big()
    ordering_key: str
    # The id the contract counts once, dense per brand; decimal text. Only awards and returns have one.
    operation_id: str | None = None
    payload: dict[str, Any] = document(nullable=False)
    state: str
    error: str | None = None
    error_args: dict[str, Any] | None = document(nullable=True)
    transaction_id: int | None = big(default=None, nullable=True)
    tx_hash: str | None = None
    block_number: int | None = big(default=None, nullable=True)
    block_hash: str | None = None
    log_index: int | None = big(default=None, nullable=True)
    result: dict[str, Any] | None = document(nullable=True)
    # 0: a person waits for it; 1: one of many, sent as a file of lines.
    bulk: int = Field(default=0, sa_column=Column(SmallInteger, nullable=False, server_default="0"))
    # Not sent before this second: `locked` until then.
    due_at_ms: int | None = big(default=None, nullable=True)
    # What only waits is asked again at retry_at_ms, by itself, until retry_until_ms.
    retry_until_ms: int | None = big(default=None, nullable=True)
    retry_at_ms: int | None = big(default=None, nullable=True)
    # How often it was refused before.
    refusals: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    created_at_ms: int = big()
    updated_at_ms: int = big()


class OperationRefusal(SQLModel, table=True):
    """A refusal of an operation that was sent again afterwards: what was asked, what was answered, and where."""

    __tablename__ = "operation_refusal"
    __table_args__ = (Index("operation_refusal_transaction_id", "transaction_id"),)
    operation: int = Field(sa_type=BigInteger, primary_key=True)
    number: int = Field(primary_key=True)
    payload: dict[str, Any] = document(nullable=False)
    # What the asker wants to be kept of the fact behind it, when that was corrected.
    fact: dict[str, Any] | None = document(nullable=True)
    operation_id: str | None = None
    error: str
    error_args: dict[str, Any] | None = document(nullable=True)
    transaction_id: int | None = big(default=None, nullable=True)
    tx_hash: str | None = None
    block_number: int | None = big(default=None, nullable=True)
    block_hash: str | None = None
    log_index: int | None = big(default=None, nullable=True)
    refused_at_ms: int = big()
    again_at_ms: int = big()


class OperationCounter(SQLModel, table=True):
    """The next operation id of each brand."""

    __tablename__ = "operation_counter"
    # The registry's id.
    brand: int = Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    next_id: int = big()


class ChainSigner(SQLModel, table=True):
    """A hot key of the relayer and the next nonce it will use."""

    __tablename__ = "chain_signer"
    address: str = Field(primary_key=True)
    ref: str
    next_nonce: int = big()


class ChainTransaction(SQLModel, table=True):
    """A nonce given out. States and steps: chain.outbox.transitions."""

    __tablename__ = "chain_transaction"
    __table_args__ = (
        UniqueConstraint("signer", "nonce"),
        Index("chain_transaction_state_id", "state", "id"),
        Index("chain_transaction_block_number", "block_number"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = serial()
    signer: str
    nonce: int = big()
    kind: str
    target: str
    calldata: str
    gas: int = big()
    operations: int
    state: str
    block_number: int | None = big(default=None, nullable=True)
    block_hash: str | None = None
    created_at_ms: int = big()
    updated_at_ms: int = big()


class ChainTransactionHash(SQLModel, table=True):
    """Every raw transaction ever signed for a nonce; a receipt is looked for under each of them."""

    __tablename__ = "chain_transaction_hash"
    __table_args__ = (Index("chain_transaction_hash_transaction_id", "transaction_id"),)
    tx_hash: str = Field(primary_key=True)
    transaction_id: int = big()
    raw: str
    created_at_ms: int = big()
