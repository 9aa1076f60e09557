"""The relayer against nodes that refuse, forget, answer late or never, and take blocks back: each operation once."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from chain.base.errors import ChainError
from chain.mirror.loop import Mirror
from chain.mirror.settings import MirrorSettings
from chain.node.rpc import Rpc
from chain.outbox import calls, operations
from chain.relayer.loop import Relayer, RelayerSettings
from chain.storage.database import reading, writing
from chain.storage.keystore import LocalKeystore
from tests.support.scripted_node import faults
from tests.support.scripted_node.brands import BRAND_ID, RULE_ID, Brand
from tests.support.scripted_node.brisk import brisk
from tests.support.scripted_node.faults import BATCH, BY_NUMBER, RECEIPT, SEND, Behaviour
from tests.support.scripted_node.node import ScriptedNode
from tests.support.scripted_node.pool import ANVIL, GANACHE, GETH

RELAYER = RelayerSettings(
    signers=2,
    batch_items_max=8,
    batch_delay_ms=0,
    receipt_grace_s=0.0,
    resend_after_s=0.1,
    replace_after_s=0.3,
    gap_after_s=0.3,
    breaker_pause_s=0.02,
    breaker_pause_s_max=0.1,
    balance_every_s=0.05,
    poll_s=0.005,
)
MIRROR = MirrorSettings(poll_s=0.01, behind_grace_s=0.1)
TIMEOUT_S = 2.0
# Where an answer is kept back on purpose.
KEPT_BACK_TIMEOUT_S = 0.3
DRAIN_S_MAX = 60.0
SEEDS = (1, 2, 3)

pytestmark = pytest.mark.slow


@dataclass
class Rig:
    """A scripted node with one brand, and a relayer and a mirror that are stepped by hand."""

    node: ScriptedNode
    brand: Brand
    engine: Engine
    keystore: LocalKeystore
    relayer: Relayer = field(init=False)
    mirror: Mirror = field(init=False)
    asked: int = 0
    expected: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rpcs = [Rpc(self.node.url, timeout_s=TIMEOUT_S, paced=False) for _ in range(2)]
        self.restart()

    def restart(self) -> None:
        """What was only in memory is gone, as after a kill."""
        deployment = self.brand.deployment
        self.relayer = Relayer(self.engine, self.rpcs[0], deployment, self.keystore, RELAYER)
        self.mirror = Mirror(self.engine, self.rpcs[1], deployment, MIRROR)

    def award(self, count: int = 5) -> None:
        """Queues awards of 1, 2, 3, ... points to the members in turn."""
        asked = []
        for _ in range(count):
            self.asked += 1
            member = self.brand.accounts[self.asked % 4]
            self.expected[member] = self.expected.get(member, 0) + self.asked
            key = f"award {self.asked}"
            asked.append(calls.award(key=key, brand=BRAND_ID, member=member, rule=RULE_ID, base_amount=self.asked))
        with writing(self.engine) as connection:
            operations.enqueue_many(connection, asked)

    def step(self) -> None:
        """One round of everything; what is expected trouble is only trouble."""
        for work in (self.relayer.step, self.mirror.step):
            try:
                work()
            except ChainError:
                time.sleep(0.002)
        if self.node.pool.waiting:
            self.node.mine_pool()

    def hurry(self) -> None:
        """The relayer waits for answers only as long as is needed to see that one does not come."""
        self.rpcs[0].timeout_s = KEPT_BACK_TIMEOUT_S

    def relay(self, rounds: int) -> None:
        """Only the relayer, and its trouble is the test's."""
        for _ in range(rounds):
            self.relayer.step()

    def drain(self) -> None:
        """Rounds until every operation is finished and the mirror has it."""
        end = time.monotonic() + DRAIN_S_MAX
        while not self.finished():
            assert time.monotonic() < end, self.states()
            self.step()

    def finished(self) -> bool:
        with reading(self.engine) as connection:
            tip = connection.execute(text("SELECT block_hash FROM mirror_checkpoint")).scalar()
        return set(self.states()) <= {"confirmed", "failed"} and tip == self.node.chain.head.hash

    def states(self) -> dict[str, int]:
        """How many operations are in each state."""
        with reading(self.engine) as connection:
            rows = connection.execute(text("SELECT state, count(*) AS number FROM operation GROUP BY state"))
            return {row.state: row.number for row in rows}

    def check(self) -> None:
        """Each operation once on the chain, in the mirror and in the queue."""
        assert self.states() == {"confirmed": self.asked}
        assert sorted(self.brand.awarded()) == list(range(1, self.asked + 1))
        assert self.node.truth(self.brand.token).balances(self.brand.token) == self.expected
        with reading(self.engine) as connection:
            balances = connection.execute(text("SELECT account, points FROM balance")).all()
            hashes = set(connection.execute(text("SELECT tx_hash FROM operation")).scalars())
        assert {account: int(points) for account, points in balances if points != "0"} == self.expected
        assert hashes <= self.node.chain.places.keys()


@pytest.fixture(scope="module")
def keystore(tmp_path_factory: pytest.TempPathFactory) -> LocalKeystore:
    path: Path = tmp_path_factory.mktemp("keys") / "keystore.json"
    return LocalKeystore.create(path, "a password for tests")


@pytest.fixture(params=[GANACHE, ANVIL, GETH])
def node(request: pytest.FixtureRequest) -> Iterator[ScriptedNode]:
    with ScriptedNode(seed=9, dialect=request.param) as running:
        yield running
        # A fault that never struck shows nothing.
        assert running.faults.unmet() == []


@pytest.fixture
def rig(node: ScriptedNode, engine: Engine, keystore: LocalKeystore) -> Iterator[Rig]:
    made = Rig(node, Brand(node), engine, keystore)
    yield made
    for rpc in made.rpcs:
        rpc.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    brisk(monkeypatch, "chain.node.rpc")


def _name(behaviour: Behaviour) -> str:
    return behaviour.name


LOST_IN_A_HANG = faults.loses_answer(faults.hang())
SENDING = [
    faults.loses_answer(),
    LOST_IN_A_HANG,
    faults.loses_answer(faults.bad_gateway()),
    faults.loses_answer(faults.error(-32603, "internal error")),
    faults.loses_answer(faults.text()),
    faults.forgets(),
    faults.refuses("already known"),
    faults.refuses("nonce too low"),
    faults.refuses("nonce too high"),
    faults.refuses("underpriced"),
    faults.refuses("fee too low"),
    faults.refuses("insufficient funds"),
    Behaviour("internal error", faults.error(-32603, "internal error").act, (SEND,)),
    Behaviour("reset", faults.reset().act, (SEND,)),
    Behaviour("hang", faults.hang().act, (SEND,)),
    Behaviour("slow", faults.slow(0.4).act, (SEND,)),
    Behaviour("null", faults.answers(None).act, (SEND,)),
]
KEPT_BACK = [LOST_IN_A_HANG, *(one for one in SENDING if one.name in ("hang", "slow"))]


@pytest.mark.parametrize("trouble", SENDING, ids=[f"{at} {one.name}" for at, one in enumerate(SENDING)])
def test_trouble_in_sending_neither_loses_nor_doubles(rig: Rig, trouble: Behaviour) -> None:
    """SPEC 7.8"""
    rig.award(3)
    rig.drain()
    fault = rig.node.faults.add(trouble, times=3)
    if trouble in KEPT_BACK:
        rig.hurry()
    rig.award(20)
    rig.drain()
    assert fault.hits
    rig.check()


@pytest.mark.parametrize("trouble", SENDING[:5], ids=[f"{at} {one.name}" for at, one in enumerate(SENDING[:5])])
def test_an_answer_lost_before_a_crash_doubles_nothing(rig: Rig, trouble: Behaviour) -> None:
    """SPEC 7.8"""
    rig.award(3)
    rig.drain()
    rig.award(6)
    fault = rig.node.faults.add(trouble, times=1)
    if trouble in KEPT_BACK:
        rig.hurry()
    with suppress(ChainError):
        while not fault.hits:
            rig.relay(1)
    assert fault.hits == 1
    rig.node.mine_pool()
    rig.restart()
    rig.drain()
    rig.check()


@pytest.mark.parametrize(
    "trouble",
    [faults.null_receipt(), faults.behind(2), faults.too_many_requests(0), faults.text(), faults.drops_one()],
    ids=_name,
)
def test_trouble_in_reading_neither_loses_nor_doubles(rig: Rig, trouble: Behaviour) -> None:
    """SPEC 7.8"""
    rig.award(5)
    planted = rig.node.faults.add(trouble, when=faults.now_and_then(0.3, seed=9))
    for _ in range(5):
        rig.award(3)
        for _ in range(5):
            rig.step()
    rig.node.faults.clear()
    rig.drain()
    rig.check()
    assert planted.hits


@pytest.mark.parametrize(
    ("value", "method"),
    [
        (None, "eth_getTransactionCount"),
        ("busy", "eth_getTransactionCount"),
        ("busy", RECEIPT),
        ({}, RECEIPT),
        (None, BY_NUMBER),
        ({}, BY_NUMBER),
        (None, BATCH),
        ("busy", BATCH),
    ],
)
def test_nonsense_is_waited_out(rig: Rig, value: object, method: str) -> None:
    """SPEC 7.13"""
    rig.award(3)
    rig.drain()
    rig.award(3)
    with rig.node.faults.add(faults.answers(value), method) as planted:
        for _ in range(10):
            rig.step()
    assert planted.hits
    rig.drain()
    rig.check()


def test_a_fee_that_rose_is_paid_and_the_cap_is_kept(rig: Rig) -> None:
    """A replacement pays more, never more than the cap."""
    rig.award(3)
    rig.drain()
    rig.node.pool.base_fee_wei = 20 * 10**9
    rig.award(3)
    rig.drain()
    rig.check()
    rig.node.pool.base_fee_wei = 10 * RELAYER.fee_cap_wei
    rig.award(1)
    for _ in range(40):
        rig.step()
    assert all(sent.fee_cap_wei <= RELAYER.fee_cap_wei for sent in rig.node.pool.accepted)
    rig.node.pool.base_fee_wei = 10**9
    rig.drain()
    rig.check()


@pytest.mark.parametrize("back", [True, False], ids=["back to the pool", "forgotten"])
def test_a_reorg_that_drops_confirmed_awards_brings_them_again(rig: Rig, back: bool) -> None:
    """SPEC 7.10"""
    rig.award(6)
    rig.drain()
    rig.award(6)
    rig.drain()
    for depth in (1, 2, 3):
        depth = min(depth, rig.node.chain.head.number - 2)
        rig.node.reorg_pool(depth, back=back)
        rig.award(2)
        rig.drain()
        rig.check()


def test_awards_that_move_to_another_block_are_confirmed_there(rig: Rig) -> None:
    """SPEC 7.10"""
    rig.award(6)
    rig.drain()
    before = rig.node.chain.head.hash
    rig.node.chain.reorg_moving(1)
    rig.drain()
    rig.check()
    with reading(rig.engine) as connection:
        blocks = set(connection.execute(text("SELECT block_number FROM operation")).scalars())
    assert before not in {block.hash for block in rig.node.chain.blocks}
    assert rig.node.chain.head.number in blocks


@pytest.mark.parametrize("seed", SEEDS)
def test_random_trouble_crashes_and_reorgs_count_every_operation_once(rig: Rig, seed: int) -> None:
    """SPEC 7.8"""
    print("seed", seed)
    dice = random.Random(seed)
    quick = [one for one in SENDING if "hang" not in one.name and one.name not in ("lost answer", "slow")]
    quick += [faults.loses_answer(), faults.null_receipt(), faults.bad_gateway(), faults.behind(1)]
    rig.award(3)
    rig.drain()
    for _ in range(15):
        rig.node.faults.clear()
        rig.node.faults.add(dice.choice(quick), chance=0.4, sure=False)
        rig.award(dice.randint(0, 6))
        for _ in range(dice.randint(1, 8)):
            rig.step()
        if dice.random() < 0.3:
            rig.restart()
        if dice.random() < 0.4 and rig.node.chain.head.number > 4:
            rig.node.reorg_pool(dice.randint(1, rig.node.chain.head.number - 3), back=dice.random() < 0.5)
    rig.node.faults.clear()
    rig.drain()
    rig.check()
    print(rig.node.faults.counts(), "reorgs", rig.node.chain.reorgs)
