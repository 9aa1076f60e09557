"""A node that misbehaves costs time, never a row: truth at the end, whatever it said in between."""

import random
import time
from pathlib import Path
from typing import Any

import pytest

from chain.erc20 import follower as follower_module
from chain.node import outage_limiter
from tests.erc20.conftest import TOKEN, Books, until
from tests.support.scripted_node import faults, limits
from tests.support.scripted_node.brisk import brisk
from tests.support.scripted_node.faults import Behaviour
from tests.support.scripted_node.node import ScriptedNode
from tests.support.scripted_node.pool import ANVIL, GANACHE
from tests.support.scripted_node.tokens import Traffic, address_of, mint

pytestmark = pytest.mark.slow

# The modules whose pauses are short here.
QUICK = ("chain.node.rpc", "chain.node.outage_limiter", "chain.node.head_subscription")
OUTAGE_REQUESTS_PER_S = 40.0
OUTAGE_REQUESTS_SEEN = 40

LOGS = "eth_getLogs"
BLOCK = "eth_getBlockByNumber"

# Lies of eth_getLogs that the mirror sees through by itself: they may last for ever.
LIES = [
    faults.empty_logs(),
    faults.removed_logs(),
    faults.unordered_logs(),
    faults.doubled_logs(),
    faults.other_case(),
    faults.orphan_logs(),
]
# Trouble that passes.
TROUBLE = [
    faults.reset(),
    faults.close(),
    faults.cut(),
    faults.bad_gateway(),
    faults.too_many_requests(0),
    faults.text(),
    faults.error(-32005, "rate limit exceeded"),
    faults.error(-32603, "internal error"),
    faults.answers("0x", LOGS),
    faults.answers([{"address": 7}], LOGS),
    faults.answers(None, BLOCK),
    faults.answers({}, BLOCK),
    faults.changes("pending block", lambda block: block and {**block, "hash": None}, BLOCK),
    faults.changes("number for a hash", lambda block: block and {**block, "hash": 5}, BLOCK),
    faults.changes("block too high", lambda block: block and {**block, "number": "0x" + "f" * 20}, BLOCK),
    faults.changes("log too high", lambda logs: [{**log, "logIndex": "0x" + "f" * 16} for log in logs], LOGS),
    faults.null_block(),
    faults.wrong_block(),
    faults.behind(3),
    faults.drops_one(),
    faults.shuffled(),
    faults.hang(),
    faults.slow(0.3),
]


def name(behaviour: Behaviour) -> str:
    return behaviour.name


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    brisk(monkeypatch, *QUICK)
    monkeypatch.setattr(follower_module, "BACKOFF_S_MAX", 0.1)


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """SQLite: what goes wrong here goes wrong before a database hears of it."""
    return f"sqlite:///{tmp_path / 'mirror.db'}"


@pytest.mark.parametrize("dialect", ["geth", GANACHE, ANVIL])
@pytest.mark.parametrize("lie", LIES, ids=name)
def test_logs_that_cannot_be_true_are_put_right_from_receipts(lie: Behaviour, dialect: str, tmp_path: Any) -> None:
    """SPEC 8.5, 8.33"""
    from chain.erc20.follower import Follower, FollowerSettings

    with ScriptedNode(seed=3, dialect=dialect) as node:
        traffic = Traffic(node.chain, TOKEN)
        traffic.mine(blocks=25, transfers=3)
        traffic.reorg(5, "others")
        books = Books(f"sqlite:///{tmp_path / 'mirror.db'}", node)
        mirror = Follower(FollowerSettings(node.url, books.url, TOKEN, 0, behind_grace_s=0.0))
        fault = node.faults.add(lie)
        mirror.catch_up()
        books.check()
        traffic.reorg(4, "none")
        traffic.mine(blocks=3, transfers=4)
        mirror.catch_up()
        books.check()
        assert fault.hits
        mirror.close()


@pytest.mark.parametrize("trouble", TROUBLE, ids=name)
def test_trouble_that_passes_costs_time_only(
    running: Any, books: Books, traffic: Traffic, node: ScriptedNode, trouble: Behaviour
) -> None:
    """SPEC 8.13, 8.35"""
    traffic.mine(blocks=30, transfers=3)
    fault = node.faults.add(trouble, times=3)
    running(timeout_s=0.4)
    # What strikes some methods only, and needs no second try, as a batch in another order, may be met once.
    until(lambda: fault.hits >= (1 if trouble.methods else 3) and books.at_head())
    books.check()

    second = node.faults.add(trouble, times=2)
    traffic.reorg(4, "others")
    traffic.mine(blocks=2, transfers=2)
    until(lambda: second.hits >= (1 if trouble.methods else 2) and books.at_head())
    books.check()


def test_receipts_that_are_missing_are_waited_for_where_nothing_else_proves_the_logs(
    running: Any, books: Books, traffic: Traffic, node: ScriptedNode
) -> None:
    """SPEC 8.33"""
    traffic.mine(blocks=6, transfers=2)
    empty = node.faults.add(faults.empty_logs())
    null = node.faults.add(faults.answers(None, "eth_getBlockReceipts"))
    running()
    until(lambda: null.hits > 2)
    assert books.checkpoint()[2] != "live"
    assert books.transfers() == []
    null.clear()
    until(books.at_head)
    books.check()
    assert empty.hits


def test_a_node_that_keeps_no_receipts_is_followed_by_its_logs(
    follower: Any, books: Books, traffic: Traffic, node: ScriptedNode
) -> None:
    """SPEC 8.33"""
    fault = node.faults.add(faults.answers(None, "eth_getBlockReceipts"))
    traffic.mine(blocks=30, transfers=2)
    follower().catch_up()
    books.check()
    assert fault.hits


@pytest.mark.parametrize("every", [2, 3])
def test_logs_that_are_partly_missing_are_found_at_the_head_and_where_an_answer_ends(
    follower: Any, books: Books, traffic: Traffic, node: ScriptedNode, every: int
) -> None:
    """SPEC 8.33"""
    traffic.mine(blocks=60, transfers=5)
    fault = node.faults.add(faults.missing_logs(every))
    mirror = follower()
    mirror.catch_up()
    books.check()
    traffic.mine(blocks=2, transfers=5)
    mirror.catch_up()
    books.check()
    assert fault.hits


def test_an_answer_that_is_cut_short_without_a_word_is_noticed(
    follower: Any, books: Books, traffic: Traffic, node: ScriptedNode
) -> None:
    """SPEC 8.33"""
    cut = []

    def short(found: list[Any]) -> list[Any]:
        cut.append(len(found) > 17)
        return found[:17]

    node.faults.add(faults.changes("cut short", short, LOGS))
    traffic.mine(blocks=60, transfers=5)
    follower().catch_up()
    books.check()
    assert any(cut)


def test_every_block_is_proved_when_asked_to(follower: Any, books: Books, traffic: Traffic, node: ScriptedNode) -> None:
    """SPEC 8.33"""
    traffic.mine(blocks=60, transfers=5)

    # Of the middle blocks one log is missing, in logs and in receipts alike.
    def thin(found: list[Any]) -> list[Any]:
        return [one for one in found if not (int(one["blockNumber"], 16) == 30 and int(one["logIndex"], 16) == 2)]

    def thin_receipts(found: Any) -> Any:
        return found and [{**one, "logs": thin(one["logs"])} for one in found]

    node.faults.add(faults.changes("thin", thin, LOGS))
    receipts = node.faults.add(faults.changes("thin receipts", thin_receipts, "eth_getBlockReceipts"))
    mirror = follower(verify=True)
    from chain.base.errors import AnswerInconsistent

    with pytest.raises(AnswerInconsistent):
        mirror.catch_up()
    assert books.checkpoint()[0] < 30
    receipts.clear()
    mirror.catch_up()
    books.check()


def test_receipts_without_a_place_are_asked_for_again(
    follower: Any, books: Books, traffic: Traffic, node: ScriptedNode
) -> None:
    """SPEC 8.13, 8.33"""
    from chain.base.errors import AnswerInconsistent

    traffic.mine(blocks=3, transfers=2)

    def placeless(found: Any) -> Any:
        return found and [{**one, "transactionIndex": None} for one in found]

    fault = node.faults.add(faults.changes("placeless", placeless, "eth_getBlockReceipts"))
    mirror = follower(verify=True)
    with pytest.raises(AnswerInconsistent):
        mirror.catch_up()
    fault.clear()
    mirror.catch_up()
    books.check()


def test_logs_of_other_addresses_are_not_ours(
    follower: Any, books: Books, traffic: Traffic, node: ScriptedNode
) -> None:
    """SPEC 8.33"""
    other = address_of("other token")
    for _ in range(30):
        node.chain.mine([mint(other, traffic.accounts[0], 5), mint(TOKEN, traffic.accounts[1], 7)])

    def everyones(found: list[Any]) -> list[Any]:
        return found + [{**one, "address": other, "logIndex": hex(int(one["logIndex"], 16) + 50)} for one in found]

    fault = node.faults.add(faults.changes("everyone's logs", everyones, LOGS))
    follower().catch_up()
    books.check()
    assert fault.hits


@pytest.mark.parametrize("provider", sorted(limits.RANGE_TEXTS))
def test_a_provider_that_takes_few_blocks_at_once_is_followed(
    follower: Any, books: Books, traffic: Traffic, node: ScriptedNode, provider: str
) -> None:
    """SPEC 8.13"""
    traffic.mine(blocks=90, transfers=1)
    fault = node.faults.add(limits.range_too_wide(provider, 7))
    follower().catch_up()
    books.check()
    assert fault.hits
    assert node.log.count(LOGS) < 60


@pytest.mark.parametrize("provider", sorted(limits.RESULT_TEXTS))
def test_a_provider_that_gives_few_results_at_once_is_followed(
    follower: Any, books: Books, traffic: Traffic, node: ScriptedNode, provider: str
) -> None:
    """SPEC 8.13"""
    traffic.mine(blocks=60, transfers=4)
    fault = node.faults.add(limits.too_many_results(provider, 30))
    follower().catch_up()
    books.check()
    assert fault.hits
    assert node.log.count(LOGS) < 80


def test_a_provider_that_hangs_on_wide_ranges_is_asked_for_narrow_ones(
    running: Any, books: Books, traffic: Traffic, node: ScriptedNode
) -> None:
    """SPEC 8.13"""
    traffic.mine(blocks=40, transfers=1)

    def wide(request: Any, methods: Any) -> bool:
        first, last = methods.log_range(request.params)
        return bool(last - first >= 4)

    fault = node.faults.add(faults.hang(), LOGS, when=wide)
    running(timeout_s=0.4)
    until(books.at_head, 60.0)
    books.check()
    assert fault.hits


def test_answers_that_are_too_large_are_asked_for_in_parts(
    running: Any, books: Books, traffic: Traffic, node: ScriptedNode
) -> None:
    """SPEC 8.13"""
    traffic.mine(blocks=30, transfers=2)

    def wide(request: Any, methods: Any) -> bool:
        first, last = methods.log_range(request.params)
        return bool(last - first >= 3)

    fault = node.faults.add(faults.padded(30 * 1024 * 1024), LOGS, when=wide)
    running(timeout_s=5.0)
    until(books.at_head, 60.0)
    books.check()
    assert fault.hits


def test_a_small_batch_limit_is_kept(follower: Any, books: Books, traffic: Traffic, node: ScriptedNode) -> None:
    """SPEC 8.13"""
    traffic.mine(blocks=60, transfers=1)
    fault = node.faults.add(faults.batch_limit(10))
    follower().catch_up()
    books.check()
    assert fault.hits


def test_an_outage_costs_the_node_a_few_requests_a_second(
    running: Any, books: Books, traffic: Traffic, node: ScriptedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SPEC 8.32"""
    monkeypatch.setattr(outage_limiter, "OUTAGE_REQUESTS_PER_S", OUTAGE_REQUESTS_PER_S)
    traffic.mine(blocks=5, transfers=2)
    running()
    until(books.at_head)
    node.log.clear()
    outage = node.faults.add(faults.bad_gateway())
    traffic.mine(blocks=40, transfers=2)
    until(lambda: node.log.count() >= OUTAGE_REQUESTS_SEEN)
    times = [one.at for one in node.log.exchanges()]
    # In whatever stretch of it: six at once, the one that found it, and so many a second.
    for first in range(len(times)):
        for last in range(first, len(times)):
            most = outage_limiter.OUTAGE_BURST + 2 + (times[last] - times[first]) * OUTAGE_REQUESTS_PER_S
            assert last - first + 1 <= most
    outage.clear()
    until(books.at_head)
    books.check()


def test_a_node_that_was_down_is_waited_for(
    running: Any, books: Books, traffic: Traffic, node: ScriptedNode, caplog: Any
) -> None:
    """SPEC 8.35"""
    node.down()
    running()
    traffic.mine(blocks=30, transfers=2)
    until(lambda: "waiting" in caplog.text)
    node.up()
    until(books.at_head)
    until(lambda: books.checkpoint()[2] == "live")
    caplog.clear()
    node.down()
    traffic.reorg(7, "others")
    until(lambda: "waiting" in caplog.text)
    node.up()
    until(books.at_head)
    books.check()


@pytest.mark.parametrize("seed", range(3))
def test_random_faults_and_reorgs_together(
    running: Any, books: Books, traffic: Traffic, node: ScriptedNode, seed: int
) -> None:
    """SPEC 8.13, 8.33, 8.35"""
    print("seed", seed)
    dice = random.Random(seed)
    traffic.mine(blocks=30, transfers=3)
    started = running(timeout_s=0.4)
    for _ in range(12):
        for _ in range(dice.randrange(3)):
            node.faults.add(dice.choice(LIES + TROUBLE), times=dice.randrange(1, 4), chance=0.5, sure=False)
        if dice.random() < 0.5:
            traffic.mine(blocks=dice.randrange(1, 25), transfers=dice.randrange(4))
        else:
            traffic.reorg(dice.randrange(1, 25), dice.choice(["others", "none", "moved"]))
        if dice.random() < 0.2:
            node.drop_connections()
        if dice.random() < 0.15:
            started.end()
            assert started.failures == []
            started = running(timeout_s=0.4)
        time.sleep(dice.random() * 0.3)
    node.faults.clear()
    until(books.at_head)
    books.check()
    print(dict(node.faults.counts()))
