"""`moa mirror`: follows one plain ERC-20 from a block on, until it is stopped.

The node is looked at whenever a head is announced, and now and then without. When its chain left ours, the way back
to the common ancestor and the new branch are one transaction, once the node was asked whether it is our chain at all.
What was seen of a longer chain is kept until another branch of it is shown. Node and database may both be away: they
are waited for. What waiting cannot heal ends the mirror, with the state `stopped` and the reason in
`mirror_checkpoint`.
"""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from chain.base.errors import (
    AnswerInconsistent,
    ArgumentInvalid,
    ChainError,
    DatabaseAway,
    DatabaseUnusable,
    LeaderElsewhere,
    MirrorMismatch,
    NodeUnavailable,
    ReorgTooDeep,
    RpcError,
)
from chain.erc20.identity import check_chain
from chain.erc20.prefetch import Prefetch
from chain.erc20.reading import Source, Span, address
from chain.erc20.sqlite import SqliteStore
from chain.erc20.store import BACKFILLING, LIVE, STOPPED, WAITING, Change, Checkpoint, Store, check_asked
from chain.erc20.token import Token
from chain.erc20.waiting import Waiting
from chain.node import blocks, identity
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
DATABASE_POLL_S_MAX: Final = 5.0
# How long a database that was followed into and cannot be used any more is waited for before the mirror ends.
DATABASE_PATIENCE_S: Final = 300.0
# How long the node may be away before the state says so.
SHOWN_AFTER_S: Final = 5.0
STOPPED_ATTEMPTS_MAX: Final = 4
LEADER_POLL_S: Final = 1.0
PROGRESS_S: Final = 5.0


@dataclass(frozen=True)
class FollowerSettings:
    """What to follow, where to, and how. Depths in blocks, times in seconds."""

    # Both may hold a key or a password.
    rpc_url: str = field(repr=False)
    database_url: str = field(repr=False)
    token: str
    from_block: int
    undo_blocks: int = 256
    verify: bool = False
    timeout_s: float = 10.0
    # Between two looks at the node: when it announces heads, and when it does not.
    subscribed_poll_s: float = 2.0
    poll_s: float = 0.5
    # How long what was seen of a longer chain is kept while the node shows a shorter one and no other branch.
    behind_grace_s: float = 300.0
    database_patience_s: float = DATABASE_PATIENCE_S

    def __post_init__(self) -> None:
        token = address(self.token)
        if token is None:
            raise ArgumentInvalid(f"--token {self.token!r} is no address, or its checksum (EIP-55) is wrong.")
        object.__setattr__(self, "token", token)
        if not 0 <= self.from_block < 1 << 63:
            raise ArgumentInvalid("--from-block is a block number, 0 or more.")
        if self.undo_blocks < 1:
            raise ArgumentInvalid("--undo-blocks is 1 or more.")
        if not self.behind_grace_s >= 0:
            raise ArgumentInvalid("--behind-grace is a number of seconds, 0 or more.")


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
        self._anchor_hash: str | None = None
        self._shown = (BACKFILLING, "")
        # Whether this database was ours to follow into, once.
        self.begun = False
        # The head at which the node was last asked which chain it has; "": not since it last failed.
        self._proven = ""
        self._waits_for = ""
        self._behind_since: float | None = None
        self._told_at = 0.0
        self._told_of_token = self._told_below_zero = False

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
        node = Waiting("the node is there again", BACKOFF_S, BACKOFF_S_MAX)
        database = Waiting("the database is there again", DATABASE_POLL_S, DATABASE_POLL_S_MAX)
        lead = Waiting("this mirror leads", LEADER_POLL_S, LEADER_POLL_S, logging.INFO)
        while not stop.is_set():
            try:
                moved = self.step(stop)
                for waiting in (node, database, lead):
                    waiting.over()
                if not moved:
                    heads.wait(self.settings.subscribed_poll_s if heads.subscribed.is_set() else self.settings.poll_s)
            except LeaderElsewhere as error:
                lead.wait(stop, error)
            except (DatabaseAway, DatabaseUnusable) as error:
                self._without_database(error, database, stop)
            except (NodeUnavailable, RpcError, AnswerInconsistent) as error:
                self._without_node(error, node, database, stop)
            except MirrorMismatch:
                # Not our tables: nothing is written there.
                raise
            except Exception as error:
                # Our own mistakes too: who reads the tables sees that nobody follows any more.
                self._stopped(error)
                raise

    def _without_database(
        self, error: DatabaseAway | DatabaseUnusable, database: Waiting, stop: threading.Event
    ) -> None:
        """Waits for a database that went away; one that never was ours, or is unusable for too long, ends it."""
        self.store.close()
        self._tip = None
        if isinstance(error, DatabaseUnusable) and not (
            self.begun and database.lasts_s <= self.settings.database_patience_s
        ):
            raise error
        database.wait(stop, error)

    def _without_node(self, error: ChainError, node: Waiting, database: Waiting, stop: threading.Event) -> None:
        self._proven = ""
        lasting = self._behind_since is not None or node.lasts_s > SHOWN_AFTER_S
        if lasting and self._tip is not None and (self._shown[0] != WAITING or self._waits_for != error.name):
            try:
                self._show(WAITING, str(error))
                self._waits_for = error.name
            except (DatabaseAway, DatabaseUnusable) as away:
                self._without_database(away, database, stop)
                return
        node.wait(stop, error)

    def step(self, stop: threading.Event | None = None) -> bool:
        """One look at the node; True when the mirror moved and there may be more."""
        self.store.check()
        tip = self._tip or self._open()
        head = blocks.latest(self.source.rpc)
        if not self._proven:
            self._same_chain(head)
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
        settings, held = self.settings, self.store.checkpoint()
        if held is not None:
            check_asked(held, settings.token, settings.from_block)
            # At the head it is `live` again once it was looked at; of a database that may not be ours nothing changes.
            self._shown = (held.state, held.reason or "")
            if self.begun:
                self._show(BACKFILLING)
        head = blocks.latest(self.source.rpc)
        chain = identity.ask(self.source.rpc, head, settings.from_block - 1)
        if held is None:
            held = self._begin(head, chain)
        check_chain(held, chain, settings.undo_blocks)
        self._proven, self.begun = head.hash, True
        self._anchor_hash = held.anchor_hash
        if held.chain_id is None and held.block_number <= head.number:
            self._identify(held, chain)
        self._show(BACKFILLING)
        self._tell_of_token(head)
        self._tip = Tip(held.block_number, held.block_hash)
        return self._tip

    def _begin(self, head: BlockHeader, chain: identity.Identity) -> Checkpoint:
        base = self._base(head)
        held = Checkpoint(
            base.number,
            base.hash,
            BACKFILLING,
            None,
            self.settings.token,
            self.settings.from_block,
            chain.genesis_hash,
            str(chain.chain_id),
            base.hash if 0 <= base.number == self.settings.from_block - 1 else None,
        )
        self.store.begin(held)
        self._shown = (BACKFILLING, "")
        return held

    def _identify(self, held: Checkpoint, chain: identity.Identity) -> None:
        """A database of before the chain id was asked for is the node's chain if the node has its block."""
        if held.block_number >= 0 and self._hash(held.block_number) == held.block_hash:
            self.store.identify(str(chain.chain_id), chain.anchor_hash)
            self._anchor_hash = chain.anchor_hash

    def _tell_of_token(self, head: BlockHeader) -> None:
        """Once: what is worth knowing before one trusts the balances. A node that cannot say now is not asked again."""
        if self._told_of_token:
            return
        self._told_of_token = True
        try:
            for sentence in Token(self.source.rpc, self.settings.token).warnings(self.settings.from_block, head.number):
                log.warning("%s", sentence)
        except (NodeUnavailable, RpcError, AnswerInconsistent) as error:
            log.info("the node does not tell of the token: %s", error)

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
        # Before anything is taken back: a chain that left ours, or another one?
        if self._proven != head.hash:
            self._same_chain(head)
        known = self.store.known_blocks()
        if head.number < tip.number:
            self._wait_for_a_node_behind(tip, known, head)
        at_most = {number: hash for number, hash in known.items() if 0 <= number <= head.number}
        found = blocks.common_ancestor(self.source.rpc, at_most, ANCESTOR_CHUNK)
        if found is not None:
            return Tip(found, known[found]), None
        return self._start_over(tip, head, known)

    def _start_over(self, tip: Tip, head: BlockHeader, known: Mapping[int, str]) -> tuple[Tip, Tip]:
        """No block that we know is left. Everything can be taken back if it all lies above the oldest of them."""
        if self.store.holds_rows_up_to(min(known)):
            raise ReorgTooDeep(tip.number, self.settings.undo_blocks)
        base = self._base(head)
        return base, base

    def _wait_for_a_node_behind(self, tip: Tip, known: Mapping[int, str], head: BlockHeader) -> None:
        """A head below ours on our own chain is most likely a node that lags: believed only after a long while."""
        below = head.number < min(known)
        if not below and known.get(head.number) != head.hash:
            self._behind_since = None
            return
        self._behind_since = self._behind_since or time.monotonic()
        grace_s = self.settings.behind_grace_s
        if time.monotonic() - self._behind_since < grace_s:
            raise AnswerInconsistent(
                f"The node went back to block {head.number} of the same chain. What was seen up to block {tip.number} "
                f"is kept until it shows another branch, or for {grace_s:g} s."
            )
        if below and self.store.holds_rows_up_to(min(known)):
            raise AnswerInconsistent(f"The node is only at block {head.number}, far behind the mirror.")

    def _same_chain(self, head: BlockHeader) -> None:
        held = self.store.checkpoint()
        chain = identity.ask(self.source.rpc, head, self.settings.from_block - 1)
        if held is not None:
            check_chain(held, chain, self.settings.undo_blocks)
        self._proven = head.hash

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
            anchor_hash=self._anchor(ancestor, base, span),
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
        self._tip, self._shown, self._anchor_hash = new, (change.state, ""), change.anchor_hash
        self._behind_since = None
        self._progress(new, head, len(change.rows))
        self._tell_below_zero(change)
        return new

    def _anchor(self, ancestor: Tip, base: Tip | None, span: Span | None) -> str | None:
        """The hash of the block below the first one, as it is after this change."""
        number = self.settings.from_block - 1
        if span is not None and span.first <= number <= span.last:
            return span.known[number - span.first][1]
        if base is not None:
            return base.hash if 0 <= base.number == number else None
        return self._anchor_hash if ancestor.number >= number else None

    # Saying so

    def _show(self, state: str, reason: str = "") -> None:
        if self._shown != (state, reason):
            self.store.set_state(state, reason or None)
            self._shown = (state, reason)

    def _tell_below_zero(self, change: Change) -> None:
        if change.below_zero and not self._told_below_zero:
            self._told_below_zero = True
            log.warning(
                "%d balances are below zero now, that of %s among them: the token moves points without a Transfer, or "
                "it is older than --from-block. --check-balances compares with the token itself.",
                change.below_zero,
                change.example,
            )

    def _stopped(self, error: Exception) -> None:
        """The state says so, unless this database was never ours to follow. One that is away is waited for a little."""
        reason = str(error) if isinstance(error, ChainError) else f"{type(error).__name__}: {error}"
        for _ in range(STOPPED_ATTEMPTS_MAX if self.begun else 0):
            try:
                self.store.set_state(STOPPED, reason)
                return
            except (DatabaseAway, DatabaseUnusable) as away:
                log.warning("waiting: %s", away)
                time.sleep(DATABASE_POLL_S)

    def _progress(self, tip: Tip, head: BlockHeader, rows: int) -> None:
        now = time.monotonic()
        if tip.number == head.number or now - self._told_at > PROGRESS_S:
            log.info("block %d of %d: %s, %d transfers", tip.number, head.number, self._shown[0], rows)
            self._told_at = now


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
