"""The contracts and the model of SPECIFICATION 1-6 make the same steps; they must agree after every one."""

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from chain.devnet.supervisor import Anvil, Ganache, Node
from chain.node.rpc import Rpc
from tests.differential.compare import Difference
from tests.differential.deviations import DEVIATIONS, first_difference, planted
from tests.differential.run import run
from tests.differential.story import Story
from tests.differential.world import BRANDS, TwoSides

pytestmark = pytest.mark.slow

STEPS = int(os.environ.get("MOA_STEPS", "2000"))
GANACHE_STEPS = 60
MISTAKEN_STEPS = 400
SEED = int(os.environ.get("MOA_SEED") or random.SystemRandom().randrange(2**32))
EVERY_CALL = (
    "award awardBatch takeReturn correct setPolicy setAllowed",
    "transfer transferFrom transferWithAuthorisation approve permit leave",
    "hold capture release refund exchange payAtPartner unwind propose proposeChange cancelAuthorisation",
    "deposit withdraw net settle payClaims stop resume publish announceChange announce retract grantRole",
    "announceTreasury withdrawTreasury announceRefundWindow",
)


def walk(node: Node, seed: int, steps: int) -> TwoSides:
    """A walk on a started node."""
    with closing(Rpc(node.url)) as rpc:
        return run(rpc, node.chain_id, seed=seed, steps=steps, anvil=isinstance(node, Anvil))


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoSides]:
    """A whole walk on Anvil, compared after every step."""
    print(f"MOA_SEED={SEED} MOA_STEPS={STEPS}")
    with Anvil(tmp_path_factory.mktemp("anvil")) as node:
        began = time.monotonic()
        world = walk(node, SEED, STEPS)
        print(f"{STEPS / (time.monotonic() - began):.0f} steps a second")
        yield world


def test_contracts_and_model_agree_after_every_step(walked: TwoSides) -> None:
    """SPEC 1-6"""
    assert len(walked.record) >= STEPS

    outcomes = Counter((made.outcome.error or ("done",))[0] for made in walked.record)
    print(outcomes.most_common())
    assert outcomes["done"] > STEPS // 3, "the walk is mostly refused: it shows too little"
    assert len(outcomes) > 25, "the walk meets too few refusals"


def test_the_walk_makes_every_call_and_crosses_a_whole_ring_of_epochs(walked: TwoSides) -> None:
    """SPEC 1.7"""
    done = {made.step.function for made in walked.record if made.outcome.error is None}
    times = [made.step.at for made in walked.record]

    assert {name for names in EVERY_CALL for name in names.split()} <= done
    assert times[-1] - times[0] > 16 * BRANDS[0].epoch_s
    assert times == sorted(set(times))


def test_a_replay_of_the_record_without_a_node_tells_the_same(walked: TwoSides) -> None:
    """What the auditor does later."""
    assert first_difference(walked) is None


@pytest.mark.parametrize("name", DEVIATIONS)
def test_a_planted_mistake_is_noticed(walked: TwoSides, name: str) -> None:
    """Negative control: the differential can fail."""
    with planted(name):
        found = first_difference(walked)

    print(f"{name}: noticed at step {found}")
    assert found is not None, f"{name} went unnoticed over {len(walked.record)} steps"


def test_a_mistake_is_noticed_in_a_live_walk_and_shrunk(tmp_path: Path) -> None:
    """Negative control, with the seed and the smallest sequence in the message."""
    with Anvil(tmp_path) as node, planted("lot order"), pytest.raises(Difference) as raised:
        walk(node, 1, MISTAKEN_STEPS)

    assert "MOA_SEED=1" in str(raised.value)
    assert "smallest sequence" in str(raised.value)


def test_a_clock_that_runs_out_mints_nothing_and_still_moves(tmp_path: Path) -> None:
    """SPEC 1.10"""
    with Anvil(tmp_path) as node, closing(Rpc(node.url)) as rpc:
        Story(TwoSides(rpc, node.chain_id, anvil=True)).end_of_time()


def test_full_lots_refuse_a_point_more_and_are_held_together(tmp_path: Path) -> None:
    """SPEC 1.9, 3.2"""
    with Anvil(tmp_path) as node, closing(Rpc(node.url)) as rpc:
        Story(TwoSides(rpc, node.chain_id, anvil=True)).full_lots()


def test_the_same_on_ganache(tmp_path: Path) -> None:
    """SPEC 1-6, on the default node"""
    print(f"MOA_SEED={SEED}")
    with Ganache(tmp_path) as node:
        world = walk(node, SEED, GANACHE_STEPS)

    assert len(world.record) >= GANACHE_STEPS
