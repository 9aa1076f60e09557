"""Out to the node: signs what has only a nonce, sends what is signed, strictly in nonce order of each signer."""

import logging
import time
from collections.abc import Mapping, Sequence

from sqlalchemy import Engine

from chain import heartbeat, transactions
from chain.database import reading, writing
from chain.errors import AlreadyKnown, InsufficientFunds, NonceTooHigh, NonceTooLow, Underpriced
from chain.keystore import Keystore
from chain.line import Line
from chain.receipts import Receipts
from chain.signer import Fees, sign
from chain.transactions import Transaction

log = logging.getLogger(__name__)


class Sender:
    """Nothing is sent that is not stored, and nothing a second time before a receipt was looked for."""

    def __init__(
        self, engine: Engine, chain_id: int, keystore: Keystore, refs: Mapping[str, str], line: Line, receipts: Receipts
    ):
        self._engine = engine
        self._chain_id = chain_id
        self._keystore = keystore
        self._refs = refs
        self._line = line
        self._receipts = receipts

    def forward(self, flight: Sequence[Transaction]) -> bool:
        """True when anything was sent."""
        moved = False
        halted: set[str] = set()
        for transaction in sorted(flight, key=lambda t: (t.signer, t.nonce)):
            if transaction.signer in halted:
                continue
            if transaction.state == "assigned":
                self._sign(transaction, self._line.fees())
            if transaction.state == "signed":
                if self._line.must_wait(transaction):
                    halted.add(transaction.signer)
                elif self._send(transaction):
                    moved = True
                else:
                    halted.add(transaction.signer)
        return moved

    def _sign(self, transaction: Transaction, fees: Fees) -> None:
        with reading(self._engine) as connection:
            data = transactions.calldata(connection, transaction.id)
        signed = sign(
            self._keystore,
            self._refs[transaction.signer],
            chain_id=self._chain_id,
            nonce=transaction.nonce,
            target=transaction.target,
            calldata=data,
            gas=transaction.gas,
            fees=fees,
        )
        with writing(self._engine) as connection:
            transactions.keep_signed(connection, transaction, signed.tx_hash, signed.raw)
        if transaction.state == "assigned":
            transaction.state = "signed"
        self._line.fresh[transaction.id] = signed.raw
        self._line.fees_of[transaction.id] = fees

    def _send(self, transaction: Transaction) -> bool:
        """Offers it to the node; False when later nonces must wait."""
        raw = self._line.fresh.pop(transaction.id, None)
        if raw is None:
            mined, raw = self._receipts.found(transaction)
            if mined:
                return True
        try:
            # From here on the answer may be lost: the transaction is no longer fresh, whatever happens.
            self._line.sent_at[transaction.id] = time.monotonic()
            self._line.rpc.call("eth_sendRawTransaction", raw)
        except AlreadyKnown:
            pass
        except NonceTooLow:
            # It was mined, by an earlier offer or by a stranger: the receipts tell.
            return True
        except NonceTooHigh:
            return False
        except Underpriced as error:
            log.warning("nonce %d is underpriced: %s", transaction.nonce, error)
            paid = self._line.fees_of.get(transaction.id) or self._line.fees()
            self._sign(transaction, paid.raised(self._line.settings.fee_cap_wei))
            return False
        except InsufficientFunds as error:
            heartbeat.beat(self._engine, "relayer", "waiting", f"{transaction.signer} cannot pay gas: {error.message}")
            raise
        with writing(self._engine) as connection:
            transactions.keep_sent(connection, transaction)
        transaction.state = "sent"
        return True
