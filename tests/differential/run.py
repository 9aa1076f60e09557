"""One walk, compared after each step; a failing one tells its seed, its last steps and the smallest sequence."""

import random

from chain.node.rpc import Rpc
from tests.differential.compare import Difference, compare_all
from tests.differential.shrink import Ground, shrink
from tests.differential.story import Story
from tests.differential.walk import Walk
from tests.differential.world import TwoSides

EVERYTHING_EVERY = 50
LAST_STEPS = 6


def run(rpc: Rpc, chain_id: int, *, seed: int, steps: int, anvil: bool) -> TwoSides:
    """The world after `steps` random steps. Raises Difference."""
    world = TwoSides(rpc, chain_id, anvil=anvil)
    ground = Ground(world) if anvil else None
    walk = Walk(world, random.Random(seed))
    try:
        if anvil:
            # Ganache's clock cannot be set to the second.
            Story(world).tell()
        at = world.at
        for number in range(1, steps + 1):
            world.do(walk.next(at))
            at = world.record[-1].step.at
            if number % EVERYTHING_EVERY == 0:
                compare_all(world, at)
        compare_all(world, at)
    except Difference as difference:
        raise Difference(told(world, ground, seed, str(difference))) from difference
    return world


def told(world: TwoSides, ground: Ground | None, seed: int, difference: str) -> str:
    """What to know about a failing walk."""
    steps = world.record[world.prologue_steps :]
    text = [f"MOA_SEED={seed}, step {len(steps)}: {difference}", "", "last steps:"]
    text += [f"  {made.step} -> {made.outcome.error or 'done'}" for made in steps[-LAST_STEPS:]]
    if ground is not None:
        fewer, shown = shrink(ground, steps)
        text += ["", f"smallest sequence found ({len(fewer)} of {len(steps)} steps):"]
        text += [f"  {made.step}" for made in fewer]
        text += [shown]
    return "\n".join(text)
