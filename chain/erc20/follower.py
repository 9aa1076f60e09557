"""`moa mirror`: follows one plain ERC-20 from a block on, until it is stopped.

The node is looked at whenever a head is announced, and now and then without. When its chain left ours, the way back
to the common ancestor and the new branch are one transaction. Node and database may both be away: they are waited
for. What waiting cannot heal ends the mirror, with the state `stopped` and the reason in `mirror_checkpoint`.
"""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from chain.base.errors import (
    AnswerInconsistent,
    ArgumentInvalid,
    ChainError,
    ChainReplaced,
    DatabaseAway,
    DatabaseUnusable,
    LeaderElsewhere,
    MirrorMismatch,
    NodeUnavailable,
    ReorgTooDeep,
    RpcError,
)
from chain.erc20.prefetch import Prefetch
from chain.erc20.reading import Source, Span, address, genesis_hash
from chain.erc20.sqlite import SqliteStore
from chain.erc20.store import BACKFILLING, LIVE, STOPPED, Change, Checkpoint, Store, check_identity
from chain.node import blocks
from chain.node.blocks import BlockHeader
from chain.node.head_subscription import HeadSubscription

log = logging.getLogger(__name__)

ZERO_HASH: Final = "0x" + "00" * 32
ANCESTOR_CHUNK: Final = 32
BACKFILL_BLOCKS: Final = 16
# A transaction of a backfill holds about as many transfers, or what came within as many seconds.
WRITE_ROWS: Final = 30_000
WRITE_S: Final = 1.0
# A reorg is written as one transaction as long as the new branch holds no more rows than this.
REORG_ROWS_MAX: Final = 50_000
BACKOFF_S: Final = 0.1
BACKOFF_S_MAX: Final = 2.0
DATABASE_POLL_S: Final = 0.5
STOPPED_ATTEMPTS_MAX: Final = 4
LEADER_POLL_S: Final = 1.0
PROGRESS_S: Final = 5.0


@dataclass(frozen=True)
class FollowerSettings:
    """What to follow, where to, and how. Depths in blocks, times in seconds."""

    rpc_url: str
    database_url: str
    token: str
    from_block: int
    undo_blocks: int = 256
    verify: bool = False
    timeout_s: float = 10.0
    # Between two looks at the node: when it announces heads, and when it does not.
    subscribed_poll_s: float = 2.0
    poll_s: float = 0.5
    # How long a node whose head went back along our own chain is taken for one that lags.
    behind_grace_s: float = 2.0

    def __post_init__(self) -> None:
        token = address(self.token)
        if token is None:
            raise ArgumentInvalid(f"--token {self.token!r} is no address, or its checksum (EIP-55) is wrong.")
        object.__setattr__(self, "token", token)
        if not 0 <= self.from_block < 1 << 63:
            raise ArgumentInvalid("--from-block is a block number, 0 or more.")
        if self.undo_blocks < 1:
            raise ArgumentInvalid("--undo-blocks is 1 or more.")


@dataclass(frozen=True, slots=True)
class Tip:
    """A block that the tables are, or were, of."""

    number: int
    hash: str


class Follower:
    """One loop in one thread."""

    def __init__(self, settings: FollowerSettings, store: Store | None = None):
        self.settings = settings
        self.store = store or open_store(settings.database_url)
        self.source = self._source()
        self._sources = (self.source, self._source(beside=self.source))
        self._tip: Tip | None = None
        self._state = BACKFILLING
        self.begun = False
        self._behind_since: float | None = None
        self._shown_at = 0.0

    def _source(self, beside: Source | None = None) -> Source:
        settings = self.settings
        return Source(
            settings.rpc_url,
            settings.token,
            settings.from_block,
            timeout_s=settings.timeout_s,
            verify=settings.verify,
            beside=beside,
        )

    def close(self) -> None:
        """Gives connections and lead back."""
        for source in self._sources:
            source.close()
        self.store.close()

    def run(self, stop: threading.Event, heads: HeadSubscription) -> None:
        """Until `stop`. Raises MirrorMismatch, ChainReplaced, DatabaseUnusable or ReorgTooDeep."""
        backoff_s = BACKOFF_S
        while not stop.is_set():
            try:
                if not self.step(stop):
                    heads.wait(self.settings.subscribed_poll_s if heads.subscribed.is_set() else self.settings.poll_s)
                backoff_s = BACKOFF_S
            except LeaderElsewhere as error:
                self._wait(stop, LEADER_POLL_S, error)
            except DatabaseAway as error:
                self.store.close()
                self._tip = None
                self._wait(stop, DATABASE_POLL_S, error)
            except (NodeUnavailable, RpcError, AnswerInconsistent) as error:
                self._wait(stop, backoff_s, error)
                backoff_s = min(BACKOFF_S_MAX, backoff_s * 2)
            except (MirrorMismatch, DatabaseUnusable):
                # Not our tables, or none: nothing is written there.
                raise
            except Exception as error:
                # Our own mistakes too: who reads the tables sees that nobody follows any more.
                self._stopped(error)
                raise

    def step(self, stop: threading.Event | None = None) -> bool:
        """One look at the node; True when the mirror moved and there may be more."""
        self.store.check()
        tip = self._tip or self._open()
        head = blocks.latest(self.source.rpc)
        if head.hash == tip.hash:
            self._behind_since = None
            self._show(LIVE)
            return False
        ancestor, base = self._ancestor(tip, head)
        if base is None and ancestor == tip and head.number - tip.number > BACKFILL_BLOCKS:
            self._backfill(tip, head, stop)
        else:
            self._forward(tip, ancestor, base, head)
        return True

    def catch_up(self, *, timeout_s: float = 60.0) -> Tip:
        """Steps until the node has nothing new; for commands and tests."""
        until = time.monotonic() + timeout_s
        while self.step():
            if time.monotonic() > until:
                raise TimeoutError(f"The mirror did not reach the head within {timeout_s:g} s.")
        assert self._tip is not None, "a step knows its tip"
        return self._tip

    # Where we stand

    def _open(self) -> Tip:
        self.store.close()
        self.store.open()
        genesis = genesis_hash(self.source.rpc)
        asked = Checkpoint(-1, ZERO_HASH, BACKFILLING, None, self.settings.token, self.settings.from_block, genesis)
        held = self.store.checkpoint()
        if held is None:
            base = self._base(blocks.latest(self.source.rpc))
            held = Checkpoint(base.number, base.hash, BACKFILLING, None, asked.token, asked.from_block, genesis)
            self.store.begin(held)
        check_identity(held, asked)
        self.begun = True
        self._state = held.state
        if held.state == STOPPED:
            self._show(BACKFILLING)
        self._tip = Tip(held.block_number, held.block_hash)
        return self._tip

    def _base(self, head: BlockHeader) -> Tip:
        """The block to begin after: the one below `from_block`, or the head of a chain that is not there yet."""
        number = min(self.settings.from_block - 1, head.number)
        if number < 0:
            return Tip(-1, ZERO_HASH)
        return Tip(number, blocks.present_headers(self.source.rpc, [number])[0].hash)

    def _ancestor(self, tip: Tip, head: BlockHeader) -> tuple[Tip, Tip | None]:
        """The block to build on: the tip, or the common ancestor. The second: that block, when it is a new beginning
        on another branch and not one of ours."""
        if tip.number < 0 or (head.number == tip.number + 1 and head.parent_hash == tip.hash):
            return tip, None
        if head.number > tip.number and self._hash(tip.number) == tip.hash:
            return tip, None
        known = self.store.known_blocks()
        if head.number < tip.number:
            self._wait_for_a_node_behind(known, head)
        at_most = {number: hash for number, hash in known.items() if 0 <= number <= head.number}
        found = blocks.common_ancestor(self.source.rpc, at_most, ANCESTOR_CHUNK)
        if found is not None:
            return Tip(found, known[found]), None
        return self._start_over(tip, head, known)

    def _start_over(self, tip: Tip, head: BlockHeader, known: Mapping[int, str]) -> tuple[Tip, Tip]:
        """No block that we know is left. Everything can be taken back if it all lies above the oldest of them."""
        self._same_chain()
        if self.store.holds_rows_up_to(min(known)):
            raise ReorgTooDeep(tip.number, self.settings.undo_blocks)
        base = self._base(head)
        return base, base

    def _wait_for_a_node_behind(self, known: Mapping[int, str], head: BlockHeader) -> None:
        """A head below ours on our own chain is most likely a node that lags: believed only after a while."""
        below = head.number < min(known)
        if not below and known.get(head.number) != head.hash:
            self._behind_since = None
            return
        self._same_chain()
        self._behind_since = self._behind_since or time.monotonic()
        if time.monotonic() - self._behind_since < self.settings.behind_grace_s:
            raise AnswerInconsistent(f"The node went back to block {head.number} of the same chain.")
        if below and self.store.holds_rows_up_to(min(known)):
            raise AnswerInconsistent(f"The node is only at block {head.number}, far behind the mirror.")

    def _same_chain(self) -> None:
        held = self.store.checkpoint()
        found = genesis_hash(self.source.rpc)
        if held is not None and held.genesis_hash != found:
            raise ChainReplaced(held.genesis_hash, found)

    def _hash(self, number: int) -> str:
        return blocks.present_headers(self.source.rpc, [number])[0].hash

    # Moving

    def _backfill(self, tip: Tip, head: BlockHeader, stop: threading.Event | None) -> None:
        """Towards a head far away: reading and writing at the same time.

        Several spans make one transaction: a balance that all of them touch is written once.
        """
        held: Span | None = None
        began = time.monotonic()
        with Prefetch(self._sources, tip.number + 1, head.number) as spans:
            for span in spans:
                if span.parent_hash != (held.hash if held else tip.hash):
                    raise AnswerInconsistent(f"Block {span.first} does not follow the block before it.")
                if held is None:
                    held = span
                else:
                    held.join(span)
                stopping = stop is not None and stop.is_set()
                due = len(held.rows) >= WRITE_ROWS or time.monotonic() - began > WRITE_S or held.last == head.number
                if due or stopping:
                    tip, held, began = self._write(tip, tip, None, held, head), None, time.monotonic()
                if stopping:
                    return

    def _forward(self, tip: Tip, ancestor: Tip, base: Tip | None, head: BlockHeader) -> None:
        """Back to the ancestor if need be, and the next blocks, in one transaction."""
        span: Span | None = None
        if head.number > ancestor.number:
            span = self.source.span(ancestor.number + 1, head.number, head)
            if span.parent_hash != ancestor.hash:
                raise AnswerInconsistent(f"Block {span.first} does not follow the block before it.")
            # Readers see the old branch or the new one, not a short one in between, as long as it fits into memory.
            while ancestor != tip and span.last < min(head.number, tip.number) and len(span.rows) < REORG_ROWS_MAX:
                span.join(self.source.span(span.last + 1, head.number, head))
        self._write(tip, ancestor, base, span, head)

    def _write(self, tip: Tip, ancestor: Tip, base: Tip | None, span: Span | None, head: BlockHeader) -> Tip:
        new = Tip(span.last, span.hash) if span else ancestor
        change = Change(
            was=tip.hash,
            above=None if ancestor == tip else ancestor.number,
            rows=span.rows if span else (),
            known=span.known if span else (),
            number=new.number,
            hash=new.hash,
            state=LIVE if new.number == head.number else BACKFILLING,
            keep_from=new.number - self.settings.undo_blocks,
            base=(base.number, base.hash) if base else None,
        )
        try:
            self.store.write(change)
        except AnswerInconsistent:
            self._tip = None
            raise
        if ancestor != tip:
            log.warning(
                "reorg: back from block %d to %d, %d transfers taken back",
                tip.number,
                ancestor.number,
                change.taken_back,
            )
        self._tip, self._state = new, change.state
        self._behind_since = None
        self._progress(new, head, len(change.rows))
        return new

    # Saying so

    def _show(self, state: str) -> None:
        if self._state != state:
            self.store.set_state(state)
            self._state = state

    def _stopped(self, error: Exception) -> None:
        """The state says so, unless this database was never ours to follow. One that is away is waited for a little."""
        reason = str(error) if isinstance(error, ChainError) else f"{type(error).__name__}: {error}"
        for _ in range(STOPPED_ATTEMPTS_MAX if self.begun else 0):
            try:
                self.store.set_state(STOPPED, reason)
                return
            except DatabaseAway as away:
                log.warning("waiting: %s", away)
                time.sleep(DATABASE_POLL_S)

    def _progress(self, tip: Tip, head: BlockHeader, rows: int) -> None:
        now = time.monotonic()
        if tip.number == head.number or now - self._shown_at > PROGRESS_S:
            log.info("block %d of %d: %s, %d transfers", tip.number, head.number, self._state, rows)
            self._shown_at = now

    def _wait(self, stop: threading.Event, seconds: float, error: Exception) -> None:
        log.warning("waiting: %s", error)
        stop.wait(seconds)


def open_store(url: str) -> Store:
    """The store for `sqlite:///file` or `postgresql://...`; nothing is opened yet."""
    scheme, _, rest = url.partition(":")
    if scheme == "sqlite" and rest.startswith("///") and len(rest) > 3 and rest != "///:memory:":
        return SqliteStore(rest[3:])
    if scheme in ("postgresql", "postgres", "postgresql+psycopg") and rest.startswith("//"):
        # The driver takes its time to load; SQLite does without it.
        from chain.erc20.postgresql import PostgresStore

        return PostgresStore("postgresql:" + rest)
    raise ArgumentInvalid("--db is sqlite:///file or postgresql://user@host/database.")
