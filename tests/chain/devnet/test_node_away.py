"""The node goes away and comes back."""

import pytest

from chain.devnet.supervisor import Ganache
from chain.mirror.loop import Mirror

pytestmark = pytest.mark.slow


@pytest.fixture
def chain(own_ganache):
    return own_ganache


def test_a_node_that_is_away_is_waited_for(world, loops, until):
    """SPEC 7.13"""
    loops()
    (first,) = world.enqueue(world.award("ada", 100))
    until(lambda: world.operation(first).state == "confirmed")

    world.node.kill()
    (second,) = world.enqueue(world.award("ada", 200))
    until(lambda: ("waiting",) in world.rows("SELECT state FROM heartbeat"))
    assert world.operation(second).state in ("queued", "assigned")
    world.node.start()
    until(lambda: world.operation(second).state == "confirmed")

    assert world.balance_on_chain("ada") == world.balance_in_mirror("ada") == 450
    assert len(world.awarded_on_chain()) == 2


def test_what_the_node_acknowledged_survives_its_kill(world):
    """SPEC 7.13"""
    ids = world.enqueue(*(world.award(f"m{i}", 100) for i in range(50)))
    world.drain()
    head = world.rpc.call("eth_getBlockByNumber", "latest", False)

    world.node.kill()
    world.node.start()

    assert world.rpc.call("eth_getBlockByNumber", "latest", False) == head
    assert len(world.awarded_on_chain()) == len(ids)
    assert world.balance_on_chain("m7") == 150


def test_a_node_that_lost_its_state_is_refused(world):
    """SPEC 8.7"""
    world.enqueue(world.award("ada", 100))
    world.drain()
    port = world.node.port
    world.node.stop()
    with Ganache(world.folder / "other", port=port):
        from chain.base.errors import ChainReplaced

        with pytest.raises(ChainReplaced):
            Mirror(world.engine, world.new_rpc(), world.deployment).step()
        with pytest.raises(ChainReplaced):
            world.deployment.verify(world.new_rpc())
    assert world.count("entry", "kind = 'award'") == 1
