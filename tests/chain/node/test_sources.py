"""How a node is reached: HTTP or WebSocket, announcements of heads, and what an outage may cost."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chain.base import errors
from chain.node import outage_limiter
from chain.node.head_subscription import HeadSubscription
from chain.node.rpc import Rpc
from tests.support.scripted_node import faults
from tests.support.scripted_node.node import ScriptedNode
from tests.support.scripted_node.tokens import Traffic, address_of

# A new connection and an answer on it, on a machine that is busy with something else.
PATIENT_S = 5.0
# An announcement comes in milliseconds; who polled would need longer than this (head_subscription never polls).
ANNOUNCED_S_MAX = 3.0
# Fifty requests rationed as in an outage would take more than twenty.
UNRATIONED_S_MAX = 10.0


@pytest.fixture
def node() -> Iterator[ScriptedNode]:
    with ScriptedNode(seed=4) as made:
        yield made


@pytest.fixture
def client(node: ScriptedNode) -> Iterator[Callable[..., Rpc]]:
    opened: list[Rpc] = []

    def make(url: str | None = None, **options: Any) -> Rpc:
        opened.append(Rpc(url or node.ws_url, **{"timeout_s": 1.0, **options}))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def wait_for(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.01)


@pytest.mark.parametrize("url", ["", "8545", "ftp://host", "http://", "ws://:1", "http://host:0", "http://host:99999"])
def test_what_is_no_address_of_a_node_is_refused(url: str) -> None:
    """SPEC 8.30"""
    with pytest.raises(errors.NodeUnavailable):
        Rpc(url)


def test_the_key_in_an_address_of_a_websocket_is_never_shown() -> None:
    """SPEC 8.30"""
    client = Rpc("ws://user:secret@127.0.0.1:1/secret?key=secret", timeout_s=0.2)
    with pytest.raises(errors.NodeUnavailable) as caught:
        client.call("eth_blockNumber")
    assert "secret" not in str(caught.value) + client.shown


def test_a_node_reached_by_websocket_only_answers_calls_and_batches(node: ScriptedNode, client: Any) -> None:
    """SPEC 8.30"""
    node.chain.mine_empty(5)
    rpc = client()

    assert rpc.call("eth_blockNumber") == "0x5"
    blocks = rpc.batch([("eth_getBlockByNumber", [hex(number), False]) for number in range(6)])

    assert [block["hash"] for block in blocks] == [block.hash for block in node.chain.blocks]
    assert {one.transport for one in node.log.exchanges()} == {"ws"}


@pytest.mark.parametrize("trouble", [faults.reset(), faults.close(), faults.cut(), faults.hang(), faults.text()])
def test_a_websocket_that_breaks_is_a_node_that_is_not_available(
    node: ScriptedNode, client: Any, trouble: faults.Behaviour
) -> None:
    """SPEC 8.30"""
    rpc = client(timeout_s=PATIENT_S)
    with node.faults.add(trouble), pytest.raises(errors.NodeUnavailable):
        rpc.call("eth_sendRawTransaction", "0x00", timeout_s=0.3)
    wait_for(lambda: rpc.call("eth_chainId") == hex(node.chain.chain_id))


def test_a_late_answer_is_never_taken_for_that_of_the_next_question(node: ScriptedNode, client: Any) -> None:
    """SPEC 8.30"""
    rpc = client(timeout_s=PATIENT_S)
    with node.faults.add(faults.slow(0.4), "eth_blockNumber"), pytest.raises(errors.NodeTimeout):
        rpc.call("eth_blockNumber", timeout_s=0.2)
    assert rpc.call("eth_chainId") == hex(node.chain.chain_id)


@pytest.mark.parametrize("scheme", ["http", "ws"])
def test_heads_are_announced_as_they_come(node: ScriptedNode, scheme: str) -> None:
    """SPEC 8.31"""
    heads = HeadSubscription(node.url if scheme == "http" else node.ws_url)
    wait_for(lambda: node.subscribers == 1)
    # The subscription itself is news, told once: what comes after it is the block's.
    assert heads.wait(PATIENT_S)

    began = time.monotonic()
    threading.Timer(0.1, node.chain.mine_empty).start()
    assert heads.wait(PATIENT_S)
    assert time.monotonic() - began < ANNOUNCED_S_MAX
    assert not heads.wait(0.05)
    heads.close()


def test_a_subscription_that_was_lost_is_made_again_and_what_was_missed_is_looked_for(node: ScriptedNode) -> None:
    """SPEC 8.31"""
    heads = HeadSubscription(node.url)
    wait_for(lambda: node.subscribers == 1)
    assert heads.wait(PATIENT_S)

    node.drop_connections()
    assert heads.wait(PATIENT_S), "the end of the subscription is a reason to look"
    wait_for(lambda: node.subscribers == 1)
    heads.close()


def test_a_node_without_subscriptions_is_polled(node: ScriptedNode) -> None:
    """SPEC 8.31"""
    node.faults.add(faults.error(-32001, "notifications not supported"), "eth_subscribe")
    heads = HeadSubscription(node.url)
    # The refusal is news: nobody listens, so look.
    assert heads.wait(PATIENT_S)

    began = time.monotonic()
    heads.wait(0.2)
    assert time.monotonic() - began < ANNOUNCED_S_MAX
    assert not heads.subscribed.is_set()
    heads.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    "trouble",
    [faults.bad_gateway(), faults.reset(), faults.text(), faults.too_many_requests(0), faults.error(429, "slow down")],
    ids=lambda trouble: trouble.name,
)
def test_many_loops_together_cost_a_node_in_trouble_a_few_requests_a_second(
    node: ScriptedNode, client: Any, trouble: faults.Behaviour
) -> None:
    """SPEC 8.32"""
    stop = threading.Event()

    def loop() -> None:
        rpc = client(node.url)
        while not stop.is_set():
            try:
                rpc.call("eth_blockNumber")
            except errors.NodeUnavailable:
                stop.wait(0.01)

    node.faults.add(trouble)
    pool = ThreadPoolExecutor(8)
    began = time.monotonic()
    loops = [pool.submit(loop) for _ in range(8)]
    time.sleep(2.0)
    asked = node.log.count()
    # Not the 2.0: a sleep may take longer, and the ration grows with the time that passed.
    seconds = time.monotonic() - began
    stop.set()
    for one in loops:
        one.result(30)
    pool.shutdown()

    # Eight may be under way when the first one fails.
    assert asked <= 8 + outage_limiter.OUTAGE_BURST + seconds * outage_limiter.OUTAGE_REQUESTS_PER_S + 1

    node.faults.clear()
    wait_for(lambda: client(node.url).call("eth_blockNumber") == "0x0")
    began = time.monotonic()
    rpc = client(node.url)
    for _ in range(50):
        rpc.call("eth_blockNumber")
    assert time.monotonic() - began < UNRATIONED_S_MAX, "nobody waits once the node answers"


def test_who_says_when_to_come_again_is_not_asked_before(node: ScriptedNode, client: Any) -> None:
    """SPEC 8.32"""
    rpc = client(node.url)
    with node.faults.add(faults.too_many_requests(60), times=1), pytest.raises(errors.NodeUnavailable) as caught:
        rpc.call("eth_blockNumber")
    assert isinstance(caught.value, errors.TooManyRequests | errors.NodeAway)
    node.log.clear()
    for _ in range(5):
        with pytest.raises(errors.NodeAway):
            client(node.url).call("eth_blockNumber")
    assert node.log.count() == 0


def test_every_exchange_is_told_to_who_counts_them(node: ScriptedNode, client: Any) -> None:
    """SPEC 8.32"""
    seen: list[tuple[str, float, str | None]] = []
    rpc = client(node.url, observe=lambda *facts: seen.append(facts))
    rpc.call("eth_chainId")
    rpc.batch([("eth_blockNumber", []), ("eth_chainId", [])])
    with node.faults.add(faults.bad_gateway()), pytest.raises(errors.NodeUnavailable):
        rpc.call("eth_sendRawTransaction", "0x00")

    assert [(method, error) for method, _, error in seen] == [
        ("eth_chainId", None),
        ("batch", None),
        ("eth_sendRawTransaction", "NodeUnavailable"),
    ]


def test_a_batch_that_is_too_much_is_asked_for_in_smaller_ones(node: ScriptedNode, client: Any) -> None:
    """SPEC 8.13"""
    Traffic(node.chain, address_of("token")).mine(blocks=3, transfers=1)
    node.faults.add(faults.http(413), when=lambda request, methods: True, times=1)
    rpc = client(node.url)
    assert len(rpc.batch([("eth_getBlockByNumber", [hex(number % 3), False]) for number in range(40)])) == 40


@pytest.mark.parametrize("status", [301, 401, 403, 404])
def test_a_page_instead_of_an_answer_is_told_by_its_status(node: ScriptedNode, client: Any, status: int) -> None:
    """SPEC 8.30"""
    node.faults.add(faults.http(status, b"<html>no</html>"))
    with pytest.raises(errors.NodeUnavailable, match=str(status)):
        client(node.url).call("eth_sendRawTransaction", "0x00")


def test_a_provider_that_takes_no_batches_is_asked_one_by_one(node: ScriptedNode, client: Any) -> None:
    """SPEC 8.13"""
    node.faults.add(faults.error(-32600, "batches are not allowed"), faults.BATCH)
    node.chain.mine_empty(5)
    found = client(node.url).batch([("eth_getBlockByNumber", [hex(number), False]) for number in range(6)])
    assert [block["hash"] for block in found] == [block.hash for block in node.chain.blocks]
