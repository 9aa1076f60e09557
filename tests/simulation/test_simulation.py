"""The simulation itself: what it decides, that it plays without a difference, and that it can see."""

from __future__ import annotations

import inspect
import random
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from tests.simulation import schedule as steps
from tests.simulation.episode import NOT_SETTLED, QUIET_S_MAX, Result, Theatre
from tests.simulation.judging.tally import Tally
from tests.simulation.node.troubles import TROUBLES
from tests.simulation.processes.plants import PLANTS
from tests.simulation.run import NODES_MAX
from tests.simulation.run import theatre as make_theatre
from tests.simulation.schedule import Asked, Schedule, schedule
from tests.simulation.stage import NodeBroke
from tests.support.scripted_node import faults

EPISODES: Final = 3
PLANTED_EPISODES_MAX: Final = 25
PLANTED_QUIET_S: Final = 8.0
SEED: Final = random.SystemRandom().randrange(10**9)
# What a node cannot be caught at, and what another node than Anvil does.
NOT_PLAYED: Final = {"missing logs", "forgotten transaction"}


def test_a_seed_says_everything_that_happens_in_an_episode() -> None:
    """SPEC 11.14"""
    assert schedule(7) == schedule(7)
    assert schedule(7) != schedule(8)
    assert len({len(schedule(seed).steps) for seed in range(50)}) > 10


def test_every_fault_of_the_scripted_node_is_played() -> None:
    """One list of faults: what is added to the scripted node must be added here, or named as left out."""
    made = set()
    for name, function in inspect.getmembers(faults, inspect.isfunction):
        if not name.startswith("_") and inspect.signature(function).return_annotation == "Behaviour":
            parameters = inspect.signature(function).parameters.values()
            given = {"int": 1, "float": 1.0, "str": "already known", "Any": None, "Callable[[Any], Any]": str}
            needed = [given.get(str(one.annotation), "x") for one in parameters if one.default is one.empty]
            made.add(function(*[value for value in needed if not isinstance(value, tuple)]).name.split(":")[0])
    played = {make().name.split(":")[0] for make in TROUBLES.values()}

    assert {name for name in made if not name.startswith(("http", "x", "already"))} - NOT_PLAYED <= played


def test_schedules_hold_every_kind_of_step_operation_reorg_and_fault() -> None:
    """What never happens shows nothing."""
    seen: set[str] = set()
    for seed in range(400):
        for step in schedule(seed).steps:
            seen.add(type(step).__name__)
            seen |= {asked.kind for asked in getattr(step, "asked", ())}
            seen |= {f"a locked {asked.kind}" for asked in getattr(step, "asked", ()) if asked.seconds}
            seen |= {str(getattr(step, name)) for name in ("kind", "place", "how", "name") if hasattr(step, name)}

    kinds = {"award", "hold", "capture", "release", "timeout", "refund", "exchange", "pay", "unwind", "transfer"}
    kinds |= {"return", "a locked award"}
    wanted = {*kinds, "leave", *steps.REORGS, *steps.KILL_PLACES, *TROUBLES, "SIGTERM", "Steal", "Away", "Clearing"}
    assert wanted <= seen


def test_tallies_of_several_processes_add_up() -> None:
    """Nothing that was done is lost from the table."""
    one, other = Tally(), Tally()
    one.kills["before a commit"] += 2
    other.kills["before a commit"] += 1
    one.add(other)

    assert one.kills == {"before a commit": 3}
    assert "3  before a commit" in str(one)


class Plays:
    """Episodes one after another; a node that broke under one is replaced, as `make simulate` does, and it is played
    again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._nodes = 0
        self._open = ExitStack()
        self._theatre: Theatre | None = None

    def play(self, schedule: Schedule, plant: str = "", quiet_s_max: float = QUIET_S_MAX) -> Result:
        """The episode with a defect or without one; plant and quiet are this episode's only."""
        while True:
            theatre = self._theatre or self._next()
            theatre.plant, theatre.quiet_s_max = plant, quiet_s_max
            try:
                return theatre.play(schedule)
            except NodeBroke:
                self.close()

    def close(self) -> None:
        """Everything that was started."""
        self._theatre = None
        self._open.close()

    def _next(self) -> Theatre:
        self._nodes += 1
        assert self._nodes <= NODES_MAX, "the node breaks again and again"
        folder = self._folder / f"node-{self._nodes}"
        folder.mkdir()
        self._theatre = self._open.enter_context(make_theatre(folder))
        return self._theatre


@pytest.fixture(scope="module")
def plays(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plays]:
    made = Plays(tmp_path_factory.mktemp("simulation"))
    yield made
    made.close()


@pytest.mark.slow
def test_episodes_end_with_chain_mirror_and_model_equal(plays: Plays) -> None:
    """SPEC 7.8, 8.1, 8.2; `make simulate` plays many more"""
    print(f"make simulate N={EPISODES} SEED={SEED}")
    for seed in range(SEED, SEED + EPISODES):
        result = plays.play(schedule(seed, postgresql_share=0))
        assert not result.differences, result.told()


@pytest.mark.slow
@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_defect_is_found_within_a_few_episodes(plays: Plays, plant: str) -> None:
    """Negative control: an episode can fail."""
    for seed in range(PLANTED_EPISODES_MAX):
        result = plays.play(aimed(plant, seed), plant, PLANTED_QUIET_S)
        if result.differences and not (unsettled(result) and slow(plays, result.schedule)):
            print(f"{plant}: episode {seed + 1}: {result.differences[0][:200]}")
            return
    pytest.fail(f"{plant} went unnoticed over {PLANTED_EPISODES_MAX} episodes")


def unsettled(result: Result) -> bool:
    """Whether the quiet was over before everything was decided: what a defect does, and a slow machine too."""
    return result.differences[0].startswith(NOT_SETTLED)


def slow(plays: Plays, schedule: Schedule) -> bool:
    """Whether honest workers are not done in that quiet either: then it says nothing about the defect."""
    honest = plays.play(schedule, "", PLANTED_QUIET_S)
    assert not honest.differences or unsettled(honest), honest.told()
    return bool(honest.differences)


def aimed(plant: str, seed: int) -> Schedule:
    """A short episode that leads to the place of the defect; in `make simulate` chance leads there."""
    dice = random.Random(seed)
    awards = tuple(Asked("award", 3, member, points=100, rule=1) for member in range(6))
    opening = (steps.Ask(awards), steps.Start(), steps.Let(40, 250))
    ending: dict[str, tuple[steps.Step, ...]] = {
        "new nonces after a restart": (
            steps.Stop("SIGKILL"),
            steps.Ask(awards),
            steps.Start("before its answer", dice.randint(8, 40)),
            steps.Let(200, 300),
        ),
        "checkpoint in a second transaction": (
            steps.Stop("SIGKILL"),
            steps.Ask(awards),
            steps.Start("after a commit", dice.randint(1, 16)),
            steps.Let(200, 300),
        ),
        "fold forgets releases": (
            steps.Ask((Asked("hold", 3, 0, 10, seconds=3_600),)),
            steps.Let(40, 200),
            steps.Ask((Asked("release", 3, 0, subject=6),)),
        ),
        "fold forgets debts": (
            steps.Ask((Asked("hold", 3, 0, 150, seconds=3_600),)),
            steps.Let(40, 200),
            steps.Ask((Asked("return", 3, 0, 100, subject=0),)),
            steps.Let(60, 300),
        ),
        "rows stay after a reorg": (steps.Let(60, 300), steps.Reorg(dice.randint(2, 6), "dropped"), steps.Let(60, 200)),
        "empty answers are believed": (steps.Trouble("empty logs", 0.7, 40), steps.Ask(awards), steps.Let(100, 400)),
    }
    ending["operations stay after a reorg"] = ending["rows stay after a reorg"]
    return replace(
        schedule(seed, postgresql_share=0),
        batch_items_max=1,
        confirmed_depth=0,
        range_blocks_max=1,
        steps=opening + ending[plant],
    )
