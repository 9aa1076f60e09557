"""What became of the transactions that were offered: mined, reverted, stuck, or their nonce lost to a stranger."""

import logging
import time
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Engine, select

from chain import operations, transactions
from chain.blocks import believable
from chain.codec import Log
from chain.database import reading, writing
from chain.deployment import Deployment
from chain.errors import Reverted, RpcError
from chain.line import Line
from chain.operations import Outcome, settle
from chain.outcomes import outcomes
from chain.transactions import Transaction

log = logging.getLogger(__name__)

STRANGER_AFTER_S: Final = 5.0


class Receipts:
    """Decides transactions by their receipts, looked for under every hash ever signed."""

    def __init__(self, engine: Engine, deployment: Deployment, line: Line):
        self._engine = engine
        self._deployment = deployment
        self._line = line
        self._names = {contract.address: contract.name for contract in deployment.contracts.values()}

    def collect(self, flight: Sequence[Transaction]) -> set[int]:
        """Ids of transactions that are decided now."""
        offered = [t for t in flight if t.state == "sent" or (t.state == "signed" and t.id not in self._line.fresh)]
        if not offered:
            return set()
        count = self._line.counts(sorted({t.signer for t in offered}))
        now = time.monotonic()
        passed = [t for t in offered if t.nonce < count[t.signer]]
        due = [t for t in passed if now - self._line.passed_at.setdefault(t.id, now) >= self._grace_s(t)]
        decided = self._look_for_receipts(due, count) if due else set()
        stuck = [t for t in offered if t.nonce >= count[t.signer] and self._line.is_stuck(t, now)]
        for transaction in stuck:
            # Offered again with the others, in nonce order, by the sender.
            transaction.state = "signed"
        return decided

    def found(self, transaction: Transaction) -> tuple[bool, str]:
        """Whether one of its hashes has a receipt, in which case it is decided; and the last raw, to offer again."""
        with reading(self._engine) as connection:
            known = transactions.hashes_of(connection, [transaction.id])[transaction.id]
        for receipt in self._line.rpc.batch([("eth_getTransactionReceipt", [tx_hash]) for tx_hash, _ in known]):
            if _is_mined(receipt):
                self._decide(transaction, receipt)
                self._line.forget(transaction.id)
                return True, known[-1][1]
        return False, known[-1][1]

    def _grace_s(self, transaction: Transaction) -> float:
        """How long the mirror has to tell of it first; a transaction without operations has no event to see."""
        return self._line.settings.receipt_grace_s if transaction.operations else 0.0

    def _look_for_receipts(self, due: Sequence[Transaction], count: dict[str, int]) -> set[int]:
        with reading(self._engine) as connection:
            known = transactions.hashes_of(connection, [t.id for t in due])
        asked = [(t, tx_hash) for t in due for tx_hash, _ in known[t.id]]
        answers = self._line.rpc.batch([("eth_getTransactionReceipt", [tx_hash]) for _, tx_hash in asked])
        decided: set[int] = set()
        for (transaction, _), receipt in zip(asked, answers, strict=True):
            if _is_mined(receipt):
                self._decide(transaction, receipt)
                decided.add(transaction.id)
        for transaction in due:
            waited_s = time.monotonic() - self._line.passed_at.get(transaction.id, 0.0)
            if transaction.id not in decided and waited_s > STRANGER_AFTER_S:
                # The nonce is used, and none of our hashes has a receipt: someone else holds this key.
                log.error("nonce %d of %s was used by a stranger", transaction.nonce, transaction.signer)
                with writing(self._engine) as connection:
                    transactions.keep_lost(connection, transaction, next_nonce=count[transaction.signer])
                decided.add(transaction.id)
        for id in decided:
            self._line.forget(id)
        return decided

    def _decide(self, transaction: Transaction, receipt: dict[str, Any]) -> None:
        with believable("a receipt"):
            block_number, block_hash = int(receipt["blockNumber"], 16), receipt["blockHash"]
            reverted = receipt["status"] != "0x1"
            found = outcomes(self._logs(receipt), self._deployment) if transaction.operations and not reverted else []
        error = self._why(transaction, block_number) if reverted and transaction.operations else None
        with writing(self._engine) as connection:
            transactions.keep_mined(
                connection, transaction.id, block_number=block_number, block_hash=block_hash, reverted=reverted
            )
            if error is not None and error.error == "EmptyRevert" and transaction.operations > 1:
                # Most likely out of gas: nobody's fault, so the items go again in smaller company.
                self._line.items_max = max(1, transaction.operations // 2)
                transactions.requeue(connection, transaction.id)
            elif error is not None:
                self._fail_all(connection, transaction, receipt, error)
            else:
                settle(connection, found, operations.MINED)

    def _why(self, transaction: Transaction, block_number: int) -> Reverted:
        """The error of a reverted transaction, by calling it again on the state before its block."""
        with reading(self._engine) as connection:
            data = transactions.calldata(connection, transaction.id)
        call = {
            "from": transaction.signer,
            "to": transaction.target,
            "data": "0x" + data.hex(),
            "gas": hex(transaction.gas),
        }
        for block in (hex(block_number - 1), hex(block_number)):
            try:
                self._line.rpc.call("eth_call", call, block)
            except Reverted as error:
                return error
            except RpcError as error:
                log.info("cannot ask why %s reverted: %s", transaction.id, error)
        return Reverted("eth_call", 3, "reverted", None, "EmptyRevert", {})

    def _fail_all(
        self, connection: Connection, transaction: Transaction, receipt: dict[str, Any], error: Reverted
    ) -> None:
        table = operations.table
        rows = connection.execute(
            select(table.c.brand, table.c.operation_id).where(table.c.transaction_id == transaction.id)
        )
        failed = [
            Outcome(
                tx_hash=receipt["transactionHash"],
                block_number=int(receipt["blockNumber"], 16),
                block_hash=receipt["blockHash"],
                log_index=None,
                brand=brand,
                operation_id=operation_id,
                error=error.error,
                error_args=error.error_args,
            )
            for brand, operation_id in rows
        ]
        settle(connection, failed, operations.MINED)

    def _logs(self, receipt: dict[str, Any]) -> list[Log]:
        codec = self._deployment.codec
        decoded = (codec.log(raw, self._names.get(raw["address"].lower(), "LoyaltyToken")) for raw in receipt["logs"])
        return [found for found in decoded if found is not None]


def _is_mined(receipt: Any) -> bool:
    with believable("a receipt"):
        return receipt is not None and receipt["blockNumber"] is not None
