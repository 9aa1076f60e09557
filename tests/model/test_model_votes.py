"""The edges of proposals, lists and votes in the model."""

import pytest

from chain.model.call import Call
from chain.model.chunks import CHUNK_LEAVES, leaf, levels
from chain.model.errors import ChallengeRunning, SnapshotClosed, SnapshotsClosed, SnapshotTrue, VoteUsed
from chain.model.governor import Ballot, Governor
from chain.model.ledger import Ledger
from chain.model.proposals import Action, Choice, GovernorTerms, Ground, House, Names, Voting
from chain.model.rules import Item
from tests.model.test_model_ledger import ANYONE, HASH, OWNER, STAFF, START, ledger

__all__ = ["ledger"]  # the fixture

HOUR = 3_600
MEMBERS = CHUNK_LEAVES + 1
TEXT = "0x" + "9" * 40


def account(number: int) -> str:
    return f"0x{number + 1:040x}"


def test_a_tie_is_no_agreement_and_one_point_more_is() -> None:
    """SPEC 18.14"""
    house = House(100, {Choice.AGAINST: 40, Choice.FOR: 40, Choice.ABSTAIN: 0})
    assert not house.agrees(1_000)
    house.said[Choice.FOR] += 1
    assert house.agrees(8_100)
    assert not house.agrees(8_101)


@pytest.fixture
def governor(ledger: Ledger) -> Governor:
    """A governor that decides on the programme's text; 257 members of brand 2 have ten points each."""
    voting = Voting(
        "0x" + "7" * 40, GovernorTerms(HOUR, 3 * HOUR, 5 * HOUR, HOUR, 0, 5_000), {(TEXT, b"text"): Names.TEXT}
    )
    for number in range(MEMBERS):
        item = Item(number + 1, 1, account(number), 10)
        ledger.rules.award(Call(STAFF, START + 1), 2, item)
    return Governor(voting, ledger.registry, ledger.agreements, ledger.tokens, ledger.roles, ledger.journal)


def test_a_list_counts_when_its_challenge_is_over_and_each_vote_is_told_by_its_place(
    ledger: Ledger, governor: Governor
) -> None:
    """SPEC 18.12, 18.14: the second chunk's first leaf is place 256."""
    at = START + 10
    actions = [Action(TEXT, b"text" + bytes(32))]
    number = governor.propose_as_brand(Call(OWNER, at), 2, actions, HASH, Ground(7, HASH, at - 5))
    leaves = [leaf(account(each), 10) for each in range(MEMBERS)]
    snapshots = governor.snapshots
    snapshots.post(Call(ANYONE, at), number, 2, leaves, True)
    with pytest.raises(ChallengeRunning):
        snapshots.adopt(Call(ANYONE, at + HOUR - 1), number, 2, ANYONE)
    snapshots.adopt(Call(ANYONE, at + HOUR), number, 2, ANYONE)
    with pytest.raises(SnapshotsClosed):
        snapshots.contradict_total(Call(ANYONE, at + HOUR), number, 2, ANYONE, True)
    ledger.facts()

    last = levels(leaves[CHUNK_LEAVES:])
    siblings = [level[1] for level in last[:-1]]
    ballot = Ballot(1, 0, leaves[-1], Choice.FOR, siblings, account(MEMBERS - 1))
    governor.cast_vote(Call(ANYONE, at + HOUR), number, 2, ballot)
    with pytest.raises(VoteUsed):
        governor.cast_vote(Call(ANYONE, at + HOUR), number, 2, ballot)

    [told] = [fact.values for fact in ledger.facts() if fact.name == "VoteCast"]
    assert told == (number, 2, account(MEMBERS - 1), CHUNK_LEAVES, Choice.FOR, 10)


def test_a_leaf_that_says_the_truth_is_not_contradicted_and_a_false_one_is_once(
    ledger: Ledger, governor: Governor
) -> None:
    """SPEC 18.10"""
    at = START + 10
    number = governor.propose_as_brand(
        Call(OWNER, at), 2, [Action(TEXT, b"text" + bytes(32))], HASH, Ground(7, HASH, at - 5)
    )
    leaves = [leaf(account(0), 10), leaf(account(1), 11)]
    governor.snapshots.post(Call(ANYONE, at), number, 2, leaves, True)
    tree = levels(leaves)

    def contradict(position: int) -> None:
        siblings = [level[(position >> height) ^ 1] for height, level in enumerate(tree[:-1])]
        governor.snapshots.contradict_leaf(
            Call(OWNER, at), number, 2, ANYONE, 0, position, leaves[position], siblings, True
        )

    with pytest.raises(SnapshotTrue):
        contradict(0)
    contradict(1)
    with pytest.raises(SnapshotClosed):
        contradict(1)
    with pytest.raises(SnapshotClosed):
        governor.snapshots.adopt(Call(ANYONE, at + HOUR), number, 2, ANYONE)
