"""Takes operations from the queue and gives each exactly one effect on the chain, or a typed failure.

The order of writing is the design. Each arrow is a commit; a process killed between any two of them finds in the
tables all it needs to go on:

    nonce and operations ──> raw and hash ──> (send) ──> sent ──> mined or reverted, from the mirror or a receipt

Nothing is sent that is not stored; a receipt is looked for under every hash ever signed before anything is sent a
second time; and nonces go out strictly in order, so that a node which waits for a gap never makes us wait.
"""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Engine, select

from chain import calls, heartbeat, operations, transactions
from chain.batches import Choice, Waiting, choose
from chain.blocks import believable
from chain.codec import Log
from chain.database import reading, writing
from chain.deployment import Deployment
from chain.errors import (
    AlreadyKnown,
    AnswerInconsistent,
    ChainError,
    InsufficientFunds,
    NodeUnavailable,
    NonceTooHigh,
    NonceTooLow,
    OperationInvalid,
    Reverted,
    RpcError,
    Underpriced,
)
from chain.keystore import Keystore, signer_ref
from chain.operations import AWARD, Outcome, now_ms, settle
from chain.outcomes import outcomes
from chain.rpc import Rpc
from chain.signer import Fees, sign
from chain.transactions import Plan, Transaction

log = logging.getLogger(__name__)

QUEUE_WINDOW: Final = 2_000
FEES_AGE_S_MAX: Final = 1.0
BACKOFF_S_MAX: Final = 2.0
STRANGER_AFTER_S: Final = 5.0
BLOCK_GAS_SHARE: Final = 0.9


@dataclass(frozen=True)
class RelayerSettings:
    """Bounds and tempo."""

    signers: int = 1
    batch_items_max: int = 200
    batch_delay_ms: int = 50
    singles_max: int = 16
    in_flight_max: int = 3
    poll_s: float = 0.02
    # The mirror usually sees a transaction first; asking the node for a receipt as well costs it a second rendering
    # of every log. After this time the receipt is asked for all the same.
    receipt_grace_s: float = 0.5
    resend_after_s: float = 5.0
    tip_wei: int = 1_000_000_000
    fee_cap_wei: int = 500_000_000_000


class Relayer:
    """One loop, one thread, one process at a time (see chain.leader)."""

    def __init__(
        self,
        engine: Engine,
        rpc: Rpc,
        deployment: Deployment,
        keystore: Keystore,
        settings: RelayerSettings | None = None,
    ):
        self.engine = engine
        self.rpc = rpc
        self.deployment = deployment
        self.keystore = keystore
        self.settings = settings or RelayerSettings()
        self.refs = {keystore.address_of(signer_ref(i)): signer_ref(i) for i in range(self.settings.signers)}
        self._items_max = self.settings.batch_items_max
        # Ganache may forget in its pool a transaction that arrives while the one before it is being mined, until it is
        # offered again: there, nothing is sent before the nonce in front of it is counted.
        self._one_at_a_time: bool | None = None
        self._counted: dict[str, int] = {}
        self._fees_at = 0.0
        self._fees = Fees(0, 0)
        # Signed in this process and never offered to the node: the only ones that need no look for a receipt first.
        self._fresh: dict[int, str] = {}
        self._sent_at: dict[int, float] = {}
        self._passed_at: dict[int, float] = {}
        self._fees_of: dict[int, Fees] = {}

    def run(self, stop: threading.Event) -> None:
        """Works until `stop`. A node that is away is waited for; what cannot be helped by waiting is raised."""
        backoff_s = self.settings.poll_s
        while not stop.is_set():
            try:
                worked = self.step()
                heartbeat.beat(self.engine, "relayer", "working")
                backoff_s = self.settings.poll_s
                if not worked:
                    stop.wait(self.settings.poll_s)
            except (NodeUnavailable, RpcError, AnswerInconsistent) as error:
                log.warning("relayer waits: %s", error)
                heartbeat.beat(self.engine, "relayer", "waiting", str(error))
                stop.wait(backoff_s)
                backoff_s = min(BACKOFF_S_MAX, max(0.05, backoff_s * 2))

    def provision(self) -> None:
        """Makes the signers known and burns the nonce 0 of those that never sent anything."""
        counts = self._counts(list(self.refs))
        with writing(self.engine) as connection:
            for address, ref in self.refs.items():
                transactions.provision(connection, address=address, ref=ref, count=counts[address])

    def _learn_node(self) -> None:
        """How many awards a block carries here, and whether this node wants one transaction at a time."""
        version = self.rpc.call("web3_clientVersion")
        block = self.rpc.call("eth_getBlockByNumber", "latest", False)
        with believable("the node's version and gas limit"):
            room = int(int(block["gasLimit"], 16) * BLOCK_GAS_SHARE) - calls.BATCH_BASE_GAS
            one_at_a_time = version.lower().startswith("ganache")
        self._items_max = max(1, min(self.settings.batch_items_max, room // calls.ITEM_GAS))
        self._one_at_a_time = one_at_a_time

    def _counts(self, signers: Sequence[str]) -> dict[str, int]:
        """How many nonces of each signer are mined."""
        answers = self.rpc.batch([("eth_getTransactionCount", [signer, "latest"]) for signer in signers])
        with believable("a count of transactions"):
            self._counted |= {signer: int(answer, 16) for signer, answer in zip(signers, answers, strict=True)}
        return self._counted

    def step(self) -> bool:
        """One round: what is under way first, then new work. True when anything happened."""
        if self._one_at_a_time is None:
            self._learn_node()
        if not self._known_signers():
            self.provision()
        with reading(self.engine) as connection:
            flight = transactions.open_ones(connection)
        decided = self._collect(flight)
        flight = [transaction for transaction in flight if transaction.id not in decided]
        made = self._take(flight)
        sent = self._forward(flight + made)
        return bool(decided or made or sent)

    # What is under way

    def _collect(self, flight: Sequence[Transaction]) -> set[int]:
        """Ids of transactions that are decided now."""
        offered = [t for t in flight if t.state == "sent" or (t.state == "signed" and t.id not in self._fresh)]
        if not offered:
            return set()
        count = self._counts(sorted({t.signer for t in offered}))
        now = time.monotonic()
        passed = [t for t in offered if t.nonce < count[t.signer]]
        due = [t for t in passed if now - self._passed_at.setdefault(t.id, now) >= self._grace_s(t)]
        decided = self._look_for_receipts(due, count) if due else set()
        stuck = [t for t in offered if t.nonce >= count[t.signer] and self._stuck(t, now)]
        for transaction in stuck:
            # Offered again with the others, in nonce order, by _forward.
            transaction.state = "signed"
        return decided

    def _grace_s(self, transaction: Transaction) -> float:
        """How long the mirror has to tell of it first; a transaction without operations has no event to see."""
        return self.settings.receipt_grace_s if transaction.operations else 0.0

    def _stuck(self, transaction: Transaction, now: float) -> bool:
        sent_at = self._sent_at.get(transaction.id)
        return sent_at is None or now - sent_at > self.settings.resend_after_s

    def _look_for_receipts(self, due: Sequence[Transaction], count: dict[str, int]) -> set[int]:
        with reading(self.engine) as connection:
            known = transactions.hashes_of(connection, [t.id for t in due])
        asked = [(t, tx_hash) for t in due for tx_hash, _ in known[t.id]]
        answers = self.rpc.batch([("eth_getTransactionReceipt", [tx_hash]) for _, tx_hash in asked])
        decided: set[int] = set()
        for (transaction, _), receipt in zip(asked, answers, strict=True):
            if _is_mined(receipt):
                self._decide(transaction, receipt)
                decided.add(transaction.id)
        for transaction in due:
            waited_s = time.monotonic() - self._passed_at.get(transaction.id, 0.0)
            if transaction.id not in decided and waited_s > STRANGER_AFTER_S:
                # The nonce is used, and none of our hashes has a receipt: someone else holds this key.
                log.error("nonce %d of %s was used by a stranger", transaction.nonce, transaction.signer)
                with writing(self.engine) as connection:
                    transactions.keep_lost(connection, transaction, next_nonce=count[transaction.signer])
                decided.add(transaction.id)
        for id in decided:
            self._forget(id)
        return decided

    def _decide(self, transaction: Transaction, receipt: dict[str, Any]) -> None:
        with believable("a receipt"):
            block_number, block_hash = int(receipt["blockNumber"], 16), receipt["blockHash"]
            reverted = receipt["status"] != "0x1"
            found = outcomes(self._logs(receipt), self.deployment) if transaction.operations and not reverted else []
        error = self._why(transaction, block_number) if reverted and transaction.operations else None
        with writing(self.engine) as connection:
            transactions.keep_mined(
                connection, transaction.id, block_number=block_number, block_hash=block_hash, reverted=reverted
            )
            if error is not None and error.error == "EmptyRevert" and transaction.operations > 1:
                # Most likely out of gas: nobody's fault, so the items go again in smaller company.
                self._items_max = max(1, transaction.operations // 2)
                transactions.requeue(connection, transaction.id)
            elif error is not None:
                self._fail_all(connection, transaction, receipt, error)
            else:
                settle(connection, found, operations.MINED)

    def _why(self, transaction: Transaction, block_number: int) -> Reverted:
        """The error of a reverted transaction, by calling it again on the state before its block."""
        with reading(self.engine) as connection:
            data = transactions.calldata(connection, transaction.id)
        call = {
            "from": transaction.signer,
            "to": transaction.target,
            "data": "0x" + data.hex(),
            "gas": hex(transaction.gas),
        }
        for block in (hex(block_number - 1), hex(block_number)):
            try:
                self.rpc.call("eth_call", call, block)
            except Reverted as error:
                return error
            except RpcError as error:
                log.info("cannot ask why %s reverted: %s", transaction.id, error)
        return Reverted("eth_call", 3, "reverted", None, "EmptyRevert", {})

    def _fail_all(self, connection: Any, transaction: Transaction, receipt: dict[str, Any], error: Reverted) -> None:
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
        names = {contract.address: contract.name for contract in self.deployment.contracts.values()}
        decoded = (
            self.deployment.codec.log(raw, names.get(raw["address"].lower(), "LoyaltyToken")) for raw in receipt["logs"]
        )
        return [found for found in decoded if found is not None]

    # New work

    def _take(self, flight: Sequence[Transaction]) -> list[Transaction]:
        """Gives nonces to what may go now."""
        load = dict.fromkeys(self.refs, 0)
        for transaction in flight:
            if transaction.signer in load:
                load[transaction.signer] += 1
        signer = min(load, key=lambda address: load[address])
        room = self.settings.in_flight_max - load[signer]
        if room <= 0:
            return []
        with reading(self.engine) as connection:
            queue = _queue(connection)
            if not queue:
                return []
            busy = _busy(connection)
        choice = choose(
            queue,
            busy_awards=frozenset(lane for lane, kind, by in busy if kind == AWARD and by == signer),
            busy_singles=frozenset(lane for lane, kind, by in busy if kind != AWARD or by != signer),
            items_max=self._items_max,
            delay_ms=self.settings.batch_delay_ms,
            singles_max=self.settings.singles_max,
            at_ms=now_ms(),
            only_full=load[signer] > 0,
        )
        plans = self._plans(choice, signer, room)
        if not plans:
            return []
        with writing(self.engine) as connection:
            return transactions.assign(connection, signer, plans)

    def _plans(self, choice: Choice, signer: str, room: int) -> list[Plan]:
        batches = choice.batches[:room]
        chosen = [item.id for batch in batches for item in batch] + [item.id for item in choice.singles]
        with reading(self.engine) as connection:
            payloads = _payloads(connection, chosen)
        plans = [plan for batch in batches if (plan := self._batch_plan(batch, payloads)) is not None]
        return self._single_plans(choice.singles, payloads, signer) + plans

    def _batch_plan(self, batch: Sequence[Waiting], payloads: dict[int, tuple[str, Any]]) -> Plan | None:
        brand = self.deployment.brands.get(batch[0].brand)
        if brand is None:
            for item in batch:
                self._refuse(item, "OperationInvalid", {"message": f"The deployment has no brand {item.brand!r}."})
            return None
        items = [payloads[item.id] for item in batch]
        target, data = calls.award_batch(self.deployment, brand.id, items)
        return Plan("batch", target, data, calls.batch_gas(len(batch)), tuple(item.id for item in batch))

    def _single_plans(
        self, singles: Sequence[Waiting], payloads: dict[int, tuple[str, Any]], signer: str
    ) -> list[Plan]:
        """Simulates before a nonce is spent: what would revert fails now, with its error, and costs nothing."""
        plans: list[tuple[Waiting, Plan]] = []
        for item in singles:
            try:
                target, data = calls.single(self.deployment, item.kind, item.brand, item.lane, payloads[item.id][1])
            except OperationInvalid as error:
                self._refuse(item, error.name, {"message": str(error)})
                continue
            plans.append((item, Plan(item.kind, target, data, calls.GAS[item.kind], (item.id,))))
        answers = self.rpc.try_batch(
            [
                (
                    "eth_call",
                    [{"from": signer, "to": p.target, "data": "0x" + p.calldata.hex(), "gas": hex(p.gas)}, "latest"],
                )
                for _, p in plans
            ]
        )
        good = []
        for (item, plan), answer in zip(plans, answers, strict=True):
            if isinstance(answer, Reverted):
                self._refuse(item, answer.error, answer.error_args)
            elif isinstance(answer, RpcError):
                log.warning("cannot simulate operation %d: %s", item.id, answer)
            else:
                good.append(plan)
        return good

    def _refuse(self, item: Waiting, error: str, error_args: dict[str, Any]) -> None:
        table = operations.table
        with writing(self.engine) as connection:
            connection.execute(
                table.update()
                .where(table.c.id == item.id, table.c.state == operations.QUEUED)
                .values(state=operations.FAILED, error=error, error_args=error_args, updated_at_ms=now_ms())
            )

    # Out to the node

    def _forward(self, flight: Sequence[Transaction]) -> bool:
        """Signs what has only a nonce and sends what is signed, strictly in nonce order of each signer."""
        moved = False
        halted: set[str] = set()
        for transaction in sorted(flight, key=lambda t: (t.signer, t.nonce)):
            if transaction.signer in halted:
                continue
            if transaction.state == "assigned":
                self._sign(transaction, self._present_fees())
            if transaction.state == "signed":
                if self._must_wait(transaction):
                    halted.add(transaction.signer)
                elif self._send(transaction):
                    moved = True
                else:
                    halted.add(transaction.signer)
        return moved

    def _must_wait(self, transaction: Transaction) -> bool:
        """Whether the nonce in front is not mined yet, on a node that wants one at a time."""
        if not self._one_at_a_time or transaction.nonce <= self._counted.get(transaction.signer, -1):
            return False
        return transaction.nonce > self._counts([transaction.signer])[transaction.signer]

    def _sign(self, transaction: Transaction, fees: Fees) -> None:
        with reading(self.engine) as connection:
            data = transactions.calldata(connection, transaction.id)
        signed = sign(
            self.keystore,
            self.refs[transaction.signer],
            chain_id=self.deployment.chain_id,
            nonce=transaction.nonce,
            target=transaction.target,
            calldata=data,
            gas=transaction.gas,
            fees=fees,
        )
        with writing(self.engine) as connection:
            transactions.keep_signed(connection, transaction, signed.tx_hash, signed.raw)
        if transaction.state == "assigned":
            transaction.state = "signed"
        self._fresh[transaction.id] = signed.raw
        self._fees_of[transaction.id] = fees

    def _send(self, transaction: Transaction) -> bool:
        """Offers it to the node; False when later nonces must wait."""
        raw = self._fresh.pop(transaction.id, None)
        if raw is None:
            raw = self._raw_after_receipts(transaction)
            if raw is None:
                return True
        try:
            # From here on the answer may be lost: the transaction is no longer fresh, whatever happens.
            self._sent_at[transaction.id] = time.monotonic()
            self.rpc.call("eth_sendRawTransaction", raw)
        except AlreadyKnown:
            pass
        except NonceTooLow:
            # It was mined, by an earlier offer or by a stranger: _collect finds out.
            return True
        except NonceTooHigh:
            return False
        except Underpriced as error:
            log.warning("nonce %d is underpriced: %s", transaction.nonce, error)
            paid = self._fees_of.get(transaction.id) or self._present_fees()
            self._sign(transaction, paid.raised(self.settings.fee_cap_wei))
            return False
        except InsufficientFunds as error:
            heartbeat.beat(self.engine, "relayer", "waiting", f"{transaction.signer} cannot pay gas: {error.message}")
            raise
        with writing(self.engine) as connection:
            transactions.keep_sent(connection, transaction)
        transaction.state = "sent"
        return True

    def _raw_after_receipts(self, transaction: Transaction) -> str | None:
        """The last raw to offer again, or None when one of its hashes has a receipt already."""
        with reading(self.engine) as connection:
            known = transactions.hashes_of(connection, [transaction.id])[transaction.id]
        for receipt in self.rpc.batch([("eth_getTransactionReceipt", [tx_hash]) for tx_hash, _ in known]):
            if _is_mined(receipt):
                self._decide(transaction, receipt)
                self._forget(transaction.id)
                return None
        return known[-1][1]

    def _present_fees(self) -> Fees:
        if time.monotonic() - self._fees_at > FEES_AGE_S_MAX:
            block = self.rpc.call("eth_getBlockByNumber", "latest", False)
            base = int(block.get("baseFeePerGas") or "0x0", 16)
            cap = self.settings.fee_cap_wei
            self._fees = Fees(min(cap, 2 * base + self.settings.tip_wei), min(cap, self.settings.tip_wei))
            self._fees_at = time.monotonic()
        return self._fees

    def _forget(self, id: int) -> None:
        self._fresh.pop(id, None)
        self._sent_at.pop(id, None)
        self._passed_at.pop(id, None)
        self._fees_of.pop(id, None)

    def _known_signers(self) -> bool:
        with reading(self.engine) as connection:
            found = set(connection.execute(select(transactions.signers.c.address)).scalars())
        return set(self.refs) <= found


def _is_mined(receipt: Any) -> bool:
    with believable("a receipt"):
        return receipt is not None and receipt["blockNumber"] is not None


def _queue(connection: Any) -> list[Waiting]:
    table = operations.table
    columns = [table.c[name] for name in Waiting.__dataclass_fields__]
    rows = connection.execute(
        select(*columns).where(table.c.state == operations.QUEUED).order_by(table.c.id).limit(QUEUE_WINDOW)
    )
    return [Waiting(*row) for row in rows]


def _busy(connection: Any) -> list[tuple[str, str, str]]:
    """(lane, kind, signer) of every operation under way."""
    table, transaction = operations.table, transactions.table
    rows = connection.execute(
        select(table.c.lane, table.c.kind, transaction.c.signer)
        .join(transaction, transaction.c.id == table.c.transaction_id)
        .where(table.c.state.in_((operations.ASSIGNED, operations.SENT)))
    )
    return [(lane, kind, signer) for lane, kind, signer in rows]


def _payloads(connection: Any, ids: Sequence[int]) -> dict[int, tuple[str, Any]]:
    table = operations.table
    found: dict[int, tuple[str, Any]] = {}
    for start in range(0, len(ids), operations.KEYS_PER_QUERY_MAX):
        chosen = ids[start : start + operations.KEYS_PER_QUERY_MAX]
        for id, operation_id, payload in connection.execute(
            select(table.c.id, table.c.operation_id, table.c.payload).where(table.c.id.in_(chosen))
        ):
            found[id] = (operation_id, payload)
    return found


__all__ = ["ChainError", "Relayer", "RelayerSettings"]
