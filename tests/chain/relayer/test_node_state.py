"""What the relayer asks before it sends, how large its batches are, and when it waits: by a clock of the test's own."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

import pytest

from chain.base.errors import AnswerInconsistent, ChainReplaced, DeploymentMismatch
from chain.contracts.deployment import Deployment
from chain.node.rpc import Rpc
from chain.outbox import calls
from chain.outbox.transactions import Transaction
from chain.relayer import node_state
from chain.relayer.node_state import BLOCK_GAS_SHARE, HEAD_AGE_S_MAX, NodeState
from chain.relayer.settings import RelayerSettings

SIGNER, OTHER = "0x" + "51" * 20, "0x" + "52" * 20
GWEI = 10**9


class Node:
    """A node that counts what it was asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.counts = {SIGNER: 5, OTHER: 7}
        self.version, self.gas_limit, self.base_fee = "Geth/v1", 30_000_000, 10 * GWEI

    def call(self, method: str, *params: Any) -> Any:
        self.asked[method] += 1
        if method == "web3_clientVersion":
            return self.version
        assert (method, params) == ("eth_getBlockByNumber", ("latest", False))
        return {"baseFeePerGas": hex(self.base_fee), "gasLimit": hex(self.gas_limit)}

    def batch(self, asked: list[tuple[str, list[Any]]]) -> list[Any]:
        self.asked.update(method for method, _ in asked)
        return [hex(9) if method == "eth_blockNumber" else hex(self.counts[of[0]]) for method, of in asked]

    def try_batch(self, asked: list[tuple[str, list[Any]]]) -> list[Any]:
        self.asked.update(method for method, _ in asked)
        return [hex(10**20) for _ in asked]


class Contracts:
    """A deployment that says what it is told to when it is compared with the node."""

    def __init__(self) -> None:
        self.compared, self.wrong = 0, None

    def verify(self, _rpc: Rpc) -> None:
        self.compared += 1
        if self.wrong is not None:
            raise self.wrong


class Watched:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 500.0
        monkeypatch.setattr(node_state, "time", SimpleNamespace(monotonic=lambda: self.now))
        self.node, self.contracts = Node(), Contracts()
        self.settings = RelayerSettings()
        self.line = NodeState(cast(Rpc, self.node), self.settings, cast(Deployment, self.contracts), [SIGNER, OTHER])


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(monkeypatch)


def sent(nonce: int, signer: str = SIGNER, id: int = 1) -> Transaction:
    return Transaction(id, signer, nonce, "batch", SIGNER, 1, 0, "sent")


def test_the_chain_is_compared_before_the_first_look_and_not_at_each(watched: Watched) -> None:
    """SPEC 7.23"""
    for _ in range(5):
        watched.line.look()
    assert watched.contracts.compared == 1


def test_after_a_failure_it_is_compared_again(watched: Watched) -> None:
    """SPEC 7.23"""
    watched.line.look()
    watched.line.doubt()
    watched.line.look(news=False)
    assert watched.contracts.compared == 2, "a doubt is no reason to wait for news"


@pytest.mark.parametrize(("counts", "compared"), [((5, 7), 1), ((6, 9), 1), ((4, 7), 2), ((9, 6), 2)])
def test_it_is_compared_again_when_the_node_counts_fewer_of_ours(
    watched: Watched, counts: tuple[int, int], compared: int
) -> None:
    """SPEC 7.23"""
    watched.line.look()
    watched.node.counts = dict(zip((SIGNER, OTHER), counts, strict=True))
    watched.line.look()
    assert watched.contracts.compared == compared
    assert watched.line.counted == watched.node.counts


@pytest.mark.parametrize("wrong", [ChainReplaced("0xaa", "0xbb"), DeploymentMismatch("code", "this", "that")])
def test_another_chain_is_believed_only_after_three_seconds(watched: Watched, wrong: Exception) -> None:
    """SPEC 7.23"""
    watched.contracts.wrong = wrong  # type: ignore[assignment]
    for passed in (0.0, 1.5, 2.999):
        watched.now = 500.0 + passed
        with pytest.raises(AnswerInconsistent):
            watched.line.look()
    watched.now = 503.0
    with pytest.raises(type(wrong)):
        watched.line.look()


def test_a_chain_that_is_right_again_takes_the_seconds_back(watched: Watched) -> None:
    """SPEC 7.23"""
    for _ in range(3):
        watched.contracts.wrong = ChainReplaced("0xaa", "0xbb")  # type: ignore[assignment]
        watched.line.doubt()
        with pytest.raises(AnswerInconsistent):
            watched.line.look()
        watched.now += 2.5
        with pytest.raises(AnswerInconsistent):
            watched.line.look()
        watched.contracts.wrong = None
        watched.line.look()
        watched.now += 2.5


def test_the_blocks_gas_is_looked_at_once_a_second_and_bounds_a_batch(watched: Watched) -> None:
    """SPEC 7.5"""
    watched.line.look()
    assert watched.line.items_max == 200 == watched.settings.batch_items_max
    room = 20
    watched.node.gas_limit = int((calls.BATCH_BASE_GAS + room * calls.ITEM_GAS) / BLOCK_GAS_SHARE) + 1
    watched.now += HEAD_AGE_S_MAX
    watched.line.look()
    assert watched.line.items_max == 200
    watched.now += 0.001
    watched.line.look()
    assert (watched.line.items_max, HEAD_AGE_S_MAX) == (room, 1.0)
    watched.node.gas_limit = 1
    watched.now += 2
    watched.line.look()
    assert watched.line.items_max == 1


def test_no_transaction_passes_fifteen_million_gas_whatever_block_and_settings_would_take(watched: Watched) -> None:
    """SPEC 7.5"""
    watched.node.gas_limit = 1_000_000_000
    generous = RelayerSettings(batch_items_max=10_000)
    line = NodeState(cast(Rpc, watched.node), generous, cast(Deployment, watched.contracts), [SIGNER, OTHER])
    unseen = line.items_max
    line.look()
    assert line.items_max == unseen, "nor before the block was looked at"
    assert calls.batch_gas(line.items_max) <= 15_000_000 < calls.batch_gas(line.items_max + 1)
    assert RelayerSettings().batch_items_max <= line.items_max, "the default is what 7.5 says"
    assert max(calls.GAS.values()) <= 15_000_000


def test_a_refusal_for_gas_halves_the_batches_until_larger_ones_pass_again(watched: Watched) -> None:
    """SPEC 7.5"""
    watched.line.look()
    sizes = []
    for _ in range(3):
        watched.line.too_large(watched.line.items_max)
        watched.line.look()
        sizes.append(watched.line.items_max)
    assert sizes == [100, 50, 25], "and a look at the block's gas does not take it back"
    watched.line.fits(24)
    assert watched.line.items_max == 25, "a batch that was not full says nothing"
    grown = []
    while watched.line.items_max < 200:
        watched.line.fits(watched.line.items_max)
        grown.append(watched.line.items_max)
        assert len(grown) < 50
    assert grown == sorted(set(grown))
    assert grown[:2] == [29, 33]
    watched.line.too_large(1)
    assert watched.line.items_max == 1
    watched.line.too_large(1)
    assert watched.line.items_max == 1


@pytest.mark.parametrize(("version", "waits"), [("Ganache/v7.9.2", True), ("anvil/v1.7.1", False), ("Geth/1", False)])
def test_only_ganache_gets_one_transaction_at_a_time(watched: Watched, version: str, waits: bool) -> None:
    """SPEC 7.16"""
    watched.node.version = version
    watched.line.look()
    watched.line.look()
    assert watched.node.asked["web3_clientVersion"] == 1
    assert not watched.line.must_wait(sent(5)), "the next nonce may go on any node"
    assert not watched.line.must_wait(sent(4))
    assert watched.line.must_wait(sent(6)) is waits
    assert watched.line.must_wait(sent(8, OTHER)) is waits
    assert not watched.line.must_wait(sent(7, OTHER))


def test_eight_are_at_a_node_at_once_and_two_hundred_in_a_batch_or_fifty_milliseconds() -> None:
    """SPEC 7.16, 7.5, 7.6, 7.18, 7.20, 7.21, 7.23: the numbers, as the rules name them"""
    told = RelayerSettings()
    assert (told.in_flight_max, told.batch_items_max, told.batch_delay_ms) == (8, 200, 50)
    assert (told.simulation_patience_s, told.resend_after_s, told.replace_after_s) == (60, 10, 30)
    assert (told.gap_after_s, told.replaced_after_s) == (5, 3)
    assert (told.breaker_failures_max, told.breaker_pause_s, told.breaker_pause_s_max) == (8, 2, 15)


def test_when_a_transaction_is_offered_again_and_when_it_should_pay_more(watched: Watched) -> None:
    """SPEC 7.18"""
    watched.line.look()
    assert watched.line.is_stuck(sent(5), watched.now), "offered by a process that is gone"
    watched.line.sent_at[1] = watched.line.first_sent_at[1] = 500.0
    assert not watched.line.is_stuck(sent(5), 510.0)
    assert watched.line.is_stuck(sent(5), 510.001)
    assert not watched.line.wants_replacement(sent(5), 530.0)
    assert watched.line.wants_replacement(sent(5), 530.001)
    assert not watched.line.wants_replacement(sent(6), 999.0), "only the signer's next"
    assert not watched.line.wants_replacement(sent(4), 999.0)
    assert watched.line.is_passed(sent(4))
    assert not watched.line.is_passed(sent(5))


@pytest.mark.parametrize(("base", "fee"), [(10, 21), (0, 1), (249, 499), (250, 500), (10**6, 500)])
def test_a_fee_is_twice_the_base_and_a_tip_and_never_above_the_cap(watched: Watched, base: int, fee: int) -> None:
    """SPEC 7.18"""
    watched.node.base_fee = base * GWEI
    assert watched.line.fees().max_fee == fee * GWEI


def test_a_signer_below_what_a_batch_costs_is_poor(watched: Watched) -> None:
    """SPEC 7.19"""
    watched.line.look()
    least = calls.batch_gas(watched.line.items_max) * watched.line.fees().max_fee
    watched.line.balances = {SIGNER: least, OTHER: least - 1}
    assert watched.line.poor() == {OTHER: least - 1}
    watched.line.cannot_pay(SIGNER)
    assert watched.line.poor() == {SIGNER: 0, OTHER: least - 1}


def test_what_is_decided_is_forgotten_and_the_rest_is_kept(watched: Watched) -> None:
    """SPEC 7.8"""
    for known in (watched.line.sent_at, watched.line.first_sent_at, watched.line.refused_since):
        known.update({1: 1.0, 2: 2.0, 3: 3.0})
    watched.line.forget(1)
    watched.line.forget_all_but({2})
    assert [set(known) for known in (watched.line.sent_at, watched.line.first_sent_at, watched.line.refused_since)] == [
        {2}
    ] * 3
