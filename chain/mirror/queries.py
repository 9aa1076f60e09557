"""What others ask of the mirror's tables."""

from typing import Final

from sqlalchemy import Connection, select

from chain.mirror.models import MirrorBlock, MirrorCheckpoint
from chain.outbox.transactions import table as transactions
from chain.outbox.transitions import FILLED, MINED, REVERTED
from chain.storage.columns import table_of

checkpoint: Final = table_of(MirrorCheckpoint)
blocks: Final = table_of(MirrorBlock)


def tip(connection: Connection) -> int | None:
    """The number of the block that the mirror is of; None before its first."""
    found: int | None = connection.execute(select(checkpoint.c.block_number).where(checkpoint.c.id == 1)).scalar()
    return found


def misplaced_transactions(connection: Connection, first_block: int) -> list[tuple[int, int]]:
    """(id, block) of what a receipt placed in a block, from `first_block` on, that the mirror knows to be another."""
    found = connection.execute(
        select(transactions.c.id, transactions.c.block_number)
        .join(blocks, blocks.c.number == transactions.c.block_number)
        .where(
            transactions.c.block_number >= first_block,
            transactions.c.block_hash != blocks.c.hash,
            transactions.c.state.in_((MINED, REVERTED, FILLED)),
        )
        .order_by(transactions.c.id)
    )
    return [(id, number) for id, number in found]
