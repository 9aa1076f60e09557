"""The mirror's loop: look, find the common block, read, commit."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from sqlalchemy import Engine

from chain.base.errors import AnswerInconsistent, ChainReplaced, FinalityBroken, NodeUnavailable, ReorgTooDeep, RpcError
from chain.base.scalars import Address
from chain.contracts.deployment import Deployment
from chain.mirror import checkpoint
from chain.mirror.checkpoint import Tip
from chain.mirror.commit import Commit, tokens_by_brand
from chain.mirror.finality import Finality
from chain.mirror.queries.checkpoint import STOPPED
from chain.mirror.queries.checkpoint import checkpoint as position
from chain.mirror.reader import Found, Reader
from chain.mirror.reorg import Ancestry
from chain.mirror.settings import MirrorSettings
from chain.node import blocks
from chain.node.blocks import BlockHeader
from chain.node.head_subscription import HeadSubscription
from chain.node.identity import CHAIN_ID
from chain.node.rpc import Rpc
from chain.storage.database import writing
from chain.storage.looks import looking
from chain.telemetry import heartbeat, metrics

log = logging.getLogger(__name__)

BACKOFF_S_MIN: Final = 0.05
BACKOFF_S_MAX: Final = 2.0


class Mirror:
    """One loop, one thread, one process at a time (see chain.worker.leader)."""

    def __init__(
        self,
        engine: Engine,
        rpc: Rpc,
        deployment: Deployment,
        settings: MirrorSettings | None = None,
        *,
        heads: HeadSubscription | None = None,
        committed: Callable[[BlockHeader], None] | None = None,
    ):
        self.engine = engine
        self.rpc = rpc
        self.deployment = deployment
        self.settings = settings or MirrorSettings()
        self._heads = heads
        self._committed = committed
        self._tip: Tip | None = None
        self._live = False
        self._tokens: dict[str, Address] = {}
        self._seen: tuple[str, float] = ("", 0.0)
        self._pause_s = 0.0
        self._reader = Reader(rpc, deployment, self.settings.range_blocks_max)
        self._ancestry = Ancestry(engine, rpc, self.settings, deployment)
        self._finality = Finality(rpc, self.settings)
        self._write = Commit(engine, deployment, self.settings.confirmed_depth)

    def run(self, stop: threading.Event) -> None:
        """Follows the chain until `stop`. A node that is away is waited for. What waiting cannot help (a reorg deeper
        than can be undone, another chain) stops it: the checkpoint or the heartbeat says so, and the error is raised.
        """
        backoff_s = BACKOFF_S_MIN
        while not stop.is_set():
            try:
                worked = self.step()
                if worked:
                    self._pause_s = 0.0
                heartbeat.beat(self.engine, "mirror", "working")
                backoff_s = BACKOFF_S_MIN
                if not worked:
                    self._wait(stop)
            except (NodeUnavailable, RpcError, AnswerInconsistent) as error:
                self._ancestry.doubt()
                log.warning("mirror waits: %s", error)
                metrics.waited(error.name)
                heartbeat.beat(self.engine, "mirror", "waiting", str(error), progressed=False)
                stop.wait(backoff_s)
                backoff_s = min(BACKOFF_S_MAX, backoff_s * 2)
            except (ReorgTooDeep, FinalityBroken, ChainReplaced) as error:
                heartbeat.beat(self.engine, "mirror", STOPPED, str(error), progressed=False)
                raise

    def step(self) -> bool:
        """One look at the node; True when the mirror moved and there may be more."""
        head = self._look()
        self._ancestry.same_chain(head)
        tip = self._tip or self._start()
        metrics.head(head.number, head.time, tip.number, tip.time)
        if head.hash == tip.hash:
            self._at_head()
            return False
        ancestor = self._ancestry.ancestor(tip, head)
        levels, named = self._finality.levels(head)
        last = self._reader.last_of(ancestor, head)
        found = self._reader.read(ancestor, last, head, self._tokens)
        self._commit(tip, ancestor, found, head, levels, named)
        return True

    def catch_up(self, *, timeout_s: float = 60.0) -> Tip:
        """Steps until the node has nothing new; for commands and tests."""
        until = time.monotonic() + timeout_s
        while self.step():
            if time.monotonic() > until:
                raise TimeoutError(f"The mirror did not reach the head within {timeout_s:g} s.")
        assert self._tip is not None, "a step knows its tip"
        return self._tip

    def _wait(self, stop: threading.Event) -> None:
        """Until a head is announced, or it is time to look all the same."""
        if self._heads is None:
            stop.wait(self.settings.poll_s)
            return
        settings = self.settings
        if self._heads.subscribed.is_set():
            least, most = settings.subscribed_poll_s, settings.subscribed_idle_s
        else:
            least, most = settings.poll_s, settings.idle_s
        # The longer nothing came, the seldomer it is asked; the first news begins anew.
        pause_s = min(most, max(least, self._pause_s))
        self._pause_s = 0.0 if self._heads.wait(pause_s) else 2 * pause_s

    def _start(self) -> Tip:
        """The tip of the tables, made on first use; refuses a database of another chain."""
        genesis_hash, chain_id = self.deployment.genesis_hash, str(self.deployment.chain_id)
        with writing(self.engine) as connection:
            row = position(looking(connection))
            if row is None:
                start_block = self.deployment.start_block
                (base,) = blocks.present_headers(self.rpc, [max(0, start_block - 1)])
                row = checkpoint.make(
                    connection, chain_id=chain_id, genesis_hash=genesis_hash, start_block=start_block, base=base
                )
            if row.chain_id is None:
                row = checkpoint.identify(connection, chain_id)
            if row.chain_id != chain_id:
                raise ChainReplaced(str(row.chain_id), chain_id, CHAIN_ID)
            if row.genesis_hash != genesis_hash:
                raise ChainReplaced(row.genesis_hash, genesis_hash)
            self._tokens = tokens_by_brand(connection)
        self._live = row.live and row.head_number == row.block_number
        self._tip = Tip(row.block_number, row.block_hash, row.block_time)
        return self._tip

    def _look(self) -> BlockHeader:
        head = blocks.latest(self.rpc)
        if head.hash != self._seen[0]:
            self._seen = (head.hash, time.monotonic())
        return head

    def _at_head(self) -> None:
        self._ancestry.fits()
        if not self._live:
            checkpoint.at_head(self.engine)
            self._live = True

    def _commit(
        self,
        tip: Tip,
        ancestor: Tip,
        found: Found,
        head: BlockHeader,
        levels: checkpoint.Levels,
        named: tuple[BlockHeader, ...] = (),
    ) -> None:
        """One SQL transaction; what this object remembers follows it."""
        began = time.monotonic()
        # Whatever goes wrong below, the tables know better than we do where they stand.
        self._tip = None
        self._tip, self._tokens = self._write(tip, ancestor, found, head, levels, named)
        self._live = self._tip.number == head.number
        self._measure(tip, ancestor, found, head, began)
        if self._committed is not None and found.last is not None:
            self._committed(found.last)

    def _measure(self, tip: Tip, ancestor: Tip, found: Found, head: BlockHeader, began: float) -> None:
        now = time.monotonic()
        metrics.range_read(len(found.range.headers), len(found.logs))
        metrics.committed(now - began, now - self._seen[1] if self._live else None)
        if ancestor.number < tip.number:
            metrics.reorg(tip.number - ancestor.number)
        if self._tip is not None:
            metrics.head(head.number, head.time, self._tip.number, self._tip.time)
