"""Opening balances, badges and votes: contracts and model make the same steps; they must agree after every one."""

import os
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import pytest

from chain.devnet.supervisor import Anvil
from chain.node.rpc import Rpc
from tests.differential.compare import compare_all
from tests.differential.programme import ProgrammeWalk, compare_programme, minted_within_schedules
from tests.differential.world import TwoSides

pytestmark = pytest.mark.slow

STEPS = int(os.environ.get("MOA_STEPS", "300"))
SEED = int(os.environ.get("MOA_SEED") or random.SystemRandom().randrange(2**32))
COMPARE_EVERY = 100


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoSides]:
    """A walk on Anvil, compared after every step."""
    print(f"MOA_SEED={SEED} MOA_STEPS={STEPS}")
    with Anvil(tmp_path_factory.mktemp("anvil")) as node, closing(Rpc(node.url)) as rpc:
        world = TwoSides(rpc, node.chain_id, anvil=True)
        walk = ProgrammeWalk(world, random.Random(SEED))
        for number in range(1, STEPS + 1):
            world.do(walk.next(world.at))
            if number % COMPARE_EVERY == 0:
                compare_programme(world, world.at)
        compare_all(world, world.at)
        yield world


def test_openings_badges_and_votes_agree_after_every_step(walked: TwoSides) -> None:
    """SPEC 16.7, 16.9, 16.10, 16.11, 16.12, 17.2, 17.4, 17.5, 17.6, 17.8, 17.9"""
    outcomes = Counter((made.outcome.error or ("done",))[0] for made in walked.record[walked.prologue_steps :])
    print(outcomes.most_common())
    minted_within_schedules(walked)

    assert outcomes["done"] > STEPS // 4, "the walk is mostly refused: it shows too little"
    assert len(outcomes) > 10, "the walk meets too few refusals"
