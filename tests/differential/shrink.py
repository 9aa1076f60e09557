"""The smallest sequence that still shows a difference: steps are left out as long as it stays."""

import copy
import time
from collections.abc import Sequence

from chain.model.ledger import Ledger
from tests.differential.compare import Difference
from tests.differential.steps import apply
from tests.differential.world import Made, World

BUDGET_S = 90.0


class Ground:
    """The world after its prologue, to be returned to (Anvil only)."""

    def __init__(self, world: World):
        self.world = world
        self.snapshot = world.chain.rpc.call("evm_snapshot")
        self.words = copy.deepcopy(world.chain.words)
        self.prologue = list(world.record)

    def reset(self) -> None:
        """Both sides as they were."""
        world = self.world
        assert world.chain.rpc.call("evm_revert", self.snapshot)
        self.snapshot = world.chain.rpc.call("evm_snapshot")
        world.chain.words = copy.deepcopy(self.words)
        world.chain.nonces.clear()
        world.record = list(self.prologue)
        world.ledger = Ledger(world.parties)
        for made in self.prologue:
            apply(world.ledger, made.step, made.data)

    def differs(self, steps: Sequence[Made]) -> str:
        """The difference that the last of these steps shows, or nothing; one before it is another difference."""
        self.reset()
        for made in steps:
            try:
                self.world.redo(made.step, made.data)
            except Difference as difference:
                return str(difference) if made is steps[-1] else ""
        return ""


def shrink(ground: Ground, steps: Sequence[Made]) -> tuple[list[Made], str]:
    """Fewer steps that still differ, and how; the search stops after BUDGET_S."""
    until = time.monotonic() + BUDGET_S
    left, shown = list(steps), ""
    alone = [made for made in steps if made.step.contract == steps[-1].step.contract]
    # Most often the calls of one contract are enough, and then the rest of the search is short.
    if difference := ground.differs(alone):
        left, shown = alone, difference
    size = max(1, len(left) // 2)
    while time.monotonic() < until:
        start, shorter = 0, False
        while start < len(left) - 1 and time.monotonic() < until:
            # The last step is the one that differs: it stays.
            tried = left[:start] + left[min(start + size, len(left) - 1) :]
            difference = ground.differs(tried)
            if difference:
                left, shown, shorter = tried, difference, True
            else:
                start += size
        if size == 1 and not shorter:
            break
        size = max(1, size // 2)
    return left, shown
