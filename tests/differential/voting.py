"""A walk of its own over proposals, lists and votes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from chain.contracts.snapshots import Snapshot
from chain.model.access import Kind, role_of
from chain.model.chunks import account_of
from chain.model.governor import Ballot
from chain.model.proposals import State
from chain.model.rules import Item
from tests.differential.acts.votes import GOVERNOR, VOTED_ON, VoteActs
from tests.differential.chooser import Made
from tests.differential.compare import Read, compare
from tests.differential.steps import Signed, Step
from tests.differential.world import HOUR, TIMELOCK, ZERO32, TwoSides, rule

FIRST_OPERATION = 2**90


class VotesWalk(VoteActs):
    """Makes the next step from the model's state."""

    WEIGHTS: tuple[tuple[str, int], ...] = (
        ("propose", 5),
        ("propose_as_member", 3),
        ("cancel_nonce", 1),
        ("post", 12),
        ("contradict", 5),
        ("adopt", 9),
        ("vote", 9),
        ("votes", 9),
        ("voice", 10),
        ("veto", 1),
        ("queue", 7),
        ("execute", 7),
        ("set_text", 1),
        ("award", 2),
        ("transfer", 2),
        ("standing", 1),
        ("resume", 2),
    )
    OPEN_MAX = 2
    JUMP_SHARE = 0.08

    def prologue(self) -> None:
        """Members get points; the timelock gets the roles by which votes act, but of brand 3 only the owner's."""
        timelock = self.world.chain.addresses[TIMELOCK]
        for brand_id in VOTED_ON:
            for number, member in enumerate(self.world.cast.members):
                item = Item(FIRST_OPERATION + number, 1, member, 400 * (number + 1))
                self.must("RewardRules", "award", (brand_id, item), f"issuer{brand_id}")
            for kind in (Kind.OWNER, Kind.ISSUER)[: 1 if brand_id == VOTED_ON[-1] else 2]:
                self.must("Authority", "grantRole", (role_of(brand_id, kind), timelock, 0), f"owner{brand_id}")

    def useful(self) -> list[str]:
        """The acts that bring a proposal further now; none: only time does."""
        governor = self.governor
        terms, snapshots = governor.voting.terms, governor.snapshots
        acts = []
        states = [each.state(self.at, terms.quorum_bps) for each in snapshots.proposals]
        if states.count(State.OPEN) < self.OPEN_MAX:
            acts += ["propose", "propose", "propose_as_member"]
        for each, state in zip(snapshots.proposals, states, strict=True):
            if state == State.AGREED:
                acts += ["queue", "queue"]
            if state == State.QUEUED and self.at >= each.ready_at:
                acts += ["execute", "execute"]
            if state != State.OPEN:
                continue
            if len(each.voices) < len(each.electorate):
                acts.append("voice")
            for brand_id in each.electorate:
                key = each.number, brand_id
                lists = [posted for place, posted in snapshots.posted.items() if place[:2] == key]
                good = [posted for posted in lists if posted.completed_at and not posted.contradicted]
                if key in snapshots.adopted:
                    voted = sum(place[0] == brand_id for place in each.voted)
                    accounts = len(snapshots.posted[*key, snapshots.adopted[key]].leaves)
                    acts += ["vote", "votes"] if 2 * voted < accounts else []
                elif self.at < each.prepared_until:
                    acts += ["post"] if len(good) < 2 else []
                    lies = [posted for posted in good if posted.total != each.supplies[brand_id]]
                    acts += ["contradict"] * len(lies)
                    over = any(posted.completed_at + terms.challenge_s <= self.at for posted in good)
                    acts += ["adopt"] if over else []
        return acts

    def carry_through(self, brand_id: int, *, twice: bool) -> str:
        """A vote that everyone is for, from the proposal to its execution: what that was refused with, or nothing.

        twice: the rule's change is announced two times, which it cannot be: so nothing of it happens.
        """
        world, owner = self.world, f"owner{brand_id}"
        self.must("RewardRules", "publish", (brand_id, rule(5)), owner)
        rule_id = len(world.ledger.rules.rules[brand_id])
        self.at = world.at
        actions = [self.action("RewardRules", "announceChange", brand_id, rule_id, rule(6))] * (1 + twice)
        self.must(GOVERNOR, "proposeAsBrand", (brand_id, actions, ZERO32), owner)
        proposal = self.governor.snapshots.proposals[-1]
        number, poster = proposal.number, world.cast["stranger"]
        leaves = list(Snapshot.of(proposal.weights[brand_id]).leaves)
        self.must("Snapshots", "post", (number, brand_id, leaves, True), "stranger")
        self.must("Snapshots", "adopt", (number, brand_id, poster), "stranger", at=world.at + 2 * HOUR)
        members = [place for place, leaf in enumerate(leaves) if account_of(leaf) in world.cast.members]
        ballots = []
        for place in members:
            siblings = Snapshot(leaves).siblings(0, place)
            signed: Any = Signed(account_of(leaves[place]))
            ballots.append(Ballot(0, place, leaves[place], 1, siblings, signed))
        self.must(GOVERNOR, "castVotes", (number, brand_id, ballots), "stranger")
        self.must(GOVERNOR, "castVoice", (number, brand_id, 1), owner)
        self.must(GOVERNOR, "queue", (number, actions), "stranger", at=proposal.voted_until)
        deeds = tuple(self.deeds[each.data] for each in actions)
        step = Step(GOVERNOR, "execute", (number, actions), poster, at=proposal.ready_at, deeds=deeds)
        return world.do(step)

    def must(self, contract: str, function: str, values: tuple[Any, ...], by: str, *, at: int = 0) -> None:
        """A step that is not refused."""
        assert not self.world.do(Step(contract, function, values, self.world.cast[by], at))

    def next(self, now: int) -> Step:
        """The next step, at its time."""
        self.at = now + self.rng.randint(1, 90)
        names = [name for name, _ in self.WEIGHTS]
        chosen = self.rng.choices(names, [weight for _, weight in self.WEIGHTS])[0]
        useful = self.useful()
        if not useful or self.bad(self.JUMP_SHARE):
            self.at = max(now + 1, self.edge_of_votes(now) + self.some([-1, 0, 0, 1]))
        elif not self.bad(0.25):
            chosen = str(self.some(useful))
        make: Callable[[], Made] = getattr(self, chosen)
        if not all(self.world.ledger.registry.is_issuing(each) for each in VOTED_ON) and self.bad(0.3):
            make = self.resume
        step = Step(*make(), at=self.at)
        if step.contract == GOVERNOR and step.function == "execute":
            return replace(step, deeds=tuple(self.deeds[each.data] for each in step.values[1]))
        return step


def compare_votes(world: TwoSides, at: int) -> None:
    """Every proposal, every house, every list, as both sides have them."""
    governor = world.ledger.governor
    assert governor is not None
    quorum = governor.voting.terms.quorum_bps
    proposals = governor.snapshots.proposals
    reads: list[tuple[Read, Any]] = [
        ((GOVERNOR, "proposalCount", ()), len(proposals)),
        ((GOVERNOR, "programmeText", ()), (governor.text_hash, governor.text_version)),
        ((GOVERNOR, "terms", ()), governor.voting.terms),
    ]
    for each in proposals:
        reads.append(((GOVERNOR, "proposalOf", (each.number,)), each.shown(each.state(at, quorum))))
        reads.append(((GOVERNOR, "outcomeOf", (each.number,)), each.outcome(quorum)))
        for brand_id, house in each.houses.items():
            poster = governor.snapshots.adopted[each.number, brand_id]
            against, yes, neither = house.said.values()
            shown = poster, house.total, yes, against, neither
            reads.append(((GOVERNOR, "tallyOf", (each.number, brand_id)), shown))
        for brand_id, chunk, position in sorted(each.voted):
            reads.append(((GOVERNOR, "hasVoted", (each.number, brand_id, chunk, position)), True))
    for (number, brand_id, poster), posted in governor.snapshots.posted.items():
        shown = len(posted.leaves), len(posted.roots), posted.total, posted.completed_at, posted.contradicted
        reads.append((("Snapshots", "snapshotOf", (number, brand_id, poster)), shown))
    compare(world, at, reads)


def counted_within_lists(world: TwoSides) -> None:
    """No house says more points than its list has, and each adopted list is the true one."""
    assert world.ledger.governor is not None
    for each in world.ledger.governor.snapshots.proposals:
        for house in each.houses.values():
            assert sum(house.said.values()) <= house.total
