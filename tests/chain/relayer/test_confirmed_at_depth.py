"""What lies deep enough is confirmed, in the block that is really there."""

from sqlalchemy import Engine, insert, select, update

from chain.mirror import record_outcomes
from chain.mirror.checkpoint import known_blocks
from chain.outbox import calls, operations
from chain.storage.database import reading, writing

OURS, GONE = "0x" + "11" * 32, "0x" + "22" * 32


def mined(engine: Engine, block_hash: str) -> int:
    """An operation that a receipt placed in block 10, which the mirror has as OURS."""
    asked = calls.award(key="one", brand=1, member="0x" + "aa" * 20, rule=1, base_amount=5)
    with writing(engine) as connection:
        connection.execute(insert(known_blocks).values(number=10, hash=OURS, time=1))
        id = operations.enqueue(connection, asked)
        place = {"block_number": 10, "block_hash": block_hash, "tx_hash": "0x" + "33" * 32}
        connection.execute(update(operations.table).values(state=operations.MINED, **place))
    return id


def state_after(engine: Engine, number: int) -> str:
    """The operation's state when the mirror has come to block `number`, confirming two blocks deep."""
    with writing(engine) as connection:
        record_outcomes.confirm(connection, number, 2)
    with reading(engine) as connection:
        return str(connection.execute(select(operations.table.c.state)).scalar_one())


def test_an_operation_in_a_block_that_is_gone_is_never_confirmed(engine: Engine) -> None:
    """SPEC 8.11; found by the simulation (seed 40120)"""
    mined(engine, GONE)

    assert state_after(engine, 50) == operations.MINED


def test_an_operation_is_confirmed_at_the_depth_asked_for(engine: Engine) -> None:
    """SPEC 8.11"""
    mined(engine, OURS)

    assert state_after(engine, 11) == operations.MINED
    assert state_after(engine, 12) == operations.CONFIRMED
