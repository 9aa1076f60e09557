"""Broken contracts of badges, votes and old points: what they let through is named by the replay.

The honest contracts come to a certain day; then one of them is broken in its place, and one act follows.
"""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

import pytest

from chain.contracts.snapshots import Snapshot
from chain.devnet.supervisor import Anvil
from chain.model import lots, merkle
from chain.model.access import Kind
from chain.model.badges import BadgeKind, Definition, Gift
from chain.model.chunks import account_of, leaf, points_of
from chain.model.governor import Ballot
from chain.model.openings import Line, OpeningTerms
from chain.node.rpc import Rpc
from chain.proofs import layout
from chain.replay import replay
from tests.differential.steps import Signed, Step
from tests.differential.voting import VotesWalk
from tests.differential.world import HOUR, ZERO32, TwoSides
from tests.replay.chain_of import blocks_of, facts_of
from tests.replay.mutants import PATCHES, WORKERS, Mutant, mutant, put

pytestmark = pytest.mark.slow

SEED = 1
HASH = "0x" + "5b" * 32
# Mutant: a difference that must be among those told, and its rule.
NAMED = {
    "badge_beyond_limit": ("a badge that the rules refuse", "17.6"),
    "badge_by_anyone": ("a badge that the rules refuse", "17.3"),
    "challenge_skipped": ("an adopted list that the rules refuse", "18.12"),
    "claimed_twice": ("a claimed line that the rules refuse", "16.9"),
    "root_replaced": ("an opening that the rules refuse", "16.4"),
    "snapshot_leaf_above": ("list of balances that was adopted", "18.6"),
    "vote_twice": ("a vote that the rules refuse", "18.14"),
}


@dataclass
class Day:
    """The honest chain as it stands, and what the broken one should refuse, by mutant."""

    world: TwoSides
    wrong: dict[str, list[Step]]
    snapshot: str

    def play(self, steps: list[Step], broken: Mutant | None) -> list[bool]:
        """From the same day on each time, these steps; whether each was done."""
        chain = self.world.chain
        assert chain.rpc.call("evm_revert", self.snapshot)
        self.snapshot = chain.rpc.call("evm_snapshot")
        chain.nonces.clear()
        chain.clock = int(chain.rpc.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
        if broken is not None:
            for contract, code in broken.code.items():
                put(chain.rpc, chain, contract, code)
        chain.clock = int(chain.rpc.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
        sent = [
            chain.send(each.by, chain.addresses[each.contract], chain.calldata(each), at=max(each.at, chain.clock + 1))
            for each in steps
        ]
        return [receipt["status"] == "0x1" for receipt in sent]

    def differences(self) -> set[tuple[str, str]]:
        """What the replay tells of the chain, by its events and transactions."""
        chain = self.world.chain
        found = replay(blocks_of(chain.rpc, chain, calldata=True), facts_of(chain))
        return {(each.what, each.rule) for each in found.differences}


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    """A badge of one, given; an opening, claimed; a vote, cast; a false list, posted and not yet contradicted."""
    with Anvil(tmp_path_factory.mktemp("anvil")) as node, closing(Rpc(node.url)) as rpc:
        world = TwoSides(rpc, node.chain_id, anvil=True)
        walk = VotesWalk(world, random.Random(SEED))
        walk.prologue()
        wrong = badges(walk) | openings(walk) | votes(walk)
        yield Day(world, wrong, rpc.call("evm_snapshot"))


@pytest.fixture(scope="module")
def broken() -> dict[str, Mutant]:
    """All of them, two compilers at a time."""
    with ThreadPoolExecutor(WORKERS) as workers:
        found = workers.map(mutant, [PATCHES / f"{name}.patch" for name in NAMED])
        return {each.name: each for each in found}


def badges(walk: VotesWalk) -> dict[str, list[Step]]:
    """SPEC 17.3, 17.6: one badge in all, and who gives it."""
    cast, (ann, bob) = walk.world.cast, walk.world.cast.members[:2]
    one = Definition(BadgeKind.ACHIEVEMENT, Kind.OWNER, 0, True, 1, walk.world.at + 99 * HOUR, 0, HASH)
    many = Definition(BadgeKind.ACHIEVEMENT, Kind.OWNER, 0, True, 9, walk.world.at + 99 * HOUR, 0, HASH)
    walk.must("Badges", "publish", (1, one), "owner1")
    walk.must("Badges", "publish", (1, many), "owner1")
    walk.must("Badges", "give", (1, 1, Gift(1, ann)), "owner1")
    return {
        "badge_beyond_limit": [Step("Badges", "give", (1, 1, Gift(2, bob)), cast["owner1"])],
        "badge_by_anyone": [Step("Badges", "give", (1, 2, Gift(2, bob)), cast["stranger"])],
    }


def openings(walk: VotesWalk) -> dict[str, list[Step]]:
    """SPEC 16.4, 16.9: a line claimed, of an opening that is compared still and has room for it again."""
    world, cast = walk.world, walk.world.cast
    ann, bob = cast.members[:2]
    words = lots.packed({world.ledger.tokens[1].clock.expiry_of_mint(world.at): 50})
    lines = [Line(0, ann, words), Line(1, bob, words)]
    places = merkle.tree([line.leaf() for line in lines])
    schedule = lots.packed({world.ledger.tokens[1].clock.expiry_of_mint(world.at): 100})
    terms = OpeningTerms("0x" + places[0].hex(), schedule, 2, world.at, world.at + 99 * HOUR, HASH)
    walk.must("OpeningBalances", "commit", (1, terms, True), "owner1")
    claim = (1, 1, lines[0], merkle.proof(places, 0))
    walk.must("OpeningBalances", "claim", claim, "stranger")
    return {
        "claimed_twice": [Step("OpeningBalances", "claim", claim, cast["stranger"])],
        "root_replaced": [Step("OpeningBalances", "replace", (1, 1, terms), cast["owner1"])],
    }


def votes(walk: VotesWalk) -> dict[str, list[Step]]:
    """SPEC 18.6, 18.12, 18.14: a vote that has counted; another house's list with a leaf above its balance."""
    world, cast = walk.world, walk.world.cast
    stranger = cast["stranger"]
    for brand_id in (1, 2):
        award = walk.of_brand(brand_id)
        walk.must("ProgrammeGovernor", "proposeAsBrand", (brand_id, [award], ZERO32), f"owner{brand_id}")
    first, second = walk.governor.snapshots.proposals[-2:]
    leaves = list(Snapshot.of(first.weights[1]).leaves)
    walk.must("Snapshots", "post", (first.number, 1, leaves, True), "stranger")
    walk.must("Snapshots", "adopt", (first.number, 1, stranger), "stranger", at=world.at + HOUR)
    place = next(at for at, each in enumerate(leaves) if account_of(each) in cast.members)
    member = account_of(leaves[place])
    signed = Signed(member)
    ballot = Ballot(0, place, leaves[place], 1, Snapshot(leaves).siblings(0, place), signed)  # type: ignore[arg-type]
    walk.must("ProgrammeGovernor", "castVotes", (first.number, 1, [ballot]), "stranger")
    true = list(Snapshot.of(second.weights[2]).leaves)
    false = [leaf(account_of(true[0]), points_of(true[0]) + 7), *true[1:]]
    walk.must("Snapshots", "post", (second.number, 2, true, True), "stranger")
    walk.must("Snapshots", "post", (second.number, 2, false, True), "slow1")
    walk.at = world.at
    proof = walk.proof(second.number, 2, layout.lots(account_of(true[0])))
    assert proof.honest
    said = (second.number, 2, cast["slow1"], 0, 0, false[0], Snapshot(false).siblings(0, 0), proof)
    over = world.at + HOUR
    return {
        "vote_twice": [Step("ProgrammeGovernor", "castVotes", (first.number, 1, [ballot] * 2), stranger)],
        "challenge_skipped": [Step("Snapshots", "adopt", (second.number, 2, stranger), stranger)],
        "snapshot_leaf_above": [
            Step("Snapshots", "contradictLeaf", said, stranger),
            Step("Snapshots", "adopt", (second.number, 2, cast["slow1"]), stranger, at=over + 1),
        ],
    }


@pytest.mark.parametrize("name", NAMED)
def test_what_a_broken_programme_lets_through_is_named(day: Day, broken: dict[str, Mutant], name: str) -> None:
    """SPEC 12.17, 12.22: the same acts leave no difference on the honest contracts"""
    assert day.play(day.wrong[name], None)[-1] is False
    assert day.differences() == set()

    assert day.play(day.wrong[name], broken[name])[-1] is True
    assert day.differences() == {NAMED[name]}
