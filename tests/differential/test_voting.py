"""Proposals, lists and votes: contracts and model make the same steps; they must agree after every one."""

import os
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import pytest

from chain.devnet.supervisor import Anvil
from chain.node.rpc import Rpc
from tests.differential.compare import compare_all
from tests.differential.voting import VotesWalk, compare_votes, counted_within_lists
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
        walk = VotesWalk(world, random.Random(SEED))
        walk.prologue()
        for number in range(1, STEPS + 1):
            world.do(walk.next(world.at))
            if number % COMPARE_EVERY == 0:
                compare_votes(world, world.at)
        compare_all(world, world.at)
        yield world


def test_proposals_lists_and_votes_agree_after_every_step(walked: TwoSides) -> None:
    """SPEC 18.2, 18.3, 18.4, 18.5, 18.8, 18.10, 18.11, 18.12, 18.13, 18.14, 18.15, 18.16, 18.17, 18.19"""
    outcomes = Counter((made.outcome.error or ("done",))[0] for made in walked.record[walked.prologue_steps :])
    calls = Counter(made.step.function for made in walked.record if made.outcome.error is None)
    print(outcomes.most_common(), calls.most_common())
    counted_within_lists(walked)

    assert outcomes["done"] > STEPS // 4, "the walk is mostly refused: it shows too little"
    assert len(outcomes) > 10, "the walk meets too few refusals"


def test_an_agreed_vote_makes_all_of_its_calls_or_none(walked: TwoSides) -> None:
    """SPEC 18.16, 18.17"""
    walk = VotesWalk(walked, random.Random(SEED))

    assert walk.carry_through(2, twice=True) == "ChangePending"
    assert walk.carry_through(2, twice=False) == ""
    compare_votes(walked, walked.at)
    compare_all(walked, walked.at)
