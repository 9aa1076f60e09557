"""Adopted lists of balances, made again from the mirror's history and held against the chain's roots (SPEC 18.7)."""

from __future__ import annotations

import threading
from collections import OrderedDict

from sqlalchemy import Connection

from api.kit.container import State
from api.programmes.catalogue import BrandCard
from api.votes.errors import ListUnavailable
from chain.base.errors import ChainError
from chain.contracts import lots, votes
from chain.contracts.snapshots import CHUNK_LEAVES, Snapshot
from chain.contracts.votes import Ground
from chain.mirror import history
from chain.storage.database import snapshot

LISTS_MAX = 4
Key = tuple[int, int, str, str]


class Lists:
    """The lists that were asked for last."""

    def __init__(self) -> None:
        self._lists: OrderedDict[Key, Snapshot] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, state: State, card: BrandCard, proposal: int, ground: Ground) -> Snapshot:
        """The adopted list of a brand. Raises ListUnavailable."""
        assert ground.poster is not None, "a list is adopted"
        key = proposal, card.registry_id, ground.block_hash, ground.poster
        with self._lock:
            found = self._lists.get(key)
        if found is None:
            found = made(state, card, proposal, ground)
            with self._lock:
                self._lists[key] = found
                while len(self._lists) > LISTS_MAX:
                    self._lists.popitem(last=False)
        return found


def made(state: State, card: BrandCard, proposal: int, ground: Ground) -> Snapshot:
    """Every account with points in the block before the proposal: the same roots as the adopted list's, or none."""
    assert ground.poster is not None, "a list is adopted"
    try:
        with snapshot(state.database.engine) as connection:
            found = Snapshot.of(balances(connection, card, ground.block_number))
    except ChainError as error:
        raise ListUnavailable(f"The mirror cannot tell block {ground.block_number}: {error}") from error
    roots = [
        votes.chunk_root(
            state.node.rpc,
            state.deployment,
            proposal=proposal,
            brand=card.registry_id,
            poster=ground.poster,
            chunk=chunk,
        )
        for chunk in range(-(-len(found.leaves) // CHUNK_LEAVES))
    ]
    if found.total != ground.total or found.roots != roots:
        raise ListUnavailable("The mirror tells another list than the one adopted; ask again in a moment.")
    return found


def balances(connection: Connection, card: BrandCard, block: int) -> dict[str, int]:
    """What each account had at the end of a block."""
    at = history.moment(connection, block).time
    epoch = card.clock.epoch(at)
    return {
        account: sum(points for word in words for expiry, points in lots.of_word(word) if expiry > epoch)
        for account, words in history.accounts(connection, card.token, block)
    }
