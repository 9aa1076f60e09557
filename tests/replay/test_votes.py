"""Votes in the replay: proposals, lists, votes and voices counted again from the chain's events; each lie is named."""

import random
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from chain.contracts.snapshots import Snapshot
from chain.devnet.supervisor import Anvil
from chain.model.governor import Governor
from chain.model.proposals import Choice
from chain.node.rpc import Rpc
from chain.replay import Replay, replay
from chain.replay.votes import StatedGovernor
from tests.differential.voting import VotesWalk
from tests.differential.world import TwoSides
from tests.replay.chain_of import blocks_of, facts_of
from tests.replay.test_openings import Claimed, names

pytestmark = pytest.mark.slow

SEED = 5
STEPS = 500
CUT = 3
ADOPTED = "list of balances that was adopted"


class Voted(Claimed):
    """A chain on which people voted, and the model that walked it."""

    model: Governor


@pytest.fixture(scope="module")
def voted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Voted]:
    """A walk of votes on Anvil, and one vote that everyone is for."""
    with Anvil(tmp_path_factory.mktemp("anvil")) as node, closing(Rpc(node.url)) as rpc:
        world = TwoSides(rpc, node.chain_id, anvil=True)
        walk = VotesWalk(world, random.Random(SEED))
        walk.prologue()
        for _ in range(STEPS):
            world.do(walk.next(world.at))
        assert walk.carry_through(1, twice=False) == ""
        found = Voted(blocks_of(rpc, world.chain, calldata=True), facts_of(world.chain))
        assert world.ledger.governor is not None
        found.model = world.ledger.governor
        yield found


def governor(found: Replay) -> StatedGovernor:
    assert isinstance(found.books.governor, StatedGovernor)
    return found.books.governor


def false_lists(model: Governor) -> int:
    """Adopted lists that are not those of the block before the proposal: nobody contradicted them in time."""
    snapshots = model.snapshots
    return sum(
        snapshots.posted[*key, poster].leaves != Snapshot.of(snapshots.proposals[key[0] - 1].weights[key[1]]).leaves
        for key, poster in snapshots.adopted.items()
    )


@pytest.mark.parametrize("transactions", [False, True], ids=["events alone", "with transactions"])
def test_honest_votes_leave_no_difference_but_lists_that_nobody_contradicted(voted: Voted, transactions: bool) -> None:
    """SPEC 12.14, 12.16, 12.22, 18.6"""
    found = replay(voted.blocks if transactions else voted.events_only, voted.facts)

    told = names(voted.blocks)
    assert {
        "ProposalMade",
        "SnapshotPosted",
        "SnapshotContradicted",
        "SnapshotAdopted",
        "VoteCast",
        "VoiceCast",
    } <= told
    assert {"ProposalQueued", "ProposalExecuted"} <= told
    others = [each for each in found.differences if each.what != ADOPTED]
    assert others == []
    assert len(found.differences) == false_lists(voted.model)


def test_tallies_voices_and_states_are_the_contracts(voted: Voted) -> None:
    """SPEC 12.22, 18.14, 18.15, 18.16"""
    kept = governor(replay(voted.events_only, voted.facts))

    model = voted.model
    assert len(kept.snapshots.proposals) == len(model.snapshots.proposals)
    for mine, right in zip(kept.snapshots.proposals, model.snapshots.proposals, strict=True):
        assert mine.voices == right.voices
        assert mine.voted == right.voted
        assert mine.houses == right.houses
        assert (mine.ready_at, mine.vetoed, mine.executed) == (right.ready_at, right.vetoed, right.executed)
    assert (kept.text_hash, kept.text_version) == (model.text_hash, model.text_version)
    assert kept.snapshots.adopted == model.snapshots.adopted


def test_a_replay_of_votes_goes_on_from_where_it_was_cut(voted: Voted) -> None:
    """SPEC 12.21"""
    whole = replay(voted.blocks, voted.facts)
    part = Replay(voted.facts)
    for number, block in enumerate(voted.blocks):
        if number % CUT == 0:
            part = Replay.restore(voted.facts, part.state())
        part.block(block.number, block.time, block.logs, block.sent, block.before)

    assert part.state() == whole.state()


def _one_more(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda args: args.update({name: str(int(args[name]) + 1)})


LIES: list[tuple[str, Callable[[dict[str, Any]], None], str, str]] = [
    ("VoteCast", _one_more("points"), "points of a vote", "18.14"),
    ("VoteCast", lambda args: args.update(member="0x" + "ee" * 20), "member of a vote", "18.14"),
    ("VoteCast", lambda args: args.update(place="100"), "a vote that the rules refuse", "18.14"),
    ("VoteCast", lambda args: args.update(choice="3"), "a vote that the rules refuse", "18.14"),
    ("SnapshotAdopted", _one_more("total"), "total of an adopted list", "18.12"),
    ("SnapshotContradicted", _one_more("proven"), "proven of a contradicted list", "18.10"),
    ("SnapshotPosted", _one_more("total"), "total of a posted list", "18.8"),
    ("ProposalMade", _one_more("proposalId"), "proposal id of a proposal", "18.4"),
    ("ProposalMade", lambda args: args["proposal"].update(votedUntil="9"), "voted until of a proposal", "18.4"),
    ("ProposalMade", lambda args: args["proposal"].update(brandCount="9"), "brand count of a proposal", "18.4"),
    ("ProposalQueued", _one_more("readyAt"), "ready at of a queued proposal", "18.17"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "what", "rule"), LIES, ids=[f"{each[0]} {each[2]}" for each in LIES])
def test_a_lie_about_votes_is_named(
    voted: Voted, name: str, change: Callable[[dict[str, Any]], None], what: str, rule: str
) -> None:
    """SPEC 12.17, 12.22"""
    found = replay(voted.with_lie(name, change), voted.facts)

    assert (what, rule) in {(each.what, each.rule) for each in found.differences}, found.differences


def _again(voted: Voted, name: str) -> Replay:
    """The chain on which the last event of this name is there twice."""
    blocks = voted.events_only
    at = max(number for number, block in enumerate(blocks) if any(log.name == name for log in block.logs))
    last = [log for log in blocks[at].logs if log.name == name][-1]
    index = max(log.log_index for log in blocks[at].logs) + 1
    blocks[at] = replace(blocks[at], logs=[*blocks[at].logs, replace(last, log_index=index)])
    return replay(blocks, voted.facts)


@pytest.mark.parametrize(
    ("name", "what", "rule", "right"),
    [
        ("VoteCast", "a vote that the rules refuse", "18.14", "VoteUsed"),
        ("VoiceCast", "a brand's voice that the rules refuse", "18.15", "VoiceUsed"),
        ("ProposalExecuted", "an executed proposal that the rules refuse", "18.17", "ProposalStateWrong"),
        ("SnapshotAdopted", "an adopted list that the rules refuse", "18.12", "SnapshotsClosed"),
    ],
)
def test_what_counts_twice_is_named(voted: Voted, name: str, what: str, rule: str, right: str) -> None:
    """SPEC 12.22, 18.14, 18.15"""
    found = _again(voted, name)

    told = [each for each in found.differences if each.what == what]
    assert told, found.differences
    assert told[-1].rule == rule
    assert str(told[-1].right).startswith(right)


@pytest.mark.parametrize("house", ["VoteCast", "VoiceCast"])
def test_a_proposal_that_goes_on_without_both_houses_is_named(voted: Voted, house: str) -> None:
    """SPEC 12.22, 18.16: the last proposal is carried by both; what one of them said is taken away"""
    last = str(len(voted.model.snapshots.proposals))
    blocks = [
        replace(block, logs=[log for log in block.logs if not (log.name == house and log.args["proposalId"] == last)])
        for block in voted.events_only
    ]

    found = replay(blocks, voted.facts)

    told = [each for each in found.differences if each.what != ADOPTED]
    assert [(each.what, each.rule) for each in told] == [("a queued proposal that the rules refuse", "18.16")], told


def test_a_text_without_a_vote_is_named(voted: Voted) -> None:
    """SPEC 12.22, 18.17"""
    blocks = voted.events_only
    log = next(log for block in blocks for log in block.logs if log.name == "ProposalExecuted")
    text = {"version": "9", "textHash": "0x" + "7e" * 32}
    forged = replace(log, name="ProgrammeTextChanged", args=text, log_index=10**6, block_number=blocks[-1].number)
    blocks[-1] = replace(blocks[-1], logs=[*blocks[-1].logs, forged])

    found = replay(blocks, voted.facts)

    assert found.differences[-1].what == "the programme's text that the rules refuse"
    assert found.differences[-1].rule == "18.17"


def test_choices_are_added_up_by_their_leaves(voted: Voted) -> None:
    """SPEC 18.14: what houses said never is more than their lists"""
    for proposal in governor(replay(voted.blocks, voted.facts)).snapshots.proposals:
        for house in proposal.houses.values():
            assert sum(house.said.values()) <= house.total
            assert set(house.said) == set(Choice)
