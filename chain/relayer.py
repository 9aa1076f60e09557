"""Takes operations from the queue and gives each exactly one effect on the chain, or a typed failure.

The order of writing is the design. Each arrow is a commit; a process killed between any two of them finds in the
tables all it needs to go on:

    nonce and operations ──> raw and hash ──> (send) ──> sent ──> mined or reverted, from the mirror or a receipt

Nothing is sent that is not stored; a receipt is looked for under every hash ever signed before anything is sent a
second time; and nonces go out strictly in order, so that a node which waits for a gap never makes us wait.
"""

import logging
import threading
from typing import Final

from sqlalchemy import Engine, select

from chain import heartbeat, transactions
from chain.database import reading, writing
from chain.deployment import Deployment
from chain.errors import AnswerInconsistent, NodeUnavailable, RpcError
from chain.intake import Intake
from chain.keystore import Keystore, signer_ref
from chain.line import Line
from chain.receipts import Receipts
from chain.rpc import Rpc
from chain.sender import Sender
from chain.settings import RelayerSettings

log = logging.getLogger(__name__)

BACKOFF_S_MAX: Final = 2.0


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
        self.settings = settings or RelayerSettings()
        self.refs = {keystore.address_of(signer_ref(i)): signer_ref(i) for i in range(self.settings.signers)}
        self.line = Line(rpc, self.settings)
        self.receipts = Receipts(engine, deployment, self.line)
        self.intake = Intake(engine, deployment, self.line, self.refs)
        self.sender = Sender(engine, deployment.chain_id, keystore, self.refs, self.line, self.receipts)

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

    def step(self) -> bool:
        """One round: what is under way first, then new work. True when anything happened."""
        self.line.learn()
        if not self._known_signers():
            self.provision()
        with reading(self.engine) as connection:
            flight = transactions.open_ones(connection)
        decided = self.receipts.collect(flight)
        flight = [transaction for transaction in flight if transaction.id not in decided]
        made = self.intake.take(flight)
        sent = self.sender.forward(flight + made)
        return bool(decided or made or sent)

    def provision(self) -> None:
        """Makes the signers known and burns the nonce 0 of those that never sent anything."""
        counts = self.line.counts(list(self.refs))
        with writing(self.engine) as connection:
            for address, ref in self.refs.items():
                transactions.provision(connection, address=address, ref=ref, count=counts[address])

    def _known_signers(self) -> bool:
        with reading(self.engine) as connection:
            found = set(connection.execute(select(transactions.signers.c.address)).scalars())
        return set(self.refs) <= found


__all__ = ["Relayer", "RelayerSettings"]
