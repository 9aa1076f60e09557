"""Takes operations from the queue and gives each exactly one effect on the chain, or a typed failure.

The order of writing is the design. Each arrow is a commit; a process killed between any two of them finds in the
tables all it needs to go on:

    nonce and operations ──> raw and hash ──> (send) ──> sent ──> mined or reverted, from the mirror or a receipt

Nothing is sent that is not stored; a receipt is looked for under every hash ever signed before anything is sent a
second time; and nonces go out strictly in order, so that a node which waits for a gap never makes us wait.
"""

import logging
import math
import threading
import time
from collections.abc import Sequence
from typing import Final, Protocol

from sqlalchemy import Connection, Engine, select

from chain.base.clock import now_ms
from chain.base.errors import AnswerInconsistent, ChainReplaced, DeploymentError, NodeUnavailable, RpcError
from chain.contracts.deployment import Deployment
from chain.mirror.queries.checkpoint import checkpoint
from chain.node.rpc import Rpc
from chain.outbox import locked, operations, transactions
from chain.outbox.transactions import Transaction
from chain.outbox.wake import Wake
from chain.relayer import circuit_breaker
from chain.relayer.circuit_breaker import CircuitBreaker
from chain.relayer.deadlines import Deadlines
from chain.relayer.node_state import NodeState
from chain.relayer.nonce_gaps import Gaps
from chain.relayer.receipts import Receipts
from chain.relayer.scheduler import Scheduler
from chain.relayer.sender import Sender
from chain.relayer.settings import RelayerSettings
from chain.relayer.signer import Keys
from chain.storage.database import reading, writing
from chain.storage.keystore import signer_ref, till_ref
from chain.storage.looks import looking
from chain.telemetry import heartbeat, metrics

log = logging.getLogger(__name__)

BACKOFF_S_MAX: Final = 2.0
STOPPED: Final = "stopped"
ABLE: Final = "able"
LOW: Final = "low"
CAPPED: Final = "capped"


class Announcements(Protocol):
    """Whoever says that there is a new block (chain.node.head_subscription).

    `subscribed` is clear while nobody announces any.
    """

    subscribed: threading.Event

    def wait(self, timeout_s: float) -> bool:
        """True as soon as a head was announced since the last wait, False after the timeout."""


class Relayer:
    """One loop, one thread, one process at a time (see chain.worker.leader)."""

    def __init__(
        self,
        engine: Engine,
        rpc: Rpc,
        deployment: Deployment,
        keystore: Keys,
        settings: RelayerSettings | None = None,
        *,
        heads: Announcements | None = None,
    ):
        self.engine = engine
        self.settings = settings or RelayerSettings()
        tills = {keystore.address_of(till_ref(i)): till_ref(i) for i in range(self.settings.tills)}
        self.refs = {keystore.address_of(signer_ref(i)): signer_ref(i) for i in range(self.settings.signers)} | tills
        # Signers of an earlier start take no new work; what they have under way is brought to its end.
        served = self._earlier(keystore) | self.refs
        self.node_state = NodeState(rpc, self.settings, deployment, list(served))
        self.breaker = CircuitBreaker(self.settings)
        self.receipts = Receipts(engine, deployment, self.node_state, self.breaker)
        self.scheduler = Scheduler(engine, deployment, self.node_state, tills=frozenset(tills))
        self.sender = Sender(
            engine, deployment.chain_id, keystore, served, self.node_state, self.receipts, self.breaker
        )
        self.gaps = Gaps(engine, self.node_state, list(served))
        self.deadlines = Deadlines(engine)
        self._heads = heads
        self._announced = True
        self._told: dict[str, tuple[str, str]] = {}
        # Transactions that carry operations and were not decided in the last round.
        self._under_way: set[int] = set()
        self._retry_at = -1e9
        self._wake = Wake(engine)
        # Nothing under way and nothing queued, as of the last round; and how long the last pause was.
        self._idle = False
        self._idle_s = 0.0
        self._signers_known = False

    def run(self, stop: threading.Event) -> None:
        """Works until `stop`. A node that is away is waited for. A node that shows another chain, or lost our
        contracts, stops it: the heartbeat says so, and the error is raised."""
        try:
            self._run(stop)
        finally:
            self._wake.close()

    def _run(self, stop: threading.Event) -> None:
        backoff_s = self.settings.poll_s
        while not stop.is_set():
            try:
                worked = self.step()
                self.breaker.succeeded(circuit_breaker.NODE)
                heartbeat.beat(self.engine, "relayer", "working", self.breaker.why)
                backoff_s = self.settings.poll_s
                if not worked:
                    self._pause(stop)
            except (ChainReplaced, DeploymentError) as error:
                heartbeat.beat(self.engine, "relayer", STOPPED, f"{error.name}: {error}", progressed=False)
                raise
            except (NodeUnavailable, RpcError, AnswerInconsistent) as error:
                log.warning("relayer waits: %s", error)
                self.node_state.doubt()
                if not isinstance(error, AnswerInconsistent):
                    self.breaker.failed(circuit_breaker.NODE, str(error))
                heartbeat.beat(self.engine, "relayer", "waiting", str(error), progressed=False)
                self._tell_breaker()
                stop.wait(max(backoff_s, self.breaker.wait_s))
                backoff_s = min(BACKOFF_S_MAX, max(0.05, backoff_s * 2))

    def step(self) -> bool:
        """One round: what is under way first, then new work. True when anything happened."""
        if not self._signers_known:
            if not self._known_signers():
                self.provision()
            self._signers_known = True
        with reading(self.engine) as connection:
            flight = transactions.open_ones(connection)
            # Most are decided by the mirror, which tells of nothing that reverted.
            worked = transactions.any_mined(connection, self._under_way - {transaction.id for transaction in flight})
        if worked:
            self.breaker.succeeded(circuit_breaker.REVERTED)
        self._under_way = _with_operations(flight)
        self.node_state.look(news=bool(flight) and self._something_new())
        self.node_state.forget_all_but({transaction.id for transaction in flight})
        changed = self.receipts.reconcile()
        decided = self.receipts.collect(flight)
        flight = [transaction for transaction in flight if transaction.id not in decided]
        self._under_way -= decided
        changed |= self.gaps.fill(flight)
        changed |= self._in_time()
        changed |= self.deadlines.look()
        sent = False
        made: list[Transaction] = []
        state = self.breaker.state
        if state != circuit_breaker.OPEN:
            probe = 1 if state == circuit_breaker.HALF_OPEN else None
            if probe is None:
                # What is ready goes out before anything new is made ready: the node works meanwhile.
                sent = self.sender.forward(flight)
            if probe is None or not flight:
                made = self.scheduler.take(flight, able=self._able(), count_max=probe)
                self._under_way |= _with_operations(made)
            sent |= self.sender.forward(flight + made, count_max=probe)
        self._tell(flight + made)
        self._idle = not flight and not made and not self.scheduler.waits
        return bool(decided or made or sent or changed)

    def provision(self) -> None:
        """Makes the signers known and burns the nonce 0 of those that never sent anything."""
        if not self.node_state.counted:
            self.node_state.look()
        with writing(self.engine) as connection:
            for address, ref in self.refs.items():
                transactions.provision(connection, address=address, ref=ref, count=self.node_state.counted[address])

    def _earlier(self, keystore: Keys) -> dict[str, str]:
        """Signers in the tables whose keys are still here: with a smaller number of signers some are no longer used."""
        with reading(self.engine) as connection:
            rows = connection.execute(select(transactions.signers.c.address, transactions.signers.c.ref)).all()
        return {address: ref for address, ref in rows if keystore.address_of(ref) == address}

    def _in_time(self) -> bool:
        """Once in a while, what waits or is locked and whose time has come is queued: a bounded part of it."""
        now = time.monotonic()
        if now < self._retry_at:
            return False
        with reading(self.engine) as connection:
            retried, unlocked = operations.any_due(connection, now_ms()), _due_at_ms(connection)
        most, looked, queued = self.settings.retries_max, 0, 0
        if retried or unlocked is not None:
            with writing(self.engine) as connection:
                if retried:
                    looked = operations.again_in_time(connection, now_ms(), most)
                if unlocked is not None:
                    queued = locked.queue_due(connection, unlocked, most, self.settings.backlog())
        self._retry_at = now if most in (looked, queued) else now + self.settings.retry_every_s
        return looked + queued > 0

    def _known_signers(self) -> bool:
        with reading(self.engine) as connection:
            found = set(connection.execute(select(transactions.signers.c.address)).scalars())
        return set(self.refs) <= found

    def _able(self) -> list[str]:
        """The signers that can pay for new work."""
        poor = self.node_state.poor()
        return [signer for signer in self.refs if signer not in poor]

    def _something_new(self) -> bool:
        """Whether there may be a new block: announced since the last round, or nobody announces any."""
        if self._heads is None or not self._heads.subscribed.is_set():
            return True
        announced = self._announced or self._heads.wait(0.0)
        self._announced = False
        return announced

    def _pause(self, stop: threading.Event) -> None:
        """Until a block is announced, or it is time to look into the queue again. With nothing to do at all, that is
        when somebody queued something, or after the idle time."""
        if self._heads is None:
            stop.wait(self.settings.poll_s)
        elif not self._idle:
            self._idle_s = 0.0
            self._announced = self._heads.wait(self.settings.poll_s) or self._announced
        else:
            self._sleep(self._heads, stop)

    def _sleep(self, heads: Announcements, stop: threading.Event) -> None:
        settings = self.settings
        self._idle_s = min(settings.idle_s_max, max(settings.idle_s, 2 * self._idle_s))
        began = time.monotonic()
        until = began + min(self._idle_s, max(settings.idle_s, self._next_due_s()))
        while not stop.is_set() and (left_s := until - time.monotonic()) > 0:
            if self._wake.wait(min(left_s, settings.idle_look_s)):
                self._idle_s = 0.0
                return
            if heads.wait(0.0):
                # A block in which nothing of ours can be waits for the next look; but something goes on.
                self._announced, self._idle_s = True, 0.0
                until = min(until, began + settings.idle_s)

    def _next_due_s(self) -> float:
        """Seconds until time brings something by itself: the deadline of a hold, another try, or the end of a lock."""
        with reading(self.engine) as connection:
            times_ms = operations.next_due_ms(connection), locked.next_due_ms(connection)
            deadline_s = self.deadlines.next_due_s(connection)
        known = [(at_ms - now_ms()) / 1000 for at_ms in times_ms if at_ms is not None]
        return min(*known, deadline_s, math.inf)

    # Saying so

    def _tell(self, flight: Sequence[Transaction]) -> None:
        self.node_state.tell(flight)
        self._tell_breaker()
        busy = {transaction.signer for transaction in flight}
        poor = {signer: has for signer, has in self.node_state.poor().items() if signer in self.refs or signer in busy}
        if poor:
            least = ", ".join(f"{signer} has {has} wei" for signer, has in sorted(poor.items()))
            self._say("signers", LOW, f"takes no new work until it is filled: {least}")
        elif self.sender.capped:
            self._say("signers", CAPPED, "; ".join(sorted(why for _, why in self.sender.capped.values())))
        else:
            self._say("signers", ABLE, f"{len(self.refs)} able to send")

    def _tell_breaker(self) -> None:
        state = self.breaker.state
        metrics.breaker(state == circuit_breaker.OPEN)
        self._say("breaker", state, self.breaker.why)

    def _say(self, name: str, state: str, detail: str) -> None:
        """A row of the heartbeat of its own, written when it changes."""
        if self._told.get(name) != (state, detail):
            self._told[name] = (state, detail)
            heartbeat.beat(self.engine, name, state, detail)


def _due_at_ms(connection: Connection) -> int | None:
    """The moment as of which something locked is due, by our clock, or the mirror's block where the chain is ahead of
    it; None when nothing is."""
    first_ms = locked.next_due_ms(connection)
    if first_ms is None:
        return None
    at = checkpoint(looking(connection))
    at_ms = max(now_ms(), 0 if at is None else 1000 * at.block_time)
    return at_ms if first_ms <= at_ms else None


def _with_operations(flight: Sequence[Transaction]) -> set[int]:
    return {transaction.id for transaction in flight if transaction.operations}


__all__ = ["Relayer", "RelayerSettings"]
