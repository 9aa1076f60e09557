"""Nonces that the chain lacks and that nothing of ours is on its way to: each is filled, so that later ones go on.

How they come about: a stranger's transaction used nonces and was taken back by a reorg, or a node told a count that
was too high. What we hold for mined while the chain has not counted it is looked at again first.
"""

import logging
import time
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Engine

from chain.outbox import transactions
from chain.outbox.transactions import Transaction
from chain.outbox.transitions import FILLED, LOST, MINED, REVERTED
from chain.relayer.node_state import NodeState
from chain.storage.database import reading, writing

log = logging.getLogger(__name__)

FILLS_MAX: Final = 16


class Gaps:
    """Finds and fills them, a few at a time."""

    def __init__(self, engine: Engine, node_state: NodeState, signers: Sequence[str]):
        self._engine = engine
        self._node_state = node_state
        self._signers = tuple(signers)
        self._since: dict[str, tuple[int, float]] = {}

    def fill(self, flight: Sequence[Transaction]) -> bool:
        """True when a nonce was given to be filled, or something was taken back."""
        changed = False
        for signer in self._signers:
            missing = self._missing(signer, flight)
            if missing and self._has_lasted(signer, missing[0]):
                changed |= self._fill(signer, missing)
        return changed

    def _missing(self, signer: str, flight: Sequence[Transaction]) -> range:
        """The nonces from the chain's count up to the first of ours that is on its way, or to the next to be used."""
        count = self._node_state.counted.get(signer)
        if count is None:
            return range(0)
        waiting = [t.nonce for t in flight if t.signer == signer and t.nonce >= count]
        if waiting:
            return range(count, min(waiting))
        with reading(self._engine) as connection:
            following = transactions.next_nonces(connection).get(signer, count)
        return range(count, following)

    def _has_lasted(self, signer: str, first: int) -> bool:
        """A count that lags, or an answer from before, looks like a gap for a moment."""
        now = time.monotonic()
        known = self._since.get(signer)
        if known is None or known[0] != first:
            self._since[signer] = (first, now)
            return False
        return now - known[1] >= self._node_state.settings.gap_after_s

    def _fill(self, signer: str, missing: range) -> bool:
        some = missing[:FILLS_MAX]
        with writing(self._engine) as connection:
            standing = transactions.standing(connection, signer, some[0], some[-1])
            for nonce in some:
                id, state = standing.get(nonce, (None, None))
                if id is None:
                    log.warning("nonce %d of %s is missing on the chain: filled", nonce, signer)
                    transactions.fill(connection, signer, nonce)
                elif state == LOST:
                    log.warning("the stranger's nonce %d of %s is gone from the chain: filled", nonce, signer)
                    transactions.give_up(connection, id)
                elif state in (MINED, REVERTED, FILLED):
                    log.warning("nonce %d of %s was mined and is not counted: offered again", nonce, signer)
                    transactions.take_back_one(connection, id)
        del self._since[signer]
        return True
