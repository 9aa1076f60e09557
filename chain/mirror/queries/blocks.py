"""The blocks that the mirror knows, and what others believed of them."""

from typing import Final, NamedTuple

from chain.base.scalars import BlockHash
from chain.mirror.queries.checkpoint import checkpoint
from chain.outbox.transitions import FILLED, MINED, REVERTED
from chain.storage.looks import Look

_NEWEST: Final = "SELECT number, hash, time FROM mirror_block WHERE number <= ? ORDER BY number DESC LIMIT 1"
_MISPLACED: Final = (
    "SELECT t.id, t.block_number FROM chain_transaction t JOIN mirror_block b ON b.number = t.block_number"
    " WHERE t.block_number >= ? AND t.block_hash <> b.hash AND t.state IN (?, ?, ?) ORDER BY t.id"
)


class Block(NamedTuple):
    """A block of the mirror; time in unix seconds."""

    number: int
    hash: BlockHash
    time: int


class Misplaced(NamedTuple):
    """A transaction of ours whose receipt named a block that the mirror knows to be another."""

    id: int
    block_number: int


def newest(look: Look, *, up_to: int) -> Block | None:
    """The last block at or below a number; None where the mirror has none."""
    row = look.row(_NEWEST, up_to)
    return None if row is None else Block(*row)


def final_block(look: Look) -> Block | None:
    """The newest block that the mirror holds for final, if it knows it."""
    at = checkpoint(look)
    return None if at is None else newest(look, up_to=at.final_number)


def misplaced_transactions(look: Look, first_block: int) -> list[Misplaced]:
    """What a receipt placed in a block, from `first_block` on, that the mirror knows to be another; by id."""
    return [Misplaced(*row) for row in look.rows(_MISPLACED, first_block, MINED, REVERTED, FILLED)]
