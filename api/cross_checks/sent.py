"""What was signed: the transactions that are kept, believed only as far as their bytes hash to what the chain has."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from chain.base.hashing import keccak
from chain.contracts import memos
from chain.evidence.claims import carried
from chain.outbox import operations
from chain.outbox.models import ChainTransactionHash
from chain.proofs import transactions
from chain.proofs.errors import ProofError
from chain.storage.columns import table_of

_sent = table_of(ChainTransactionHash)


def calldata(connection: Connection, tx_hash: str) -> bytes | None:
    """The input of a transaction of ours; None where it was somebody else's or is not kept as it was."""
    row = _kept(connection, tx_hash)
    return None if row is None else transactions.decode(bytes.fromhex(row.raw[2:])).data


class MemoRoots:
    """What the chain has of memos, one transaction after the other: those of a batch lie beside each other."""

    def __init__(self, connection: Connection):
        self._connection = connection
        self._of: tuple[str, dict[str, str] | None] = ("", {})

    def of(self, tx_hash: str, brand: int, operation_id: str) -> str | None:
        """The memo's root under the one that the transaction carries; None where it is not under it."""
        if self._of[0] != tx_hash:
            self._of = (tx_hash, self._read(tx_hash, brand))
        found = self._of[1]
        return None if found is None else found.get(operation_id)

    def _read(self, tx_hash: str, brand: int) -> dict[str, str] | None:
        row = _kept(self._connection, tx_hash)
        if row is None:
            return None
        try:
            _, ids, root = carried(bytes.fromhex(row.raw[2:]))
            payloads = operations.carried_payloads(
                self._connection, transaction_id=row.transaction_id, brand=brand, ids=[str(id) for id in ids]
            )
            roots = {id: told for id, payload in payloads.items() if (told := payload.get("memo_root"))}
            items = [(id, bytes.fromhex(roots[str(id)][2:]) if str(id) in roots else None) for id in ids]
        except (ValueError, TypeError):
            return None
        return roots if memos.root(memos.leaves_of(items)) == root else None


def _kept(connection: Connection, tx_hash: str) -> Any:
    row = connection.execute(select(_sent).where(_sent.c.tx_hash == tx_hash)).one_or_none()
    if row is None:
        return None
    try:
        raw = bytes.fromhex(row.raw[2:])
        transactions.decode(raw)
    except (ValueError, ProofError):
        return None
    return row if "0x" + keccak(raw).hex() == tx_hash else None
