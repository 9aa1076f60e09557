"""What a range says of the operations that were waiting for it."""

from collections.abc import Sequence

from sqlalchemy import Connection, update

from chain import operations, transactions
from chain.codec import Log
from chain.deployment import Deployment
from chain.operations import CONFIRMED, MINED, now_ms
from chain.outcomes import outcomes


def settle(connection: Connection, logs: Sequence[Log], deployment: Deployment, confirmed_depth: int) -> None:
    """Operations and transactions that these logs decide."""
    state = CONFIRMED if confirmed_depth == 0 else MINED
    operations.settle(connection, outcomes(logs, deployment), state)
    transactions.see_mined(connection, {log.tx_hash: (log.block_number, log.block_hash) for log in logs})


def confirm(connection: Connection, number: int, confirmed_depth: int) -> None:
    """Mined operations that lie deep enough under block `number`."""
    if confirmed_depth:
        table = operations.table
        connection.execute(
            update(table)
            .where(table.c.state == MINED, table.c.block_number <= number - confirmed_depth)
            .values(state=CONFIRMED, updated_at_ms=now_ms())
        )
