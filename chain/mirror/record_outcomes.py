"""What a range says of the operations that were waiting for it."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, select, update

from chain.base.clock import now_ms
from chain.contracts.codec import EventLog
from chain.contracts.deployment import Deployment
from chain.mirror.checkpoint import known_blocks
from chain.outbox import calls, operations, transactions
from chain.outbox.operations import CONFIRMED, MINED, Outcome
from chain.outbox.outcomes import outcomes

ENDS_OF_HOLDS: Final = ("HoldCaptured", "HoldReleased")


def record_outcomes(
    connection: Connection, logs: Sequence[EventLog], deployment: Deployment, confirmed_depth: int
) -> None:
    """Operations and transactions that these logs decide."""
    state = CONFIRMED if confirmed_depth == 0 else MINED
    operations.record_outcomes(connection, outcomes(logs, deployment), state)
    operations.settle_keys(connection, _ended_holds(logs), state)
    transactions.see_mined(connection, {log.tx_hash: (log.block_number, log.block_hash) for log in logs})


def _ended_holds(logs: Sequence[EventLog]) -> dict[str, Outcome]:
    """What ended each hold, by the key of the release that time owed to it: by then it owes none."""
    return {
        calls.timeout_key(log.args["holdId"]): Outcome(
            tx_hash=log.tx_hash,
            block_number=log.block_number,
            block_hash=log.block_hash,
            log_index=log.log_index,
            result={"event": log.name, **log.args},
        )
        for log in logs
        if log.name in ENDS_OF_HOLDS
    }


def confirm(connection: Connection, number: int, confirmed_depth: int) -> None:
    """Mined operations that lie deep enough under block `number`, in a block of this chain.

    A receipt may have named a block that left the chain before the mirror came to it: the relayer takes that back.
    """
    if confirmed_depth:
        table = operations.table
        ours = select(known_blocks.c.hash).where(known_blocks.c.number == table.c.block_number).scalar_subquery()
        deep_enough = table.c.block_number <= number - confirmed_depth
        connection.execute(
            update(table)
            .where(table.c.state == MINED, deep_enough, table.c.block_hash == ours)
            .values(state=CONFIRMED, updated_at_ms=now_ms())
        )
