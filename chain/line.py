"""What the relayer knows of the node and of its transactions in memory only: all of it can be forgotten at any time."""

import time
from collections.abc import Sequence
from typing import Final

from chain import calls
from chain.blocks import believable
from chain.rpc import Rpc
from chain.settings import RelayerSettings
from chain.signer import Fees
from chain.transactions import Transaction

FEES_AGE_S_MAX: Final = 1.0
BLOCK_GAS_SHARE: Final = 0.9


class Line:
    """The relayer's line to one node."""

    def __init__(self, rpc: Rpc, settings: RelayerSettings):
        self.rpc = rpc
        self.settings = settings
        self.items_max = settings.batch_items_max
        # Ganache may forget in its pool a transaction that arrives while the one before it is being mined, until it is
        # offered again: there, nothing is sent before the nonce in front of it is counted.
        self.one_at_a_time: bool | None = None
        self._counted: dict[str, int] = {}
        self._fees_at = 0.0
        self._fees = Fees(0, 0)
        # Signed in this process and never offered to the node: the only ones that need no look for a receipt first.
        self.fresh: dict[int, str] = {}
        self.sent_at: dict[int, float] = {}
        self.passed_at: dict[int, float] = {}
        self.fees_of: dict[int, Fees] = {}

    def learn(self) -> None:
        """Asks once how many awards a block carries here, and whether this node wants one transaction at a time."""
        if self.one_at_a_time is not None:
            return
        version = self.rpc.call("web3_clientVersion")
        block = self.rpc.call("eth_getBlockByNumber", "latest", False)
        with believable("the node's version and gas limit"):
            room = int(int(block["gasLimit"], 16) * BLOCK_GAS_SHARE) - calls.BATCH_BASE_GAS
            one_at_a_time = version.lower().startswith("ganache")
        self.items_max = max(1, min(self.settings.batch_items_max, room // calls.ITEM_GAS))
        self.one_at_a_time = one_at_a_time

    def counts(self, signers: Sequence[str]) -> dict[str, int]:
        """How many nonces of each signer are mined."""
        answers = self.rpc.batch([("eth_getTransactionCount", [signer, "latest"]) for signer in signers])
        with believable("a count of transactions"):
            self._counted |= {signer: int(answer, 16) for signer, answer in zip(signers, answers, strict=True)}
        return self._counted

    def must_wait(self, transaction: Transaction) -> bool:
        """Whether the nonce in front is not mined yet, on a node that wants one at a time."""
        if not self.one_at_a_time or transaction.nonce <= self._counted.get(transaction.signer, -1):
            return False
        return transaction.nonce > self.counts([transaction.signer])[transaction.signer]

    def fees(self) -> Fees:
        """What to offer now: twice the base fee and the tip, never above the cap."""
        if time.monotonic() - self._fees_at > FEES_AGE_S_MAX:
            block = self.rpc.call("eth_getBlockByNumber", "latest", False)
            with believable("the base fee"):
                base = int(block.get("baseFeePerGas") or "0x0", 16)
            cap = self.settings.fee_cap_wei
            self._fees = Fees(min(cap, 2 * base + self.settings.tip_wei), min(cap, self.settings.tip_wei))
            self._fees_at = time.monotonic()
        return self._fees

    def is_stuck(self, transaction: Transaction, now: float) -> bool:
        """Whether it was offered so long ago that it should be offered again, or by a process that is gone."""
        sent_at = self.sent_at.get(transaction.id)
        return sent_at is None or now - sent_at > self.settings.resend_after_s

    def forget(self, id: int) -> None:
        """The transaction is decided."""
        self.fresh.pop(id, None)
        self.sent_at.pop(id, None)
        self.passed_at.pop(id, None)
        self.fees_of.pop(id, None)
