"""Opening balances and badges in the replay: an honest walk leaves no difference, and each lie is named."""

import random
from collections.abc import Callable, Iterator
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import pytest

from chain.contracts.codec import EventLog
from chain.devnet.supervisor import Anvil
from chain.node.rpc import Rpc
from chain.replay import Block, Facts, Replay, replay
from tests.differential.programme import ProgrammeWalk
from tests.differential.world import TwoSides
from tests.replay.chain_of import blocks_of, facts_of

pytestmark = pytest.mark.slow

SEED = 12
STEPS = 160
CUT = 3


@dataclass
class Claimed:
    """A chain on which old points were committed and claimed."""

    blocks: list[Block]
    facts: Facts

    @property
    def events_only(self) -> list[Block]:
        return [replace(block, sent={}) for block in self.blocks]

    def with_lie(self, name: str, change: Callable[[dict[str, Any]], None]) -> list[Block]:
        """The blocks without their transactions, where the last event of this name says something else."""
        blocks = self.events_only
        at = max(number for number, block in enumerate(blocks) if any(log.name == name for log in block.logs))
        logs = list(blocks[at].logs)
        place = max(number for number, log in enumerate(logs) if log.name == name)
        args = deepcopy(dict(logs[place].args))
        change(args)
        logs[place] = replace(logs[place], args=args)
        blocks[at] = replace(blocks[at], logs=logs)
        return blocks


class Claims(ProgrammeWalk):
    """Old points and badges above all."""

    WEIGHTS = (
        ("commit_opening", 6),
        ("replace_opening", 3),
        ("end_comparing", 2),
        ("prolong", 2),
        ("claim", 8),
        ("claim_batch", 10),
        ("publish_badge", 3),
        ("give", 6),
        ("give_batch", 8),
        ("withdraw_badge", 4),
        ("award", 2),
        ("transfer", 2),
    )


@pytest.fixture(scope="module")
def claimed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Claimed]:
    """A walk of old points on Anvil."""
    with Anvil(tmp_path_factory.mktemp("anvil")) as node, closing(Rpc(node.url)) as rpc:
        world = TwoSides(rpc, node.chain_id, anvil=True)
        walk = Claims(world, random.Random(SEED))
        for _ in range(STEPS):
            world.do(walk.next(world.at))
        yield Claimed(blocks_of(rpc, world.chain, calldata=True), facts_of(world.chain))


def names(blocks: list[Block]) -> set[str]:
    return {log.name for block in blocks for log in block.logs}


@pytest.mark.parametrize("transactions", [False, True], ids=["events alone", "with transactions"])
def test_honest_openings_leave_no_difference(claimed: Claimed, transactions: bool) -> None:
    """SPEC 12.14, 12.15, 12.16, 16.12, 17.4, 17.8"""
    found = replay(claimed.blocks if transactions else claimed.events_only, claimed.facts)

    told = names(claimed.blocks)
    assert {"OpeningCommitted", "OpeningClaimed", "OpeningProlonged", "ComparingEnded"} <= told
    assert {"DefinitionPublished", "BadgeGiven", "BadgeRefused", "BadgeWithdrawn"} <= told
    assert found.differences == []


def test_a_replay_of_openings_goes_on_from_where_it_was_cut(claimed: Claimed) -> None:
    """SPEC 12.21"""
    whole = replay(claimed.blocks, claimed.facts)
    part = Replay(claimed.facts)
    for number, block in enumerate(claimed.blocks):
        if number % CUT == 0:
            part = Replay.restore(claimed.facts, part.state())
        part.block(block.number, block.time, block.logs, block.sent)

    assert part.state() == whole.state()


def _more(args: dict[str, Any]) -> None:
    args["points"] = str(int(args["points"]) + 1)


def _again(args: dict[str, Any]) -> None:
    args["openingId"] = str(int(args["openingId"]) + 50)


def _other_lots(args: dict[str, Any]) -> None:
    args["lots"] = ["5" if word == "0" else word for word in args["lots"]]


@pytest.mark.parametrize(
    ("name", "change", "rule"),
    [
        ("OpeningClaimed", _more, "16.12"),
        ("OpeningClaimed", _again, "16.7"),
        ("OpeningClaimed", _other_lots, "16.10"),
        ("OpeningProlonged", lambda args: args.update(end="7"), "16.6"),
        ("OpeningCommitted", lambda args: args.update(version=str(int(args["version"]) + 1)), "16."),
        ("BadgeGiven", lambda args: args.update(validUntil=str(int(args["validUntil"]) - 1)), "17."),
        ("BadgeGiven", lambda args: args.update(renewed=not args["renewed"]), "17."),
        ("BadgeGiven", lambda args: args.update(definitionId=str(int(args["definitionId"]) + 90)), "17."),
        ("BadgeRefused", lambda args: args.update(reason="0x" + "ab" * 4), "17."),
        ("BadgeWithdrawn", lambda args: args.update(member="0x" + "ee" * 20), "17."),
    ],
)
def test_a_lie_about_old_points_is_named(
    claimed: Claimed, name: str, change: Callable[[dict[str, Any]], None], rule: str
) -> None:
    """SPEC 12.16, 12.17"""
    found = replay(claimed.with_lie(name, change), claimed.facts)

    assert found.differences, "the lie was not seen"
    assert any(each.rule.startswith(rule) for each in found.differences), found.differences


def test_a_line_that_is_claimed_twice_is_named(claimed: Claimed) -> None:
    """SPEC 12.17, 16.9"""
    blocks = claimed.events_only
    claims = [(number, block) for number, block in enumerate(blocks) if any(_is_claim(log) for log in block.logs)]
    number, block = claims[-1]
    later = max(log.log_index for log in block.logs) + 1
    again = [replace(log, log_index=later + place) for place, log in enumerate(block.logs)]
    blocks[number] = replace(block, logs=[*block.logs, *again])

    found = replay(blocks, claimed.facts)

    assert found.differences, "the second claim was not seen"
    assert found.differences[0].rule in ("16.9", "16.10")


def _is_claim(log: EventLog) -> bool:
    return log.name == "OpeningClaimed"
