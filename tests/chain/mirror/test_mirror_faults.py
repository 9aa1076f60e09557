"""The mirror against a node that misbehaves in every way we know, with the truth at hand."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest
from sqlalchemy import Engine, text

from chain.base.errors import AnswerInconsistent, ChainError, ChainReplaced, ReorgTooDeep
from chain.mirror.loop import Mirror
from chain.mirror.rebuild import forget
from chain.mirror.settings import MirrorSettings
from chain.node import outage_limiter
from chain.node.rpc import Rpc
from chain.storage.database import reading, writing
from tests.chain.following import follow
from tests.support.scripted_node import faults, limits
from tests.support.scripted_node.brands import Brand
from tests.support.scripted_node.brisk import brisk
from tests.support.scripted_node.faults import Behaviour
from tests.support.scripted_node.node import ScriptedNode
from tests.support.scripted_node.tokens import REPLACEMENTS

SETTINGS = MirrorSettings(poll_s=0.01, range_blocks_max=16, undo_blocks_max=40, behind_grace_s=0.1)
SEEDS = (1, 2, 3)
END_S_MAX = 10.0
REQUESTS_OF_A_LOOK_MIN = 5
# A node that keeps an answer back is waited for no longer than is needed to see it.
HANG_TIMEOUT_S = 0.5
REAL_OUTAGE_REQUESTS_PER_S = outage_limiter.OUTAGE_REQUESTS_PER_S


# What goes wrong between node and mirror goes wrong before a database hears of it: SQLite alone. What a way back does
# to rows is asked of both.
both_databases = pytest.mark.parametrize(
    "database_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)], indirect=True
)
# The modules whose pauses are short here.
QUICK = ("chain.mirror.loop", "chain.node.rpc", "chain.node.outage_limiter", "chain.node.head_subscription")
OUTAGE_REQUESTS_PER_S = 40.0
OUTAGE_REQUESTS_SEEN = 60


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    brisk(monkeypatch, *QUICK)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: object) -> str:
    if getattr(request, "param", "sqlite") == "postgresql":
        return str(request.getfixturevalue("postgresql"))
    return f"sqlite:///{tmp_path}/moa.db"


@pytest.fixture
def node() -> Iterator[ScriptedNode]:
    with ScriptedNode(seed=5) as running:
        yield running
        # A fault that never struck shows nothing.
        assert running.faults.unmet() == []


@pytest.fixture
def brand(node: ScriptedNode) -> Brand:
    return Brand(node)


@pytest.fixture
def rpc(node: ScriptedNode) -> Iterator[Rpc]:
    opened = Rpc(node.url, timeout_s=2.0)
    yield opened
    opened.close()


@pytest.fixture
def mirror(engine: Engine, rpc: Rpc, brand: Brand) -> Mirror:
    return Mirror(engine, rpc, brand.deployment, SETTINGS)


Run = Callable[[], threading.Event]


@pytest.fixture
def running(mirror: Mirror) -> Iterator[threading.Thread]:
    """The mirror's own loop in a thread."""
    stop, failures = threading.Event(), []

    def run() -> None:
        try:
            mirror.run(stop)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    yield thread
    stop.set()
    thread.join(END_S_MAX)
    assert not thread.is_alive(), f"the mirror did not end within {END_S_MAX:g} s"
    assert failures == []


def balances(engine: Engine) -> dict[str, int]:
    with reading(engine) as connection:
        return {
            account: int(points)
            for account, points in connection.execute(text("SELECT account, points FROM balance"))
            if points != "0"
        }


def entries(engine: Engine) -> Counter[str]:
    """The sum of all entries of each account: the other way to its balance."""
    sums: Counter[str] = Counter()
    with reading(engine) as connection:
        for account, points in connection.execute(text("SELECT account, points FROM entry")):
            sums[account] += int(points)
    return Counter({account: points for account, points in sums.items() if points})


def checkpoint(engine: Engine) -> tuple[int, str, str]:
    with reading(engine) as connection:
        row = connection.execute(text("SELECT block_number, block_hash, state FROM mirror_checkpoint")).one_or_none()
        return (0, "", "") if row is None else (row.block_number, row.block_hash, row.state)


def beats(engine: Engine) -> set[str]:
    """What the mirror's own sign of life says."""
    with reading(engine) as connection:
        return set(connection.execute(text("SELECT state FROM heartbeat WHERE name = 'mirror'")).scalars())


def count(engine: Engine, table: str) -> int:
    with reading(engine) as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def check(engine: Engine, brand: Brand) -> None:
    """Chain = mirror, in every way it can be counted."""
    head, truth = brand.chain.head, brand.node.truth(brand.token)
    assert checkpoint(engine) == (head.number, head.hash, "live")
    assert balances(engine) == truth.balances(brand.token)
    assert entries(engine) == truth.balances(brand.token)
    logs = [log for block in brand.chain.blocks for log in block.logs]
    assert count(engine, "ledger_event") == len(logs)
    with reading(engine) as connection:
        rows = connection.execute(
            text(
                "SELECT block_number, log_index, block_hash, tx_hash FROM ledger_event ORDER BY block_number, log_index"
            )
        ).all()
    expected = [
        (block.number, log.log_index, block.hash, log.tx_hash) for block in brand.chain.blocks for log in block.logs
    ]
    assert [tuple(row) for row in rows] == expected


def until(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


# Answers that must not be believed

LIES = [
    faults.empty_logs(),
    faults.removed_logs(),
    faults.orphan_logs(),
    faults.unordered_logs(),
    faults.doubled_logs(),
    faults.other_case(),
    faults.changes("short data", lambda logs: [{**one, "data": "0x"} for one in logs], faults.LOGS),
    faults.changes("odd data", lambda logs: [{**one, "data": "0x123"} for one in logs], faults.LOGS),
    faults.changes("no data", lambda logs: [{**one, "data": None} for one in logs], faults.LOGS),
    faults.null_block(),
    faults.null_receipt(),
    faults.stale_block(),
    faults.wrong_block(),
    faults.behind(3),
    faults.shuffled(),
    faults.drops_one(),
    faults.answers("rate limited", faults.LOGS),
    faults.answers(None, faults.LOGS),
    faults.answers({}, faults.LOGS),
    faults.answers([None], faults.LOGS),
    faults.answers([{"address": "0x"}], faults.LOGS),
    faults.answers("0x", faults.BY_NUMBER),
    faults.answers({"number": "0x1"}, faults.BY_NUMBER),
    faults.answers(None, faults.BATCH),
    faults.answers("busy", faults.BATCH),
    faults.answers([], faults.BATCH),
]


def _name(behaviour: Behaviour) -> str:
    return behaviour.name


def doubt_the_logs(node: ScriptedNode, lie: Behaviour) -> None:
    """A receipt is asked for only where a block's bloom and its logs contradict each other."""
    if lie.methods == (faults.RECEIPT,):
        node.faults.add(faults.empty_logs())


@pytest.mark.parametrize(("nulls", "believed"), [(2, True), (3, False)])
def test_a_receipt_that_comes_a_moment_late_is_asked_for_three_times(
    node: ScriptedNode, brand: Brand, mirror: Mirror, nulls: int, believed: bool
) -> None:
    """SPEC 8.5"""
    brand.mine(1, 1)
    node.faults.add(faults.empty_logs())
    with node.faults.add(faults.null_receipt(), times=nulls) as planted:
        if believed:
            assert mirror.step()
        else:
            with pytest.raises(AnswerInconsistent):
                mirror.step()
    assert planted.hits == nulls


@pytest.mark.parametrize("lie", LIES, ids=_name)
def test_a_lie_is_never_kept_and_does_no_harm_once_it_ends(
    node: ScriptedNode, brand: Brand, mirror: Mirror, engine: Engine, lie: Behaviour
) -> None:
    """SPEC 8.5"""
    brand.mine(6, 3)
    follow(mirror)
    brand.reorg(2, "others")
    brand.mine(4, 3)
    doubt_the_logs(node, lie)
    with node.faults.add(lie) as planted:
        for _ in range(6):
            try:
                mirror.step()
            except ChainError:
                continue
    assert planted.hits
    node.faults.clear()
    follow(mirror)
    check(engine, brand)


@pytest.mark.parametrize("lie", LIES, ids=_name)
def test_a_lie_now_and_then_only_costs_time(
    node: ScriptedNode, brand: Brand, mirror: Mirror, engine: Engine, lie: Behaviour
) -> None:
    """SPEC 8.5"""
    brand.mine(10, 3)
    brand.reorg(3, "others")
    doubt_the_logs(node, lie)
    # A range asks for many blocks or receipts and for logs once: the same share of rounds shall fail.
    chance = 0.33 if {faults.BY_NUMBER, faults.RECEIPT}.isdisjoint(lie.methods) else 0.02
    planted = [node.faults.add(lie, when=faults.now_and_then(chance, seed=7))]
    follow(mirror)
    brand.mine(10, 3)
    brand.reorg(2, "others")
    planted.append(node.faults.add(lie, when=faults.now_and_then(chance, seed=8)))
    follow(mirror)
    assert [one.behaviour.name for one in planted if not one.hits] == []
    node.faults.clear()
    follow(mirror)
    check(engine, brand)


def test_no_single_log_of_a_movement_can_be_left_out(
    node: ScriptedNode, brand: Brand, mirror: Mirror, engine: Engine
) -> None:
    """SPEC 8.24"""
    first, second = brand.accounts[:2]
    acts = [
        brand.award(first, 500, 500),
        brand.award(second, 70, 70),
        brand.passed_on(first, second, 30, {first: 470, second: 100}),
    ]
    brand.chain.mine([brand.chain.transaction(logs) for logs in acts])
    follow(mirror)
    count_of_logs = len(brand.chain.head.logs)
    assert count_of_logs == 9
    for left_out in range(count_of_logs):
        lie = faults.changes(
            "one log left out",
            lambda logs, left_out=left_out: [log for log in logs if int(log["logIndex"], 16) != left_out],
            faults.LOGS,
        )
        brand.chain.reorg(1)
        follow(mirror)
        brand.chain.reorg(2, [brand.chain.transaction(logs) for logs in acts])
        with node.faults.add(lie):
            follow(mirror)
        check(engine, brand)
    assert mirror._reader.doubted == count_of_logs


# Trouble on the way

TROUBLE = [
    faults.too_many_requests(),
    faults.bad_gateway(),
    faults.http(503),
    faults.http(200),
    faults.text(),
    faults.reset(),
    faults.close(),
    faults.cut(),
    faults.error(-32000, "header not found"),
    faults.error(-32603, "internal error"),
    faults.hang(),
]


@pytest.mark.parametrize(
    "lie",
    [faults.null_block(), faults.wrong_block(), faults.null_block(0), faults.behind(100), faults.behind(45)],
    ids=["null blocks", "wrong blocks", "null genesis", "at genesis again", "behind the horizon"],
)
def test_a_node_that_has_lost_its_memory_for_a_while_is_waited_for(
    node: ScriptedNode, brand: Brand, mirror: Mirror, engine: Engine, rpc: Rpc, lie: Behaviour
) -> None:
    """SPEC 7.13: what the node does not have is not what the node has otherwise."""
    brand.mine(60, 1)
    follow(mirror)
    brand.mine(2, 1)
    again = Mirror(engine, rpc, brand.deployment, SETTINGS)
    with node.faults.add(lie):
        for mirror_ in (mirror, again):
            for _ in range(3):
                try:
                    mirror_.step()
                except (ReorgTooDeep, ChainReplaced):
                    raise
                except ChainError:
                    continue
    assert checkpoint(engine)[2] != "stopped"
    assert count(engine, "mirror_reorg") == 0
    follow(again)
    check(engine, brand)


@pytest.mark.parametrize("answer", ["0x", "0x12", "0x" + "ff" * 320, None, 7])
def test_a_new_token_that_the_node_cannot_tell_of_yet_is_waited_for(
    node: ScriptedNode, brand: Brand, mirror: Mirror, engine: Engine, answer: object
) -> None:
    """SPEC 8.5: a node whose state lags behind its blocks answers calls as if there were no contract."""
    brand.mine(2, 1)
    with node.faults.add(faults.answers(answer, "eth_call")), pytest.raises(ChainError):
        mirror.catch_up(timeout_s=5.0)
    follow(mirror)
    check(engine, brand)


@pytest.mark.parametrize("trouble", TROUBLE, ids=_name)
def test_trouble_on_the_way_is_waited_out(
    node: ScriptedNode, brand: Brand, engine: Engine, mirror: Mirror, running: threading.Thread, trouble: Behaviour
) -> None:
    """SPEC 7.13"""
    brand.mine(5, 3)
    mirror.rpc.timeout_s = HANG_TIMEOUT_S
    with node.faults.add(trouble) as planted:
        brand.mine(5, 3)
        until(lambda: planted.hits >= 3)
        assert running.is_alive()
    until(lambda: checkpoint(engine)[1] == brand.chain.head.hash)
    check(engine, brand)


def test_a_node_that_is_down_is_waited_for(
    node: ScriptedNode, brand: Brand, engine: Engine, running: threading.Thread
) -> None:
    """SPEC 7.13"""
    brand.mine(5, 3)
    until(lambda: checkpoint(engine)[1] == brand.chain.head.hash)
    node.down()
    brand.reorg(2, "others")
    until(lambda: "waiting" in beats(engine))
    assert running.is_alive()
    node.up()
    until(lambda: checkpoint(engine)[1] == brand.chain.head.hash)
    check(engine, brand)


@pytest.mark.parametrize(
    "trouble",
    [faults.too_many_requests(), faults.bad_gateway(), faults.reset(), faults.error(-32005, "slow down")],
    ids=_name,
)
def test_an_outage_costs_the_node_a_few_requests_a_second(
    node: ScriptedNode,
    brand: Brand,
    engine: Engine,
    running: threading.Thread,
    trouble: Behaviour,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SPEC 8.32"""
    assert (outage_limiter.OUTAGE_BURST, REAL_OUTAGE_REQUESTS_PER_S) == (6.0, 2.0), "what SPEC 8.32 promises"
    monkeypatch.setattr(outage_limiter, "OUTAGE_REQUESTS_PER_S", OUTAGE_REQUESTS_PER_S)
    brand.mine(5, 3)
    until(lambda: checkpoint(engine)[1] == brand.chain.head.hash)
    node.log.clear()
    with node.faults.add(trouble):
        until(lambda: node.log.count() >= OUTAGE_REQUESTS_SEEN)
        times = [one.at for one in node.log.exchanges()]
    # In whatever stretch of it: six at once, the one that found it, and so many a second.
    for first in range(len(times)):
        for last in range(first, len(times)):
            most = outage_limiter.OUTAGE_BURST + 2 + (times[last] - times[first]) * OUTAGE_REQUESTS_PER_S
            assert last - first + 1 <= most
    node.log.clear()
    until(lambda: node.log.count() > 25)


# Limits of providers


@pytest.mark.parametrize("provider", sorted(limits.RESULT_TEXTS))
def test_a_provider_that_gives_only_so_many_results_is_asked_for_less(
    node: ScriptedNode, brand: Brand, mirror: Mirror, engine: Engine, provider: str
) -> None:
    """Ranges adapt to the provider, whatever its words."""
    brand.mine(20, 4)
    limit = node.faults.add(limits.too_many_results(provider, 30))
    follow(mirror)
    check(engine, brand)
    assert 1 <= limit.hits <= 20


@pytest.mark.parametrize("provider", sorted(limits.RANGE_TEXTS))
def test_a_provider_that_takes_only_narrow_ranges_is_asked_for_less(
    node: ScriptedNode, brand: Brand, mirror: Mirror, engine: Engine, provider: str
) -> None:
    """Ranges adapt to the provider, whatever its words."""
    brand.mine(20, 4)
    limit = node.faults.add(limits.range_too_wide(provider, 3))
    follow(mirror)
    check(engine, brand)
    assert 1 <= limit.hits <= 20


@pytest.mark.parametrize("like_geth", [True, False])
def test_a_provider_that_takes_small_batches_is_asked_in_small_batches(
    node: ScriptedNode, brand: Brand, mirror: Mirror, engine: Engine, like_geth: bool
) -> None:
    """Batches adapt to the provider."""
    brand.mine(20, 4)
    node.faults.add(faults.batch_limit(5, like_geth=like_geth))
    follow(mirror)
    check(engine, brand)


def test_a_range_that_takes_too_long_is_narrowed(
    node: ScriptedNode, brand: Brand, mirror: Mirror, engine: Engine
) -> None:
    """Ranges adapt to the provider."""
    brand.mine(20, 4)

    def wide(request: object, methods: object) -> bool:
        first, last = methods.log_range(request.params)  # type: ignore[attr-defined]
        return last - first >= 4

    mirror.rpc.timeout_s = HANG_TIMEOUT_S
    planted = node.faults.add(faults.slow(30.0), faults.LOGS, when=wide)
    follow(mirror)
    check(engine, brand)
    # 16, 8: each refused by silence once, and tried again seldom.
    assert 2 <= planted.hits <= 6


# Reorgs


@both_databases
@pytest.mark.parametrize("replacement", REPLACEMENTS)
@pytest.mark.parametrize("depth", [1, 2, 7, 30])
def test_a_reorg_of_any_depth_is_followed(
    brand: Brand, mirror: Mirror, engine: Engine, depth: int, replacement: str
) -> None:
    """SPEC 8.3"""
    brand.mine(35, 2)
    follow(mirror)
    for blocks in (depth + 1, depth, max(1, depth - 1)):
        brand.reorg(depth, replacement, blocks=blocks)
        follow(mirror)
        check(engine, brand)
        brand.mine(depth + 2, 1)
        follow(mirror)


@both_databases
@pytest.mark.parametrize("seed", SEEDS)
def test_three_reorgs_in_quick_succession(brand: Brand, mirror: Mirror, engine: Engine, seed: int) -> None:
    """SPEC 8.3"""
    print("seed", seed)
    brand.random.seed(seed)
    brand.mine(20, 3)
    follow(mirror)
    for replacement in REPLACEMENTS:
        brand.reorg(brand.random.randint(1, 9), replacement)
    follow(mirror)
    check(engine, brand)


@both_databases
def test_a_head_that_goes_backwards_is_followed(brand: Brand, mirror: Mirror, engine: Engine) -> None:
    """SPEC 8.3"""
    brand.mine(10, 3)
    follow(mirror)
    brand.chain.rewind(4)
    follow(mirror)
    check(engine, brand)


def test_a_node_that_lags_for_a_moment_is_not_taken_for_a_reorg(
    node: ScriptedNode, brand: Brand, engine: Engine, rpc: Rpc
) -> None:
    """SPEC 8.3"""
    patient = Mirror(engine, rpc, brand.deployment, replace(SETTINGS, behind_grace_s=20.0))
    brand.mine(10, 3)
    follow(patient)
    for blocks in (1, 5):
        with node.faults.add(faults.behind(blocks)), pytest.raises(ChainError):
            patient.step()
        follow(patient)
    assert count(engine, "mirror_reorg") == 0
    check(engine, brand)


def test_what_was_seen_is_kept_for_five_minutes_unless_another_branch_is_shown(
    brand: Brand, engine: Engine, rpc: Rpc, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SPEC 8.15: before, a node that lagged for more than two seconds was believed."""
    now = [1_000.0]
    monkeypatch.setattr("chain.mirror.reorg.time", SimpleNamespace(monotonic=lambda: now[0]))
    patient = Mirror(engine, rpc, brand.deployment, replace(SETTINGS, behind_grace_s=MirrorSettings().behind_grace_s))
    brand.mine(10, 3)
    follow(patient)
    left = brand.chain.rewind(4).removed
    for second in (0.0, 10.0, 299.0):
        now[0] = 1_000.0 + second
        with pytest.raises(AnswerInconsistent, match=r"up to block 11 is kept until .* for 300 s"):
            patient.step()
    brand.chain.restore(left)
    follow(patient)
    assert count(engine, "mirror_reorg") == 0
    check(engine, brand)

    brand.chain.rewind(4)
    with pytest.raises(AnswerInconsistent):
        patient.step()
    now[0] += 300.0
    follow(patient)
    check(engine, brand)
    brand.chain.rewind(3)
    brand.mine(1, 2)
    follow(patient)
    check(engine, brand)


@both_databases
def test_another_chain_id_with_the_same_genesis_is_no_reorg(
    node: ScriptedNode, brand: Brand, mirror: Mirror, engine: Engine, rpc: Rpc
) -> None:
    """SPEC 8.7: neither while it runs nor at a start is anything taken back for it."""
    deployment = brand.deployment
    brand.mine(10, 3)
    follow(mirror)
    before = (balances(engine), entries(engine), checkpoint(engine)[:2])
    node.chain.chain_id = 61
    brand.reorg(3, "others")
    with pytest.raises(ChainReplaced) as caught:
        mirror.step()
    assert (caught.value.what, caught.value.expected, caught.value.found) == ("chain id", "1337", "61")
    # A deployment of that chain, and our database.
    with pytest.raises(ChainReplaced):
        Mirror(engine, rpc, replace(deployment, chain_id=61), SETTINGS).step()
    assert (balances(engine), entries(engine), checkpoint(engine)[:2]) == before
    assert count(engine, "mirror_reorg") == 0


@both_databases
def test_a_database_of_before_learns_its_chain_id(brand: Brand, mirror: Mirror, engine: Engine, rpc: Rpc) -> None:
    """SPEC 8.7"""
    brand.mine(2, 1)
    follow(mirror)
    with writing(engine) as connection:
        connection.execute(text("UPDATE mirror_checkpoint SET chain_id = NULL"))
    follow(Mirror(engine, rpc, brand.deployment, SETTINGS))
    with reading(engine) as connection:
        assert connection.execute(text("SELECT chain_id FROM mirror_checkpoint")).scalar_one() == "1337"


@both_databases
def test_a_branch_that_was_left_may_come_back(brand: Brand, mirror: Mirror, engine: Engine) -> None:
    """SPEC 8.3"""
    brand.mine(10, 3)
    follow(mirror)
    left = brand.reorg(3, "others").removed
    follow(mirror)
    brand.chain.restore(left)
    follow(mirror)
    check(engine, brand)


@both_databases
def test_the_reorg_may_take_the_brand_itself_back(brand: Brand, mirror: Mirror, engine: Engine) -> None:
    """SPEC 8.3"""
    brand.mine(3, 2)
    follow(mirror)
    brand.chain.reorg(4)
    follow(mirror)
    assert (balances(engine), count(engine, "entry"), count(engine, "brand_token")) == ({}, 0, 0)
    brand.chain.mine([brand.chain.transaction([brand.invitation()])])
    brand.mine(3, 2)
    follow(mirror)
    check(engine, brand)


def test_a_reorg_while_the_mirror_was_off_is_noticed(brand: Brand, mirror: Mirror, engine: Engine, rpc: Rpc) -> None:
    """SPEC 8.4"""
    brand.mine(10, 3)
    follow(mirror)
    brand.reorg(5, "others", blocks=5)
    again = Mirror(engine, rpc, brand.deployment, SETTINGS)
    follow(again)
    check(engine, brand)


@both_databases
def test_a_reorg_deeper_than_the_horizon_stops_the_mirror_and_changes_nothing(
    brand: Brand, mirror: Mirror, engine: Engine
) -> None:
    """SPEC 8.6"""
    brand.mine(60, 1)
    follow(mirror)
    before = balances(engine)
    brand.reorg(50, "others")
    with pytest.raises(ReorgTooDeep):
        follow(mirror)
    assert balances(engine) == before
    assert checkpoint(engine)[2] == "stopped"


def test_a_node_that_lies_about_old_blocks_does_not_look_like_a_deep_reorg(
    node: ScriptedNode, brand: Brand, mirror: Mirror, engine: Engine
) -> None:
    """SPEC 8.6"""
    brand.mine(10, 2)
    follow(mirror)
    brand.mine(1, 2)
    with node.faults.add(faults.null_block()), pytest.raises(ChainError) as caught:
        mirror.step()
    assert not isinstance(caught.value, ReorgTooDeep)
    follow(mirror)
    check(engine, brand)


def test_a_reorg_between_any_two_requests_is_never_mixed(
    node: ScriptedNode, brand: Brand, mirror: Mirror, engine: Engine
) -> None:
    """SPEC 8.5"""
    brand.mine(12, 3)
    follow(mirror)
    struck, spared = True, 0
    while struck:
        brand.mine(3, 3)
        left = iter(range(spared))

        def strike(request: object, methods: object, left: Iterator[int] = left) -> bool:
            return next(left, None) is None

        def reorg(request: object, go_on: Callable[[], faults.Reply], methods: object) -> faults.Reply:
            brand.reorg(2, "others", blocks=2)
            return go_on()

        planted = node.faults.add(Behaviour("reorg in between", reorg), times=1, when=strike, sure=False)
        follow(mirror)
        node.faults.clear()
        follow(mirror)
        check(engine, brand)
        struck, spared = planted.hits > 0, spared + 1
    # Until there were no more requests to strike between.
    assert spared > REQUESTS_OF_A_LOOK_MIN


# Unusual but legal


@both_databases
def test_unusual_but_legal_logs_are_no_trouble(brand: Brand, mirror: Mirror, engine: Engine) -> None:
    """What is unusual but legal is never fatal."""
    member = brand.accounts[0]
    brand.chain.mine([brand.chain.transaction(brand.award(member, 5, 5))], first_log_index=2**32 - 3, time=1)
    brand.chain.mine([brand.chain.transaction(brand.award(member, 2, 7))], time=2**33)
    follow(mirror)
    assert balances(engine) == {member: 7}
    check(engine, brand)


@both_databases
def test_ten_thousand_logs_in_one_block(brand: Brand, mirror: Mirror, engine: Engine) -> None:
    """What is unusual but legal is never fatal."""
    mirror.rpc.timeout_s = 30.0
    brand.mine(1, 4_000)
    assert len(brand.chain.head.logs) > 10_000
    follow(mirror)
    check(engine, brand)


def test_a_large_answer_is_read_to_its_end(node: ScriptedNode, brand: Brand, mirror: Mirror, engine: Engine) -> None:
    mirror.rpc.timeout_s = 10.0
    brand.mine(5, 2)
    node.faults.add(faults.padded(8_000_000), faults.LOGS)
    follow(mirror)
    check(engine, brand)


@both_databases
def test_a_rebuilt_mirror_is_the_same(brand: Brand, mirror: Mirror, engine: Engine, rpc: Rpc) -> None:
    """SPEC 8.2"""
    brand.mine(15, 3)
    follow(mirror)
    brand.reorg(6, "others")
    follow(mirror)
    before = (balances(engine), entries(engine), checkpoint(engine))
    forget(engine)
    follow(Mirror(engine, rpc, brand.deployment, SETTINGS))
    assert (balances(engine), entries(engine), checkpoint(engine)) == before


# Everything at once


@both_databases
@pytest.mark.parametrize("seed", SEEDS)
def test_random_reorgs_and_faults_leave_no_difference(
    node: ScriptedNode, brand: Brand, engine: Engine, running: threading.Thread, seed: int
) -> None:
    """SPEC 8.1"""
    print("seed", seed)
    dice = brand.random
    dice.seed(seed)
    quick = [one for one in LIES + TROUBLE if one.name != "hang"]
    for _ in range(25):
        node.faults.clear()
        node.faults.add(dice.choice(quick), chance=0.3, sure=False)
        brand.mine(dice.randint(1, 4), dice.randint(0, 4))
        if dice.random() < 0.5:
            depth = dice.randint(1, min(10, brand.chain.head.number - 1))
            brand.reorg(depth, dice.choice(REPLACEMENTS), blocks=depth + dice.randint(0, 2))
        time.sleep(dice.random() * 0.05)
        assert running.is_alive(), f"seed {seed}"
    node.faults.clear()
    until(lambda: checkpoint(engine)[1] == brand.chain.head.hash)
    check(engine, brand)
