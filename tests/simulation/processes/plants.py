"""Defects put into a worker on purpose, each of which an episode must find: what the simulation can see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Connection, delete, update

from chain.mirror import checkpoint
from chain.mirror.commit import Commit
from chain.mirror.rows import projection, row_cache
from chain.node import blocks
from chain.outbox import operations, transactions
from chain.outbox.transitions import ASSIGNED
from chain.relayer.loop import Relayer
from chain.storage.database import writing


def new_nonces_after_a_restart() -> None:
    """The relayer gives what was under way a new nonce when it starts, without looking what became of the old one."""
    honest = Relayer.__init__

    def begin(self: Relayer, engine: Any, *args: Any, **options: Any) -> None:
        with writing(engine) as connection:
            for transaction in transactions.open_ones(connection):
                _renumber(connection, transaction)
        honest(self, engine, *args, **options)

    Relayer.__init__ = begin  # type: ignore[method-assign]


def _renumber(connection: Connection, transaction: transactions.Transaction) -> None:
    # As if it had never been signed: nothing says that the first nonce was given up, for nobody looked.
    table, hashes, signers = transactions.table, transactions.hashes, transactions.signers
    taken = update(signers).where(signers.c.address == transaction.signer).values(next_nonce=signers.c.next_nonce + 1)
    nonce = connection.execute(taken.returning(signers.c.next_nonce)).scalar_one() - 1
    connection.execute(delete(hashes).where(hashes.c.transaction_id == transaction.id))
    connection.execute(update(table).where(table.c.id == transaction.id).values(nonce=nonce, state=ASSIGNED))


def checkpoint_in_a_second_transaction() -> None:
    """The rows of a range are committed first, the checkpoint by itself afterwards."""
    keep, commit = checkpoint.keep, Commit.__call__
    kept: list[Any] = []
    checkpoint.keep = lambda connection, *values: kept.append(values)

    def twice(self: Commit, *args: Any, **options: Any) -> Any:
        kept.clear()
        answer = commit(self, *args, **options)
        with writing(self._engine) as connection:
            keep(connection, *kept[-1])
        return answer

    Commit.__call__ = twice  # type: ignore[method-assign]


def fold_forgets_releases() -> None:
    """One event of the contracts changes nothing in the mirror."""
    del projection._HANDLERS["HoldReleased"]


def fold_forgets_debts() -> None:
    """What a member owes after goods came back is not in the mirror."""
    del projection._HANDLERS["DebtChanged"]


def rows_stay_after_a_reorg() -> None:
    """A rollback deletes what was appended and forgets what was changed."""
    row_cache.roll_back = lambda connection, above_block: None


def operations_stay_after_a_reorg() -> None:
    """What was decided in blocks that are gone stays decided."""
    operations.take_back = lambda connection, above_block: 0


def empty_answers_are_believed() -> None:
    """A block without logs is never looked at twice, whatever its bloom says."""
    blocks.may_hold = lambda bloom, addresses: False


PLANTS: Final[dict[str, Callable[[], None]]] = {
    "new nonces after a restart": new_nonces_after_a_restart,
    "checkpoint in a second transaction": checkpoint_in_a_second_transaction,
    "fold forgets releases": fold_forgets_releases,
    "fold forgets debts": fold_forgets_debts,
    "rows stay after a reorg": rows_stay_after_a_reorg,
    "operations stay after a reorg": operations_stay_after_a_reorg,
    "empty answers are believed": empty_answers_are_believed,
}
