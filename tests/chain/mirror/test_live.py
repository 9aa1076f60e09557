"""A mirror that is live sees a block when the node announces it, and sees it all the same when nobody does."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from chain.mirror.loop import Mirror
from chain.mirror.settings import MirrorSettings
from chain.node.head_subscription import HeadSubscription

pytestmark = pytest.mark.slow
LOOK_S = 12.0
AT_ONCE_S = 6.0


@pytest.fixture(params=["ganache", "anvil"])
def chain(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


@pytest.fixture
def heads(world: Any) -> Iterator[HeadSubscription]:
    opened = HeadSubscription(world.node.url)
    yield opened
    opened.close()


def seen_after(world: Any, heads: HeadSubscription, settings: MirrorSettings) -> float:
    """Seconds from mining a block until the running mirror has it."""
    stop = threading.Event()
    mirror = Mirror(world.engine, world.new_rpc(), world.deployment, settings, heads=heads)
    mirror.catch_up()
    thread = threading.Thread(target=mirror.run, args=(stop,))
    thread.start()
    try:
        time.sleep(0.5)
        world.mine()
        began = time.monotonic()
        number = int(world.rpc.call("eth_blockNumber"), 16)
        while world.count("mirror_block", f"number = {number}") == 0:
            assert time.monotonic() - began < 2 * LOOK_S
            time.sleep(0.01)
        return time.monotonic() - began
    finally:
        stop.set()
        heads.wake()
        thread.join(2 * LOOK_S)


def test_an_announced_block_is_looked_for_at_once(world: Any, heads: HeadSubscription) -> None:
    """SPEC 8.23"""
    assert heads.subscribed.wait(20.0)

    assert seen_after(world, heads, MirrorSettings(subscribed_poll_s=LOOK_S)) < AT_ONCE_S


def test_a_node_that_announces_nothing_is_polled(world: Any) -> None:
    """SPEC 8.23"""
    deaf = HeadSubscription("ws://127.0.0.1:1")
    try:
        assert seen_after(world, deaf, MirrorSettings(poll_s=0.05)) < AT_ONCE_S
        assert not deaf.subscribed.is_set()
    finally:
        deaf.close()
