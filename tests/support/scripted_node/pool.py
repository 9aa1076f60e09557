"""Transactions that were sent and not mined yet, refused in the words of the node that is played.

The texts of Ganache 7.9.2 and Anvil 1.7.1 were taken from the nodes themselves, geth's from core/txpool/errors.go.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import rlp
from eth_account import Account

from tests.support.scripted_node.blocks import BASE_FEE_WEI, ZERO_ADDRESS, Log, Transaction
from tests.support.scripted_node.chain import Chain
from tests.support.scripted_node.hashing import keccak
from tests.support.scripted_node.replies import Refusal

GANACHE: Final = "ganache"
ANVIL: Final = "anvil"
GETH: Final = "geth"

TEXTS: Final[Mapping[str, Mapping[str, tuple[int, str]]]] = {
    GANACHE: {
        "already known": (-32003, "transaction underpriced"),
        "nonce too low": (
            -32000,
            "the tx doesn't have the correct nonce. account has nonce of: {has} tx has nonce of: {nonce}",
        ),
        "nonce too high": (
            -32000,
            "the tx doesn't have the correct nonce. account has nonce of: {has} tx has nonce of: {nonce}",
        ),
        "underpriced": (-32003, "transaction underpriced"),
        "fee too low": (-32003, "max fee per gas less than block base fee"),
        "insufficient funds": (-32003, "insufficient funds for gas * price + value"),
        "mining already": (-32003, "transaction can't be replaced, mining has already started"),
    },
    ANVIL: {
        "already known": (-32003, "transaction already imported"),
        "nonce too low": (-32003, "nonce too low"),
        "nonce too high": (-32003, "Nonce too high"),
        "underpriced": (-32003, "replacement transaction underpriced"),
        "fee too low": (-32003, "max fee per gas less than block base fee"),
        "insufficient funds": (-32003, "Insufficient funds for gas * price + value"),
    },
    GETH: {
        "already known": (-32000, "already known"),
        "nonce too low": (-32000, "nonce too low: next nonce {has}, tx nonce {nonce}"),
        "nonce too high": (-32000, "nonce too high: tx nonce {nonce}, gapped nonce {has}"),
        "underpriced": (-32000, "replacement transaction underpriced"),
        "fee too low": (
            -32000,
            "max fee per gas less than block base fee: address {sender}, maxFeePerGas: {fee}, baseFee: {base_fee}",
        ),
        "insufficient funds": (
            -32000,
            "insufficient funds for gas * price + value: address {sender} have 0 want 42000000000000",
        ),
    },
}


@dataclass(frozen=True, slots=True)
class Sent:
    """A transaction as someone signed it. Fees in wei."""

    hash: str
    raw: bytes
    sender: str
    to: str | None
    nonce: int
    data: bytes
    fee_cap_wei: int


@dataclass(frozen=True, slots=True)
class Effect:
    """What a transaction does when it is mined."""

    logs: tuple[Log, ...] = ()
    status: int = 1


class Pool:
    """Accepts, queues and refuses as its `dialect` does. `effect` says what a mined transaction does."""

    def __init__(self, chain: Chain, dialect: str = GETH):
        self.chain = chain
        self.dialect = dialect
        self.effect: Callable[[Sent], Effect] = lambda sent: Effect()
        self.replacement_percent = 10
        self.base_fee_wei = BASE_FEE_WEI
        self.gap_refused = False
        self.poor: set[str] = set()
        self.waiting: dict[tuple[str, int], Sent] = {}
        # Every acceptance in order: the same hash may stand here twice only for a node that allows it.
        self.accepted: list[Sent] = []

    def send(self, raw_hex: str) -> str:
        """The hash, or a Refusal in the node's words."""
        sent = decode(bytes.fromhex(raw_hex.removeprefix("0x")))
        has = self.chain.nonces[sent.sender]
        before = self.waiting.get((sent.sender, sent.nonce))
        if sent.sender in self.poor:
            raise self.refusal("insufficient funds", sent)
        # Ganache 7.9.2 takes a signed transaction of nonce 0 as often as it is sent, and mines it each time.
        if sent.nonce < has and not (self.dialect == GANACHE and sent.nonce == 0):
            raise self.refusal("nonce too low", sent)
        if sent.nonce > has and self.gap_refused and (sent.sender, sent.nonce - 1) not in self.waiting:
            raise self.refusal("nonce too high", sent)
        if before is not None and before.hash == sent.hash:
            raise self.refusal("already known", sent)
        if sent.fee_cap_wei < self.base_fee_wei:
            raise self.refusal("fee too low", sent)
        if before is not None and sent.fee_cap_wei * 100 < before.fee_cap_wei * (100 + self.replacement_percent):
            raise self.refusal("underpriced", sent)
        self.waiting[sent.sender, sent.nonce] = sent
        self.accepted.append(sent)
        return sent.hash

    def refusal(self, reason: str, sent: Sent) -> Refusal:
        """The node's error for a reason of TEXTS."""
        code, text = TEXTS[self.dialect][reason]
        has, fee = self.chain.nonces[sent.sender], sent.fee_cap_wei
        message = text.format(has=has, nonce=sent.nonce, sender=sent.sender, fee=fee, base_fee=self.base_fee_wei)
        return Refusal(code, message)

    def take(self, count_max: int | None = None) -> list[Transaction]:
        """What the next block holds: each sender's transactions without a gap, which leave the pool."""
        ready: list[Sent] = []
        expected: dict[str, int] = {}
        for (sender, nonce), sent in sorted(self.waiting.items(), key=lambda item: item[0]):
            next_nonce = expected.setdefault(sender, self.chain.nonces[sender])
            repeated = self.dialect == GANACHE and nonce == 0
            if nonce == next_nonce or repeated:
                expected[sender] = next_nonce + 1
                ready.append(sent)
        ready = ready[:count_max]
        for sent in ready:
            del self.waiting[sent.sender, sent.nonce]
        return [self._mined(sent) for sent in ready]

    def put_back(self, transactions: Sequence[Transaction]) -> None:
        """After a reorg: what was sent by someone waits again. Scripted transactions were sent by nobody."""
        hashes = {sent.hash: sent for sent in self.accepted}
        for transaction in transactions:
            sent = hashes.get(transaction.hash)
            if sent is not None and transaction.hash not in self.chain.places:
                self.waiting.setdefault((sent.sender, sent.nonce), sent)

    def pending_nonce(self, sender: str) -> int:
        """eth_getTransactionCount "pending"; Ganache ignores what waits."""
        nonce = self.chain.nonces[sender]
        while self.dialect != GANACHE and (sender, nonce) in self.waiting:
            nonce += 1
        return nonce

    def _mined(self, sent: Sent) -> Transaction:
        effect = self.effect(sent)
        return Transaction(
            hash=sent.hash,
            raw=sent.raw,
            sender=sent.sender,
            to=sent.to,
            nonce=sent.nonce,
            logs=effect.logs if effect.status else (),
            status=effect.status,
            data="0x" + sent.data.hex(),
            fee_cap_wei=sent.fee_cap_wei,
        )


def decode(raw: bytes) -> Sent:
    """A signed transaction of type 0, 1 or 2."""
    try:
        fields: Any = rlp.decode(raw[1:] if raw[0] in (1, 2) else raw)
        nonce_at, fee_at, to_at = {1: (1, 2, 4), 2: (1, 3, 5)}.get(raw[0], (0, 1, 3))
        to = "0x" + fields[to_at].hex() if fields[to_at] else None
        return Sent(
            hash="0x" + keccak(raw).hex(),
            raw=raw,
            sender=str(Account.recover_transaction(raw)).lower(),
            to=to or ZERO_ADDRESS,
            nonce=int.from_bytes(fields[nonce_at]),
            data=fields[to_at + 2],
            fee_cap_wei=int.from_bytes(fields[fee_at]),
        )
    except (rlp.DecodingError, IndexError, ValueError, TypeError) as error:
        raise Refusal(-32602, f"rlp: {error}") from error
