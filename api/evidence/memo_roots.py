"""What the chain has of a memo: the root in the transaction that the mirror saw award the points (SPEC 13.14).

Nothing here is believed because it is stored: the transaction's bytes must hash to the mirrored event's transaction,
the roots of its operations must make up the root that it carries, and the words must make up their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlmodel import Session

from api.views.errors import MemoUnproven
from chain.base.hashing import keccak
from chain.contracts import memos
from chain.evidence.claims import carried
from chain.mirror.queries import events
from chain.outbox import operations as outbox
from chain.outbox.models import ChainTransactionHash, Operation
from chain.storage.columns import table_of
from chain.storage.looks import looking

operations = table_of(Operation)
sent = table_of(ChainTransactionHash)


def root_on_chain(session: Session, *, operation: int, fields: Sequence[memos.Field]) -> str | None:
    """The memo root that the chain has of an operation; None until the mirror saw the award.

    Raises MemoUnproven when what is kept, of the transaction or of the words, is not what the chain has.
    """
    row = session.connection().execute(select(operations).where(operations.c.id == operation)).one()
    tx_hash = _awarded_in(session, row)
    if tx_hash is None:
        return None
    try:
        kept = session.connection().execute(select(sent).where(sent.c.tx_hash == tx_hash)).one_or_none()
        transaction = bytes.fromhex("" if kept is None else kept.raw[2:])
        if kept is None or "0x" + keccak(transaction).hex() != tx_hash:
            raise ValueError("the transaction that is kept is another one")
        _, ids, root = carried(transaction)
        roots = _roots(session, kept.transaction_id, row.brand, ids)
        if memos.root(memos.leaves_of([(one, roots.get(one)) for one in ids])) != root:
            raise ValueError("the roots that are kept do not make up the one that the transaction carries")
        found = roots.get(int(row.operation_id))
        if found is None or found != memos.memo_root(fields):
            raise ValueError("the words that are kept do not make up the root that the transaction carries")
    except ValueError as error:
        raise MemoUnproven(f"The memo is not what the chain has of it: {error}.", operation=str(operation)) from None
    return "0x" + found.hex()


def _awarded_in(session: Session, row: Any) -> str | None:
    """The transaction of the mirrored award with the operation's own id; None where there is none."""
    if row.block_number is None or row.log_index is None or row.operation_id is None:
        return None
    event = events.at(looking(session), block_number=row.block_number, log_index=row.log_index)
    if event is None or event.name != "Awarded":
        return None
    said = (event.args["brandId"], event.args["operationId"])
    return event.tx_hash if said == (str(row.brand), row.operation_id) else None


def _roots(session: Session, transaction_id: int, brand: int, ids: Sequence[int]) -> dict[int, bytes]:
    """Operation id → the memo root that the transaction was to carry for it."""
    carried = [str(one) for one in ids]
    found = outbox.carried_payloads(session, transaction_id=transaction_id, brand=brand, ids=carried)
    return {
        int(operation_id): bytes.fromhex(payload["memo_root"][2:])
        for operation_id, payload in found.items()
        if payload.get("memo_root")
    }
