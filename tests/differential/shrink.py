"""The smallest sequence that still shows a difference: steps are left out as long as it stays."""

import copy
import time
from collections.abc import Sequence

from chain.model.ledger import Ledger
from tests.differential.compare import Difference
from tests.differential.steps import apply
from tests.differential.world import Made, TwoSides
from tests.support import shrinking

BUDGET_S = 90.0


class Ground:
    """The world after its prologue, to be returned to (Anvil only)."""

    def __init__(self, world: TwoSides):
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
    began = time.monotonic()
    left, shown = list(steps), ""
    alone = [made for made in steps if made.step.contract == steps[-1].step.contract]
    # Most often the calls of one contract are enough, and then the rest of the search is short.
    if difference := ground.differs(alone):
        left, shown = alone, difference

    def without(steps: list[Made], start: int, end: int) -> list[Made] | None:
        nonlocal shown
        fewer = steps[:start] + steps[end:]
        if not (difference := ground.differs(fewer)):
            return None
        shown = difference
        return fewer

    # The last step is the one that differs: it stays.
    spent_s = time.monotonic() - began
    left = shrinking.shrink(left, length=lambda steps: len(steps) - 1, without=without, budget_s=BUDGET_S - spent_s)
    return left, shown
