"""Out to the node: signs what has only a nonce, sends what is signed, strictly in nonce order of each signer.

What is signed in a round is stored in one SQL transaction before any of it is sent; what was sent is stored in
another after it. Nothing is sent a second time before a receipt was looked for.
"""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Engine

from chain.base.errors import AlreadyKnown, InsufficientFunds, NonceTooHigh, NonceTooLow, RpcError, Underpriced
from chain.outbox import transactions
from chain.outbox.transactions import FILL_GAS, Transaction
from chain.outbox.transitions import ASSIGNED, FILLING, SENT, SIGNED
from chain.relayer import circuit_breaker as breaker
from chain.relayer.circuit_breaker import CircuitBreaker
from chain.relayer.node_state import NodeState
from chain.relayer.receipts import Receipts
from chain.relayer.rejections import is_final, needs_less_gas
from chain.relayer.signer import Fees, Keys, Signed, fees_of, is_fill, sign
from chain.storage.database import reading, writing
from chain.telemetry import metrics

log = logging.getLogger(__name__)


class Sender:
    """The only one who signs and sends."""

    def __init__(
        self,
        engine: Engine,
        chain_id: int,
        keys: Keys,
        refs: Mapping[str, str],
        node_state: NodeState,
        receipts: Receipts,
        breaker: CircuitBreaker,
    ):
        self._engine = engine
        self._chain_id = chain_id
        self._keys = keys
        self._refs = refs
        self._node_state = node_state
        self._receipts = receipts
        self._breaker = breaker
        # Signers whose next transaction would need more than the fee cap: its nonce, and a sentence.
        self.capped: dict[str, tuple[int, str]] = {}
        # Signers whose offer was refused for what waiting may help: why, and until when nothing is offered.
        self._resting: dict[str, tuple[str, float]] = {}

    def forward(self, flight: Sequence[Transaction], *, count_max: int | None = None) -> bool:
        """True when anything was sent. count_max: at most so many offers."""
        ordered = [t for t in _in_turns(flight) if t.signer in self._refs]
        self.capped = {
            s: (nonce, why) for s, (nonce, why) in self.capped.items() if nonce >= self._node_state.counted[s]
        }
        self._sign_new(ordered)
        sent: list[Transaction] = []
        halted: set[str] = set()
        try:
            for transaction in ordered:
                if transaction.signer in halted or transaction.state not in (SIGNED, FILLING):
                    continue
                if self._node_state.is_passed(transaction):
                    # A stranger was faster, or it was mined: the receipts tell, for what is not fresh.
                    self._node_state.fresh.pop(transaction.id, None)
                    continue
                full = count_max is not None and len(sent) >= count_max
                if full or self._node_state.must_wait(transaction) or self._rests(transaction.signer):
                    halted.add(transaction.signer)
                elif transaction.state == FILLING and not self._is_due(transaction):
                    continue
                elif not self._send(transaction, sent):
                    halted.add(transaction.signer)
        finally:
            # Whatever became of the others: these the node has.
            self._keep_sent(sent)
        return bool(sent)

    # Signing

    def _sign_new(self, flight: Sequence[Transaction]) -> None:
        """All that have only a nonce, stored in one SQL transaction."""
        new = [transaction for transaction in flight if transaction.state == ASSIGNED]
        if not new:
            return
        fees = self._node_state.fees()
        with reading(self._engine) as connection:
            calls = [transactions.calldata(connection, transaction.id) for transaction in new]
        signed = [self._signed(transaction, data, fees) for transaction, data in zip(new, calls, strict=True)]
        with writing(self._engine) as connection:
            for transaction, one in zip(new, signed, strict=True):
                transactions.keep_signed(connection, transaction, one.tx_hash, one.raw)
        for transaction, one in zip(new, signed, strict=True):
            transaction.state = SIGNED
            self._node_state.fresh[transaction.id] = one.raw

    def _signed(self, transaction: Transaction, data: bytes, fees: Fees) -> Signed:
        return sign(
            self._keys,
            self._refs[transaction.signer],
            chain_id=self._chain_id,
            nonce=transaction.nonce,
            target=transaction.target,
            calldata=data,
            gas=transaction.gas,
            fees=fees,
        )

    def _sign_again(self, transaction: Transaction, paid: Fees) -> str | None:
        """The same for more: at least a quarter, and what is asked for now; None at the cap. Stored before it is
        offered."""
        fees = paid.raised(self._node_state.settings.fee_cap_wei).at_least(self._node_state.fees())
        if fees.max_fee <= paid.max_fee:
            cap = self._node_state.settings.fee_cap_wei
            why = f"nonce {transaction.nonce} of {transaction.signer} needs more than the fee cap of {cap} wei"
            self.capped[transaction.signer] = (transaction.nonce, why)
            return None
        with reading(self._engine) as connection:
            data = transactions.calldata(connection, transaction.id)
        one = self._signed(transaction, data, fees) if transaction.state != FILLING else self._fill(transaction, fees)
        with writing(self._engine) as connection:
            transactions.keep_signed(connection, transaction, one.tx_hash, one.raw)
        metrics.replaced()
        return one.raw

    def _fill(self, transaction: Transaction, fees: Fees) -> Signed:
        return sign(
            self._keys,
            self._refs[transaction.signer],
            chain_id=self._chain_id,
            nonce=transaction.nonce,
            target=transaction.signer,
            calldata=b"",
            gas=FILL_GAS,
            fees=fees,
        )

    # Sending

    def _is_due(self, transaction: Transaction) -> bool:
        """A fill is offered at once, and again when it is stuck."""
        return self._node_state.is_stuck(transaction, time.monotonic())

    def _send(self, transaction: Transaction, sent: list[Transaction]) -> bool:
        """Offers it to the node; False when later nonces must wait."""
        raw = self._node_state.fresh.pop(transaction.id, None)
        if raw is None:
            mined, raw = self._receipts.found(transaction)
            if mined:
                return True
            raw = self._now(transaction, raw)
        now = time.monotonic()
        # From here on the answer may be lost: the transaction is no longer fresh, whatever happens.
        self._node_state.sent_at[transaction.id] = now
        self._node_state.first_sent_at.setdefault(transaction.id, now)
        try:
            self._node_state.rpc.call("eth_sendRawTransaction", raw)
            self.capped.pop(transaction.signer, None)
        except AlreadyKnown:
            pass
        except NonceTooLow:
            # It was mined, by an earlier offer or by a stranger: the receipts tell.
            return True
        except NonceTooHigh as error:
            self._rest(transaction, error)
            return False
        except Underpriced as error:
            self._node_state.sent_at.pop(transaction.id, None)
            if self._sign_again(transaction, fees_of(raw)) is None:
                self._rest(transaction, error)
            return False
        except InsufficientFunds as error:
            self._node_state.sent_at.pop(transaction.id, None)
            self._node_state.cannot_pay(transaction.signer)
            self._rest(transaction, error)
            return False
        except RpcError as error:
            self._refused(transaction, error)
            return False
        self._breaker.succeeded(breaker.REFUSED)
        self._node_state.refused_since.pop(transaction.id, None)
        self._resting.pop(transaction.signer, None)
        metrics.sent(transaction.kind)
        sent.append(transaction)
        return True

    def _rests(self, signer: str) -> bool:
        return time.monotonic() < self._resting.get(signer, ("", 0.0))[1]

    def _rest(self, transaction: Transaction, error: RpcError) -> None:
        """Waiting may help: it is offered again after a pause, and said once."""
        before, _ = self._resting.get(transaction.signer, ("", 0.0))
        if before != error.name:
            log.warning("nonce %d of %s must wait: %s", transaction.nonce, transaction.signer, error)
        self._resting[transaction.signer] = (error.name, time.monotonic() + self._node_state.settings.offer_again_s)

    def _now(self, transaction: Transaction, raw: str | None) -> str:
        """What to offer now: what was signed last, a higher offer when that waits for long, or its fill."""
        if transaction.state == FILLING and (raw is None or not is_fill(raw)):
            # Above what the original offered, so that a pool that holds it takes the fill in its place.
            fees = self._node_state.fees()
            if raw is not None:
                fees = fees_of(raw).raised(self._node_state.settings.fee_cap_wei).at_least(fees)
            one = self._fill(transaction, fees)
            with writing(self._engine) as connection:
                transactions.keep_signed(connection, transaction, one.tx_hash, one.raw)
            return one.raw
        assert raw is not None, "what is signed has a raw"
        if self._node_state.wants_replacement(transaction, time.monotonic()):
            return self._sign_again(transaction, fees_of(raw)) or raw
        return raw

    def _refused(self, transaction: Transaction, error: RpcError) -> None:
        """For a reason that is not about nonce, fee or balance. What can never be sent gives its nonce up."""
        log.warning("nonce %d of %s is refused: %s", transaction.nonce, transaction.signer, error)
        now = time.monotonic()
        since = self._node_state.refused_since.setdefault(transaction.id, now)
        self._node_state.sent_at.pop(transaction.id, None)
        if needs_less_gas(error) and transaction.operations > 1:
            self._node_state.too_large(transaction.operations)
        if transaction.state != FILLING and (
            is_final(error) or now - since > self._node_state.settings.refusal_patience_s
        ):
            with writing(self._engine) as connection:
                if transactions.give_up(connection, transaction.id):
                    transaction.state = FILLING
        else:
            self._breaker.failed(breaker.REFUSED, str(error))

    def _keep_sent(self, sent: Sequence[Transaction]) -> None:
        new = [transaction for transaction in sent if transaction.state == SIGNED]
        if not new:
            return
        with writing(self._engine) as connection:
            for transaction in new:
                transactions.keep_sent(connection, transaction)
        for transaction in new:
            transaction.state = SENT
            self._node_state.fits(transaction.operations)


def _in_turns(flight: Sequence[Transaction]) -> Iterator[Transaction]:
    """Each signer's in nonce order, the signers in turns, so that none waits for another's queue."""
    by_signer: dict[str, list[Transaction]] = {}
    for transaction in sorted(flight, key=lambda t: t.nonce):
        by_signer.setdefault(transaction.signer, []).append(transaction)
    for place in range(max(map(len, by_signer.values()), default=0)):
        for queue in by_signer.values():
            if place < len(queue):
                yield queue[place]
