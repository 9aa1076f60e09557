"""Awards under a lock, on a real chain whose time moves, by workers that are killed: never early, and each once."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chain.node.blocks import mined
from chain.outbox import operations
from chain.storage.database import writing
from tests.chain.conftest import OnChain, until
from tests.chain.relayer.test_crashes import start
from tests.support.deployed import Chain, deployed

pytestmark = pytest.mark.slow
AWARDS = 18
SPAN_S = 8_000
PLACES = (
    "inside the transaction that queues what is due",
    "right after what is due was queued",
    "after the nonce, before signing",
    "after sending, before it is stored as sent",
)
DIED = -signal.SIGKILL


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    """A node of the test's own: its time does not come back."""
    with deployed("anvil", tmp_path) as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'moa.db'}"
    return str(request.getfixturevalue("postgresql"))


def chain_s(world: OnChain, block: str = "latest") -> int:
    return int(world.rpc.call("eth_getBlockByNumber", block, False)["timestamp"], 16)


def pass_to(world: OnChain, second: int) -> None:
    """The chain's time is this second, or later already."""
    world.rpc.call("evm_increaseTime", max(0, second - chain_s(world)))
    world.mine()


def nothing_early(world: OnChain) -> None:
    """What is no longer locked is due, by a chain that was asked after."""
    gone = world.rows("SELECT MAX(due_at_ms) FROM operation WHERE state <> 'locked'")[0][0] or 0
    assert gone <= 1000 * max(chain_s(world), int(time.time()))


def settled(world: OnChain, second: int) -> bool:
    """Whether everything that is due at this second is confirmed."""
    nothing_early(world)
    return world.count("operation", f"due_at_ms <= {1000 * second} AND state <> 'confirmed'") == 0


@pytest.mark.parametrize("seed", [1])
def test_an_award_is_never_sent_before_its_second_and_always_after_it_whoever_is_killed(
    world: OnChain, seed: int
) -> None:
    """SPEC 7.95, 7.96"""
    print(f"seed {seed}")
    rng = random.Random(seed)
    world.drain()
    # A chain that nobody used for a while has a last block of long ago; what is due is measured from now.
    world.mine()
    began = chain_s(world)
    seconds = sorted(began + 600 + rng.randrange(SPAN_S) for _ in range(AWARDS))
    asked = [
        replace(world.award(rng.choice(["ada", "bob"]), 100), due_at_ms=1000 * second, bulk=rng.random() < 0.5)
        for second in seconds
    ]
    ids = world.enqueue(*asked)
    assert {world.operation(id).state for id in ids} == {"locked"}

    for n, place in enumerate(PLACES, 1):
        second = seconds[n * AWARDS // len(PLACES) - 1]
        # A second before, and then at it.
        pass_to(world, second - 1)
        pass_to(world, second)
        dying = start(world, place)
        assert dying.wait(60) == DIED, (world.folder / "worker.log").read_text()[-2000:]
        nothing_early(world)
        world.restart()
        world._relayer = world.new_relayer(retry_every_s=0.0)
        until(lambda second=second: (world.relayer.step(), world.mirror.step(), settled(world, second))[2])

    assert {world.operation(id).state for id in ids} == {"confirmed"}
    counted = world.awarded_on_chain()
    assert sorted(counted) == sorted(set(counted)), "an award counted twice"
    assert len(counted) == AWARDS
    for id, second in zip(ids, seconds, strict=True):
        assert chain_s(world, hex(world.operation(id).block_number or 0)) >= second


def owner_calls(world: OnChain, contract: str, function: str, *values: Any) -> None:
    """The first brand's owner, by scripts/deploy/plan.toml; its guardian too."""
    data = world.deployment.codec.calldata(contract, function, *values)
    sender = world.rpc.call("eth_accounts")[1]
    call = {"from": sender, "to": world.deployment.address(contract), "data": "0x" + data.hex(), "gas": hex(500_000)}
    assert mined(world.rpc, world.rpc.call("eth_sendTransaction", call))["status"] == "0x1"


def terms(world: OnChain) -> dict[str, Any]:
    brand = world.brands["cdnow"]
    data = "0x" + world.deployment.codec.calldata("RewardRules", "ruleOf", brand.id, brand.rules["purchase"]).hex()
    answer = world.rpc.call("eth_call", {"to": world.deployment.address("RewardRules"), "data": data}, "latest")
    found: dict[str, Any] = world.deployment.codec.result("RewardRules", "ruleOf", answer)[0]
    return found


def test_a_locked_award_pays_by_what_is_in_force_at_its_second(world: OnChain) -> None:
    """SPEC 2.31, 9.112: as a rule that was changed meanwhile, one that ended and a brand that is stopped have it."""
    world.drain()
    brand, before = world.brands["cdnow"], terms(world)
    rule, notice_s = (brand.id, brand.rules["purchase"]), int(before["noticeSeconds"])
    world.mine()
    first = chain_s(world) + 3 * notice_s
    step_s = 2 * notice_s + 600
    members = ("ada", "bob", "cy", "dan")
    dues = dict(zip(members, range(first, first + 4 * step_s, step_s), strict=True))
    asked = [replace(world.award(who, 100), due_at_ms=1000 * due) for who, due in dues.items()]
    ids = dict(zip(members, world.enqueue(*asked), strict=True))
    world.restart()
    world._relayer = world.new_relayer(retry_every_s=0.0)

    def at_its_second(who: str) -> tuple[str, str | None, int]:
        pass_to(world, dues[who])
        until(lambda: (world.mirror.step(), world.relayer.step(), world.operation(ids[who]).finished)[2])
        found = world.operation(ids[who])
        return found.state, found.error, world.balance_on_chain(who)

    # Announced and withdrawn: the version of before pays.
    twice = {**before, "numerator": 2 * int(before["numerator"])}
    owner_calls(world, "RewardRules", "announceChange", *rule, twice)
    owner_calls(world, "RewardRules", "withdrawChange", *rule)
    assert at_its_second("ada") == ("confirmed", None, 150)
    # Announced, and in force when it is mined: the new one does, whatever it was when the fact was told.
    owner_calls(world, "RewardRules", "announceChange", *rule, twice)
    assert at_its_second("bob") == ("confirmed", None, 300)
    # The brand is stopped: refused, and it may be asked again.
    owner_calls(world, "PartnerRegistry", "stop", brand.id)
    assert at_its_second("cy") == ("failed", "BrandNotIssuing", 0)
    owner_calls(world, "PartnerRegistry", "resume", brand.id)
    with writing(world.engine) as connection:
        assert operations.again(connection, ids["cy"])
    assert at_its_second("cy") == ("confirmed", None, 300)
    # Its end came sooner than anybody knew.
    ended = {**twice, "end": chain_s(world) + notice_s + 60}
    owner_calls(world, "RewardRules", "announceChange", *rule, ended)
    assert at_its_second("dan") == ("failed", "RuleNotInForce", 0)
