"""What became of the transactions that were offered: mined, reverted, filled, stuck, or their nonce lost."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Engine, select

from chain.base.errors import Reverted, RpcError
from chain.contracts.codec import EventLog
from chain.contracts.deployment import Deployment
from chain.mirror.queries.blocks import misplaced_transactions
from chain.mirror.queries.checkpoint import checkpoint
from chain.node.blocks import believable, counted
from chain.outbox import operations, transactions
from chain.outbox.operations import Outcome, record_outcomes
from chain.outbox.outcomes import outcomes
from chain.outbox.retries import PAUSED
from chain.outbox.transactions import PROVISION, Transaction
from chain.outbox.transitions import FILLING, MINED, SENT, SIGNED
from chain.relayer import circuit_breaker as breaker
from chain.relayer.circuit_breaker import CircuitBreaker
from chain.relayer.node_state import NodeState
from chain.relayer.signer import is_fill
from chain.storage.database import reading, writing
from chain.storage.looks import looking

log = logging.getLogger(__name__)

THIRD_PARTY_AFTER_S: Final = 5.0
# Blocks below the mirror's tip in which a receipt's block may still turn out to be gone.
ORPHANS_DEPTH: Final = 256


@dataclass(frozen=True, slots=True)
class Mirrored:
    """How far the mirror is, and since when (monotonic seconds) it is there."""

    block_number: int
    since: float


class Receipts:
    """Decides transactions by their receipts, looked for under every hash ever signed."""

    def __init__(self, engine: Engine, deployment: Deployment, node_state: NodeState, breaker: CircuitBreaker):
        self._engine = engine
        self._deployment = deployment
        self._node_state = node_state
        self._breaker = breaker
        self._names = {contract.address: contract.name for contract in deployment.contracts.values()}
        self._mirrored = Mirrored(-1, -1e9)

    def collect(self, flight: Sequence[Transaction]) -> set[int]:
        """Ids of transactions that are decided now. Those that are stuck go back to signed in `flight` (not in SQL):
        the sender offers them again, in nonce order."""
        now = time.monotonic()
        offered = [
            t
            for t in flight
            if t.state in (SENT, FILLING) or (t.state == SIGNED and t.id not in self._node_state.fresh)
        ]
        if not offered:
            return set()
        self._look_at_mirror(now)
        passed = [t for t in offered if self._node_state.is_passed(t)]
        for transaction in passed:
            self._node_state.passed.setdefault(transaction.id, (now, self._node_state.head))
        due = [t for t in passed if self._is_due(t, now)]
        decided = self._look_for_receipts(due, now) if due else set()
        for transaction in offered:
            if (
                transaction.state == SENT
                and not self._node_state.is_passed(transaction)
                and self._node_state.is_stuck(transaction, now)
            ):
                transaction.state = SIGNED
        return decided

    def found(self, transaction: Transaction) -> tuple[bool, str | None]:
        """Whether one of its hashes has a receipt, in which case it is decided; and the last raw, to offer again."""
        with reading(self._engine) as connection:
            known = transactions.hashes_of(connection, [transaction.id])[transaction.id]
        if not known:
            return False, None
        answers = self._node_state.rpc.batch([("eth_getTransactionReceipt", [tx_hash]) for tx_hash, _ in known])
        for (_, raw), receipt in zip(known, answers, strict=True):
            if _is_mined(receipt):
                self._decide(transaction, receipt, raw)
                self._node_state.forget(transaction.id)
                return True, raw
        return False, known[-1][1]

    def reconcile(self) -> bool:
        """Takes back what a receipt placed in a block that is not on the mirror's chain. True when there was any."""
        with reading(self._engine) as connection:
            look = looking(connection)
            at = checkpoint(look)
            found = [] if at is None else misplaced_transactions(look, at.block_number - ORPHANS_DEPTH)
        for id, block_number in found:
            log.warning("block %d of transaction %d is gone", block_number, id)
            with writing(self._engine) as connection:
                transactions.take_back_one(connection, id)
        return bool(found)

    def _look_at_mirror(self, now: float) -> None:
        with reading(self._engine) as connection:
            at = checkpoint(looking(connection))
        if at is not None and at.block_number != self._mirrored.block_number:
            self._mirrored = Mirrored(at.block_number, now)

    def _is_due(self, transaction: Transaction, now: float) -> bool:
        """Whether to ask for its receipt: the mirror has passed its block and told nothing, or stands still."""
        if not transaction.operations or transaction.state == FILLING:
            return True
        at, head = self._node_state.passed[transaction.id]
        if self._mirrored.block_number >= head:
            return True
        return now - max(at, self._mirrored.since) >= self._node_state.settings.receipt_grace_s

    def _look_for_receipts(self, due: Sequence[Transaction], now: float) -> set[int]:
        with reading(self._engine) as connection:
            known = transactions.hashes_of(connection, [t.id for t in due])
        asked = [(t, tx_hash, raw) for t in due for tx_hash, raw in known[t.id]]
        answers = self._node_state.rpc.batch([("eth_getTransactionReceipt", [tx_hash]) for _, tx_hash, _ in asked])
        decided: set[int] = set()
        for (transaction, _, raw), receipt in zip(asked, answers, strict=True):
            if transaction.id not in decided and _is_mined(receipt):
                self._decide(transaction, receipt, raw)
                decided.add(transaction.id)
        for transaction in due:
            if transaction.id not in decided and self._is_strangers(transaction, now):
                # The nonce is used, and none of our hashes has a receipt: someone else holds this key.
                log.error("nonce %d of %s was used by a stranger", transaction.nonce, transaction.signer)
                with writing(self._engine) as connection:
                    transactions.keep_lost(
                        connection, transaction, next_nonce=self._node_state.counted[transaction.signer]
                    )
                decided.add(transaction.id)
        for id in decided:
            self._node_state.forget(id)
        return decided

    def _is_strangers(self, transaction: Transaction, now: float) -> bool:
        """Only when the mirror, which believes nobody, has read the block in which the nonce was spent: a node that
        has merely lost a receipt must not make us send twice."""
        at, head = self._node_state.passed[transaction.id]
        return now - at > THIRD_PARTY_AFTER_S and self._mirrored.block_number >= head

    def _decide(self, transaction: Transaction, receipt: dict[str, Any], raw: str) -> None:
        with believable("a receipt"):
            block_number, block_hash = counted(receipt["blockNumber"]), receipt["blockHash"]
            reverted = receipt["status"] != "0x1"
            found = outcomes(self._logs(receipt), self._deployment) if transaction.operations and not reverted else []
        if transaction.state == FILLING and transaction.kind != PROVISION and is_fill(raw):
            self._keep_filled(transaction, block_number, block_hash)
            return
        error = self._why(transaction, block_number) if reverted and transaction.operations else None
        with writing(self._engine) as connection:
            changed = transactions.keep_mined(
                connection, transaction.id, block_number=block_number, block_hash=block_hash, reverted=reverted
            )
            if not changed:
                return
            if error is not None and error.error == "EmptyRevert" and transaction.operations > 1:
                # Most likely out of gas: nobody's fault, so the items go again in smaller company.
                self._node_state.too_large(transaction.operations)
                transactions.requeue(connection, transaction.id)
            elif error is not None:
                self._fail_all(connection, transaction, receipt, error)
            else:
                record_outcomes(connection, found, MINED)
        if error is not None and error.error == PAUSED:
            # A brand's own switch is no failure of ours: it must not hold up the others.
            pass
        elif error is not None:
            self._breaker.failed(breaker.REVERTED, str(error))
        elif transaction.operations:
            self._breaker.succeeded(breaker.REVERTED)

    def _keep_filled(self, transaction: Transaction, block_number: int, block_hash: str) -> None:
        """A single operation that the node would never take fails; awards go again in smaller company."""
        with writing(self._engine) as connection:
            ids = operations.of_transaction(connection, transaction.id)
            filled = transactions.keep_filled(
                connection, transaction.id, block_number=block_number, block_hash=block_hash
            )
            if filled and len(ids) == 1:
                message = "The node refused the transaction for good; its nonce was spent on nothing."
                operations.fail(connection, ids[0], "TransactionRefused", {"message": message})

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
                self._node_state.rpc.call("eth_call", call, block)
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
            select(table.c.brand, table.c.operation_id)
            .where(table.c.transaction_id == transaction.id)
            .order_by(table.c.id)
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
        record_outcomes(connection, failed, MINED)

    def _logs(self, receipt: dict[str, Any]) -> list[EventLog]:
        codec = self._deployment.codec
        decoded = (codec.log(raw, self._names.get(raw["address"].lower(), "LoyaltyToken")) for raw in receipt["logs"])
        return [found for found in decoded if found is not None]


def _is_mined(receipt: Any) -> bool:
    with believable("a receipt"):
        return receipt is not None and receipt["blockNumber"] is not None
