"""When the node's chain left ours: how far back the common block lies, and the way back to it."""

import logging
import time
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, insert, select

from chain.base.clock import now_ms
from chain.base.errors import AnswerInconsistent, ChainReplaced, FinalityBroken, ReorgTooDeep
from chain.contracts.deployment import Deployment
from chain.mirror import checkpoint
from chain.mirror.checkpoint import Tip, known_blocks
from chain.mirror.models import Entry, LedgerEvent, MirrorReorg
from chain.mirror.queries.checkpoint import checkpoint as position
from chain.mirror.rows import lot_ends, row_cache
from chain.mirror.settings import TAGS, MirrorSettings
from chain.node import blocks, identity
from chain.node.blocks import BlockHeader
from chain.node.rpc import Rpc
from chain.outbox import operations, transactions
from chain.storage.columns import table_of
from chain.storage.database import reading
from chain.storage.looks import looking

log = logging.getLogger(__name__)

ANCESTOR_CHUNK: Final = 32

reorgs: Final = table_of(MirrorReorg)
events: Final = table_of(LedgerEvent)
entries: Final = table_of(Entry)


class Ancestry:
    """Finds the block to build on."""

    def __init__(self, engine: Engine, rpc: Rpc, settings: MirrorSettings, deployment: Deployment):
        self._engine = engine
        self._rpc = rpc
        self._settings = settings
        self._deployment = deployment
        self._behind_since: float | None = None
        # The head at which the node was last asked which chain it has; "": not since it last failed.
        self._proven = ""

    def fits(self) -> None:
        """The node's head was ours: it does not lag."""
        self._behind_since = None

    def doubt(self) -> None:
        """The node failed: it may be another one that answers next."""
        self._proven = ""

    def same_chain(self, head: BlockHeader, *, again: bool = False) -> None:
        """Raises ChainReplaced when the node has another chain id or genesis. Asks once, or `again` for a new head."""
        if self._proven and not (again and self._proven != head.hash):
            return
        found = identity.ask(self._rpc, head)
        if found.chain_id != self._deployment.chain_id:
            raise ChainReplaced(str(self._deployment.chain_id), str(found.chain_id), identity.CHAIN_ID)
        if found.genesis_hash != self._deployment.genesis_hash:
            raise ChainReplaced(self._deployment.genesis_hash, found.genesis_hash)
        self._proven = head.hash

    def ancestor(self, tip: Tip, head: BlockHeader) -> Tip:
        """The tip, or the common ancestor when the node's chain left ours.

        Raises AnswerInconsistent while the node may only lag; ReorgTooDeep and FinalityBroken when going back is
        not ours to decide: the checkpoint says so then.
        """
        if head.number == tip.number + 1 and head.parent_hash == tip.hash:
            return tip
        if head.number > tip.number and blocks.present_headers(self._rpc, [tip.number])[0].hash == tip.hash:
            return tip
        # Before anything is taken back: a chain that left ours, or another one?
        self.same_chain(head, again=True)
        ours, final_number = self._ours(tip)
        self._wait_for_a_node_behind(tip, ours, head)
        at_most = {number: row.hash for number, row in ours.items() if number <= head.number}
        found = blocks.common_ancestor(self._rpc, at_most, ANCESTOR_CHUNK)
        if found is None:
            raise self._stopped(ReorgTooDeep(tip.number, self._settings.undo_blocks_max))
        if self._settings.finality == TAGS and found < final_number:
            raise self._stopped(FinalityBroken(final_number, found))
        log.warning("reorg: %d blocks of ours are gone, back to block %d", tip.number - found, found)
        return Tip(found, ours[found].hash, ours[found].time)

    def _ours(self, tip: Tip) -> tuple[dict[int, Any], int]:
        lowest = tip.number - self._settings.undo_blocks_max
        with reading(self._engine) as connection:
            rows = connection.execute(select(known_blocks).where(known_blocks.c.number >= lowest)).all()
            at = position(looking(connection))
        assert at is not None, "a mirror that has a tip has a checkpoint"
        return {row.number: row for row in rows}, at.final_number

    def _wait_for_a_node_behind(self, tip: Tip, ours: Mapping[int, Any], head: BlockHeader) -> None:
        """A head below ours on our own chain is most likely a node that lags: believed only after a long while."""
        if head.number < min(ours):
            raise AnswerInconsistent(f"The node is only at block {head.number}, far behind the mirror.")
        known = ours.get(head.number)
        if known is None or known.hash != head.hash:
            self._behind_since = None
            return
        self._behind_since = self._behind_since or time.monotonic()
        if time.monotonic() - self._behind_since < self._settings.behind_grace_s:
            raise AnswerInconsistent(
                f"The node went back to block {head.number} of the same chain. What was seen up to block {tip.number} "
                f"is kept until it shows another branch, or for {self._settings.behind_grace_s:g} s."
            )

    def _stopped(self, error: ReorgTooDeep | FinalityBroken) -> ReorgTooDeep | FinalityBroken:
        checkpoint.stop(self._engine, str(error))
        return error


def roll_back(connection: Connection, tip: Tip, ancestor: Tip) -> None:
    """Everything as it was at the end of the ancestor; one row tells that it happened."""
    above = ancestor.number
    # Lots and balances find by the events which accounts to put back, so they go first; lots need the tokens too.
    lot_ends.roll_back(connection, above)
    row_cache.roll_back(connection, above)
    removed = connection.execute(delete(entries).where(entries.c.block_number > above)).rowcount
    connection.execute(delete(events).where(events.c.block_number > above))
    connection.execute(delete(known_blocks).where(known_blocks.c.number > above))
    operations.take_back(connection, above)
    transactions.take_back(connection, above)
    connection.execute(
        insert(reorgs).values(
            common_number=above,
            head_number=tip.number,
            depth=tip.number - above,
            entries_removed=removed,
            at_ms=now_ms(),
        )
    )
