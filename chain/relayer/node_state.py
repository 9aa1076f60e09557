"""What the relayer knows of the node and of its transactions in memory only: all of it can be forgotten at any time."""

import time
from collections.abc import Sequence, Set
from typing import Any, Final

from chain.base.errors import AnswerInconsistent, ChainReplaced, DeploymentMismatch, RpcError
from chain.contracts.deployment import Deployment
from chain.node.blocks import believable, counted
from chain.node.rpc import Rpc
from chain.outbox import calls
from chain.outbox.transactions import Transaction
from chain.relayer.settings import RelayerSettings
from chain.relayer.signer import Fees
from chain.telemetry import metrics

HEAD_AGE_S_MAX: Final = 1.0
BLOCK_GAS_SHARE: Final = 0.9
# After the node refused a batch as too large, batches grow again by a part of themselves with each that is taken.
GROWTH: Final = 8
# A node that mines what it is sent within this time mines it at once: others are not batched by its blocks.
AT_ONCE_S: Final = 1.0
# How much of the mean a new measurement makes.
WEIGHT: Final = 0.2


class NodeState:
    """The relayer's line to one node."""

    def __init__(self, rpc: Rpc, settings: RelayerSettings, deployment: Deployment, signers: Sequence[str]):
        self.rpc = rpc
        self.settings = settings
        self._deployment = deployment
        self._signers = tuple(signers)
        self.items_max = self._room = min(settings.batch_items_max, calls.AWARDS_MAX)
        self._refused_size = 0
        # Ganache may forget in its pool a transaction that arrives while the one before it is being mined, until it is
        # offered again: there, nothing is sent before the nonce in front of it is counted.
        self.one_at_a_time: bool | None = None
        self.head = 0
        self.counted: dict[str, int] = {}
        self.balances: dict[str, int] = {}
        self._verified = False
        self._mismatch_since: float | None = None
        self._head_at = self._balances_at = self._looked_at = -1e9
        self._fees = Fees(0, 0)
        # Signed in this process and never offered to the node: the only ones that need no look for a receipt first.
        self.fresh: dict[int, str] = {}
        self.sent_at: dict[int, float] = {}
        self.first_sent_at: dict[int, float] = {}
        # When, and at which head, the nonce was first seen as spent.
        self.passed: dict[int, tuple[float, int]] = {}
        self.refused_since: dict[int, float] = {}
        # From the first offer until it was decided; a mean that forgets.
        self._decided_s: float | None = None

    # The node

    def doubt(self) -> None:
        """Something went wrong: the next look makes sure first that this is still our chain, and forgets nothing."""
        self._verified = False
        self._looked_at = -1e9

    def look(self, *, news: bool = True) -> None:
        """Asks for head, nonces and, now and then, fees and balances. Without `news` only when the last look is old.

        Raises ChainReplaced or DeploymentMismatch when the node shows another chain, or our contracts gone, for
        longer than a moment; AnswerInconsistent until then: nothing is sent to a chain in doubt.
        """
        now = time.monotonic()
        if not news and now - self._looked_at < self.settings.look_s:
            return
        if not self._verified:
            self._verify(now)
        if self.one_at_a_time is None:
            version = self.rpc.call("web3_clientVersion")
            with believable("the node's version"):
                self.one_at_a_time = version.lower().startswith("ganache")
        if now - self._head_at > HEAD_AGE_S_MAX:
            self._look_at_head(now)
        if now - self._balances_at > self.settings.balance_every_s:
            self._look_at_balances(now)
        asked: list[tuple[str, list[Any]]] = [("eth_blockNumber", [])]
        asked += [("eth_getTransactionCount", [signer, "latest"]) for signer in self._signers]
        answers = self.rpc.batch(asked)
        with believable("the head and counts of transactions"):
            head, *counts = (counted(answer) for answer in answers)
        before, self.counted = self.counted, dict(zip(self._signers, counts, strict=True))
        self.head = head
        self._looked_at = now
        if any(self.counted[signer] < before.get(signer, 0) for signer in self._signers):
            # A reorg, a node that lags, or a node that lost its state: find out before anything is sent.
            self._verify(now)

    def _verify(self, now: float) -> None:
        try:
            self._deployment.verify(self.rpc)
        except (ChainReplaced, DeploymentMismatch) as error:
            self._mismatch_since = self._mismatch_since or now
            if now - self._mismatch_since >= self.settings.replaced_after_s:
                raise
            raise AnswerInconsistent(str(error)) from error
        self._verified, self._mismatch_since = True, None

    def _look_at_head(self, now: float) -> None:
        block = self.rpc.call("eth_getBlockByNumber", "latest", False)
        with believable("the base fee and the gas limit"):
            base = int(block.get("baseFeePerGas") or "0x0", 16)
            room = int(int(block["gasLimit"], 16) * BLOCK_GAS_SHARE) - calls.BATCH_BASE_GAS
        cap = self.settings.fee_cap_wei
        self._fees = Fees(min(cap, 2 * base + self.settings.tip_wei), min(cap, self.settings.tip_wei))
        self._room = max(1, min(self.settings.batch_items_max, calls.AWARDS_MAX, room // calls.ITEM_GAS))
        self.items_max = min(self._room, self.items_max) if self._refused_size else self._room
        self._head_at = now

    def _look_at_balances(self, now: float) -> None:
        answers = self.rpc.try_batch([("eth_getBalance", [signer, "latest"]) for signer in self._signers])
        with believable("a balance"):
            # A node that does not tell balances leaves it to its refusals.
            known = {s: int(a, 16) for s, a in zip(self._signers, answers, strict=True) if not isinstance(a, RpcError)}
        self.balances = known
        self._balances_at = now

    # Batches and the block's gas

    def too_large(self, operations: int) -> None:
        """The node refused a batch of so many for its gas, or it ran out of it."""
        self.items_max = self._refused_size = max(1, min(self.items_max, operations // 2))
        self._head_at = -1e9

    def fits(self, operations: int) -> None:
        """A full batch went through: after a refusal, batches grow again by and by."""
        if self._refused_size and operations >= self.items_max:
            self.items_max = min(self._room, self.items_max + 1 + self.items_max // GROWTH)
            if self.items_max == self._room:
                self._refused_size = 0

    # Signers

    def poor(self) -> dict[str, int]:
        """Signers below the least balance, with what they have."""
        least = self.settings.balance_min_wei
        if least is None:
            least = calls.batch_gas(self.items_max) * self._fees.max_fee
        return {signer: has for signer, has in self.balances.items() if has < least}

    def cannot_pay(self, signer: str) -> None:
        """The node says so: believed until the balance is asked for again."""
        self.balances[signer] = 0

    def tell(self, flight: Sequence[Transaction]) -> None:
        """Balances and transactions under way, to the metrics."""
        for signer in self._signers:
            pending = sum(transaction.signer == signer for transaction in flight)
            metrics.signer(signer, self.balances.get(signer, 0), pending)

    def fees(self) -> Fees:
        """What to offer now: twice the base fee and the tip, never above the cap."""
        if self._head_at < 0:
            self._look_at_head(time.monotonic())
        return self._fees

    # Transactions

    def is_passed(self, transaction: Transaction) -> bool:
        """Whether its nonce is spent."""
        return transaction.nonce < self.counted.get(transaction.signer, 0)

    def must_wait(self, transaction: Transaction) -> bool:
        """Whether the nonce in front is not mined yet, on a node that wants one at a time."""
        return bool(self.one_at_a_time) and transaction.nonce > self.counted.get(transaction.signer, 0)

    def is_stuck(self, transaction: Transaction, now: float) -> bool:
        """Whether it was offered so long ago that it should be offered again, or by a process that is gone."""
        sent_at = self.sent_at.get(transaction.id)
        return sent_at is None or now - sent_at > self.settings.resend_after_s

    def wants_replacement(self, transaction: Transaction, now: float) -> bool:
        """Whether it is the signer's next and was first offered so long ago that it should pay more."""
        if transaction.nonce != self.counted.get(transaction.signer):
            return False
        return now - self.first_sent_at.get(transaction.id, now) > self.settings.replace_after_s

    def forget(self, id: int) -> None:
        """The transaction is decided."""
        self._measure({id})
        for known in self._by_transaction():
            known.pop(id, None)

    def forget_all_but(self, ids: Set[int]) -> None:
        """Most are decided by the mirror, in its own transaction."""
        self._measure(self.first_sent_at.keys() - ids)
        for known in self._by_transaction():
            for id in known.keys() - ids:
                del known[id]

    @property
    def mines_at_once(self) -> bool:
        """Whether a transaction waits for those before it rather than for a block's time."""
        return bool(self.one_at_a_time) or (self._decided_s is not None and self._decided_s < AT_ONCE_S)

    def _measure(self, ids: Set[int]) -> None:
        now = time.monotonic()
        for id in ids & self.first_sent_at.keys():
            took_s = now - self.first_sent_at[id]
            before = took_s if self._decided_s is None else self._decided_s
            self._decided_s = before + WEIGHT * (took_s - before)

    def _by_transaction(self) -> tuple[dict[int, Any], ...]:
        return self.fresh, self.sent_at, self.first_sent_at, self.passed, self.refused_since
