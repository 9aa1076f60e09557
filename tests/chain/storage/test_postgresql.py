"""The same promises on PostgreSQL."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from chain.base.errors import AnswerInconsistent, LeaderElsewhere, RpcError
from chain.base.reverts import plain_revert
from chain.mirror import checkpoint
from chain.mirror.checkpoint import Levels, Tip
from chain.mirror.rebuild import forget
from chain.node.blocks import BlockHeader
from chain.node.rpc import Rpc
from chain.outbox import operations
from chain.outbox.operations import NewOperation
from chain.storage.database import engine as make_engine
from chain.storage.database import writing
from chain.telemetry import heartbeat
from chain.worker.leader import Leader
from tests.chain.mirror.test_mirror import history, tables
from tests.chain.relayer.test_crashes import check_books, start
from tests.support.scripted_node import faults
from tests.support.scripted_node.node import ScriptedNode

pytestmark = pytest.mark.slow


@pytest.fixture
def database_url(postgresql: str) -> str:
    return postgresql


@pytest.mark.parametrize(
    "place",
    [
        "inside the transaction that gives nonces",
        "after sending, before it is stored as sent",
        "inside the mirror's transaction, after the rows",
        "inside the mirror's transaction, after the operations",
    ],
)
def test_killed_at_any_place_nothing_is_lost_and_nothing_doubled(world: Any, place: str) -> None:
    """SPEC 7.8, 8.1"""
    world.drain()
    ids = world.enqueue(*(world.award("ada", 100) for _ in range(7)), world.award("bob", 50))
    assert start(world, place).wait(30) == -signal.SIGKILL, (world.folder / "worker.log").read_text()[-2000:]
    world.restart()
    world.drain()

    check_books(world, ids, {"ada": 1050, "bob": 75})


def test_a_reorg_takes_everything_back_and_a_rebuilt_mirror_has_the_same_rows(world: Any) -> None:
    """SPEC 8.2, 8.3"""
    world.mirror.catch_up()
    history(world)
    before, snapshot = tables(world), world.snapshot()
    world.enqueue(world.award("ada", 5), world.award("eve", 9))
    world.drain()
    world.revert(snapshot)
    world.mirror.catch_up()
    assert tables(world) == before

    forget(world.engine)
    world.restart()
    world.mirror.catch_up()
    assert tables(world) == before


def test_one_leads(world: Any, postgresql: str) -> None:
    """SPEC 7.14"""
    other = make_engine(postgresql)
    with Leader(world.engine), pytest.raises(LeaderElsewhere), Leader(other):
        pass
    with Leader(other):
        pass
    other.dispose()


def test_the_numbers_of_entries_are_given_to_one_mirror_at_a_time(engine: Engine) -> None:
    """SPEC 9.31: so a lower one never commits after a higher one, whoever believes that it leads."""
    base = BlockHeader(4, "0x" + "44" * 32, "0x" + "33" * 32, 1_000, 0, 0)
    tip = Tip(base.number, base.hash, base.time)
    with writing(engine) as connection:
        checkpoint.make(connection, chain_id="1337", genesis_hash="0x00", start_block=5, base=base)
    with writing(engine) as first:
        checkpoint.require(first, tip)
        with engine.connect() as second:
            second.execute(text("SET LOCAL lock_timeout = '50ms'"))
            with pytest.raises(OperationalError, match="lock timeout"):
                checkpoint.require(second, tip)
        moved = Tip(5, "0x" + "55" * 32, 1_001)
        checkpoint.keep(first, moved, base, Levels(4, 4))
    with pytest.raises(AnswerInconsistent), writing(engine) as second:
        checkpoint.require(second, tip)


@contextmanager
def away(engine: Engine) -> Iterator[None]:
    """Everybody is thrown out of the database, and nobody let in again until the end."""
    name = engine.url.database
    admin = create_engine(engine.url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'))
        connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"), {"name": name}
        )
        yield
        connection.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'))
    admin.dispose()


def test_a_database_that_went_away_is_waited_for(world: Any, until: Any) -> None:
    """SPEC 7.13"""
    worker = start(world)
    (first,) = world.enqueue(world.award("ada", 100))
    until(lambda: world.operation(first).state == "confirmed")

    with away(world.engine):
        until(lambda: "waiting for the database" in (world.folder / "worker.log").read_text())
    (second,) = world.enqueue(world.award("ada", 200))
    until(lambda: world.operation(second).state == "confirmed")

    worker.terminate()
    assert worker.wait(5) == 0
    assert world.balance_on_chain("ada") == world.balance_in_mirror("ada") == 450


def test_a_nodes_words_are_stored_whatever_stands_in_them(engine: Engine) -> None:
    """SPEC 7.13: PostgreSQL takes no NUL in a text, and a node may say one."""
    with ScriptedNode(seed=1) as node, node.faults.add(faults.error(-32000, "a\0b"), "eth_blockNumber"):
        rpc = Rpc(node.url, timeout_s=5.0)
        with pytest.raises(RpcError) as refused:
            rpc.call("eth_blockNumber")
        rpc.close()
    heartbeat.beat(engine, "relayer", "waiting", str(refused.value))
    heartbeat.beat(engine, "mirror", "waiting", "what else a node says: \0")
    member = "0x" + "11" * 20
    with writing(engine) as connection:
        id = operations.enqueue(connection, NewOperation("said", "capture", 1, member, {}))
        name, values = plain_revert(bytes.fromhex("08c379a0") + (32).to_bytes(32) + (3).to_bytes(32) + b"a\0b")
        assert operations.fail(connection, id, name, values | {"said": refused.value.message})
    with writing(engine) as connection:
        found = operations.get(connection, id)
    assert found is not None
    assert found.error_args == {"message": "a\ufffdb", "said": "a\ufffdb"}
