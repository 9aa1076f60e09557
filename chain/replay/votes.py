"""The model's governor, ready to be set to what the chain states: lists of which only the roots are told among it.

What counts is counted from events: a list is the one that the books make of the block before the proposal, where its
roots are the posted ones; else the leaves of the transaction; else only its roots and its sum are known.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from chain.contracts.codec import EventLog
from chain.model import chunks
from chain.model.access import Kind, role_of
from chain.model.call import Call
from chain.model.errors import BelowThreshold, LeafUnknown, SnapshotClosed
from chain.model.governor import Governor
from chain.model.proposals import BPS, Action, GovernorTerms, Ground, Names, Voting
from chain.model.snapshots import Posted

MADE: Final = "ProposalMade"
# What a vote may decide on (SPEC 18.2).
DECIDED: Final = (
    ("RewardRules", "announceChange", Names.BRAND),
    ("RewardRules", "award", Names.BRAND),
    ("RewardRules", "awardBatch", Names.BRAND),
    ("PartnerExchange", "proposeChange", Names.AGREEMENT),
    ("PartnerExchange", "acceptChange", Names.AGREEMENT),
    ("ProgrammeGovernor", "setProgrammeText", Names.TEXT),
)


@dataclass(slots=True)
class StatedList(Posted):
    """A posted list. hidden: not all of its leaves are known, only its roots and `told`, the sum that was said."""

    hidden: bool = False
    told: int = 0

    @property
    def total(self) -> int:
        """The sum of its points."""
        return self.told if self.hidden else sum(map(chunks.points_of, self.leaves))


@dataclass(slots=True)
class Weighed:
    """A brand's accounts and supply at the end of a block."""

    weights: dict[str, int]
    supply: int


@dataclass(slots=True)
class StatedGovernor(Governor):
    """weighed: the books before the present block, where it holds a proposal. actions: of each proposal.

    due_texts: what the proposal that is being executed does to the programme's text.
    """

    weighed: dict[int, Weighed] = field(default_factory=dict)
    actions: dict[int, list[Action]] = field(default_factory=dict)
    due_texts: list[str] = field(default_factory=list)

    def weigh(self, logs: Iterable[EventLog], at: int) -> None:
        """Before a block: what the brands that its proposals ask had at the end of the block before, of second `at`."""
        self.weighed = {}
        for log in logs:
            if log.name != MADE:
                continue
            shown = log.args["proposal"]
            named = [int(shown[name]) for name in ("firstBrandId", "secondBrandId")]
            asked = [each for each in named if each] or range(1, int(shown["brandCount"]) + 1)
            for brand_id in asked:
                token = self.tokens.get(brand_id)
                if token is not None and brand_id not in self.weighed:
                    balances = {account: token.balance_of(account, at) for account in token.accounts}
                    held = {account: points for account, points in balances.items() if points}
                    self.weighed[brand_id] = Weighed(held, token.total_supply(at))

    def made(
        self, call: Call, proposer: str, brand_id: int, actions: Sequence[Action], text_hash: str, ground: Ground
    ) -> None:
        """A proposal of which only the event tells: by the brand's owner, or else by a member with enough points."""
        self.registry.brand_of(brand_id)
        if self.roles.holds(role_of(brand_id, Kind.OWNER), proposer, call.at):
            self.announcements.check(call, role_of(brand_id, Kind.OWNER))()
        else:
            token = self.tokens[brand_id]
            threshold = -(-token.total_supply(call.at) * self.voting.terms.threshold_bps // BPS)
            points = token.balance_of(proposer, call.at)
            if points == 0 or points < threshold:
                raise BelowThreshold(points, threshold)
        self._propose(call, proposer, brand_id, actions, self._electorate(brand_id, actions), text_hash, ground)

    def keep(self, number: int, actions: Sequence[Action]) -> None:
        """What belongs to a proposal that was made: its actions, and the books before its block."""
        self.actions[number] = list(actions)
        proposal = self.snapshots.proposals[number - 1]
        found = {each: self.weighed.get(each, Weighed({}, 0)) for each in proposal.electorate}
        proposal.weights = {each: weighed.weights for each, weighed in found.items()}
        proposal.supplies = {each: weighed.supply for each, weighed in found.items()}

    # --- lists

    def true_leaves(self, proposal_id: int, brand_id: int) -> list[int]:
        """The list of a brand as the books make it."""
        weights = self.snapshots.proposal(proposal_id).weights.get(brand_id, {})
        return sorted(chunks.leaf(account, points) for account, points in weights.items())

    def list_of(self, proposal_id: int, brand_id: int, poster: str) -> StatedList:
        """A poster's list; an empty one where nothing was posted."""
        return cast("StatedList", self.snapshots.posted.setdefault((proposal_id, brand_id, poster), StatedList()))

    def post_hidden(
        self, call: Call, proposal_id: int, brand_id: int, roots: Sequence[str], total: int, complete: bool
    ) -> None:
        """The next chunks of a list whose leaves nobody told."""
        self.snapshots._preparing(call, proposal_id, brand_id)
        posted = self.list_of(proposal_id, brand_id, call.by)
        if posted.completed_at or posted.contradicted:
            raise SnapshotClosed(proposal_id, brand_id, call.by)
        first = len(posted.roots)
        posted.hidden, posted.told = True, total
        posted.roots += [bytes.fromhex(root[2:]) for root in roots]
        if complete:
            posted.completed_at = call.at
        said = proposal_id, brand_id, call.by, first, tuple(roots), total, complete
        self.journal.say("Snapshots", "SnapshotPosted", *said)

    def contradict(self, call: Call, proposal_id: int, brand_id: int, poster: str, account: str, stated: int) -> None:
        """A leaf of the account against the books; what the list says of it is taken at the event's word if hidden."""
        proposal = self.snapshots._preparing(call, proposal_id, brand_id)
        posted = self.list_of(proposal_id, brand_id, poster)
        if posted.contradicted:
            raise SnapshotClosed(proposal_id, brand_id, poster)
        said = stated if posted.hidden else self._said_of(posted, account)
        right = proposal.weights[brand_id].get(account, 0)
        self.snapshots._contradict(proposal, brand_id, poster, account, said, right, True)

    def _said_of(self, posted: Posted, account: str) -> int:
        for leaf in posted.leaves:
            if chunks.account_of(leaf) == account:
                return chunks.points_of(leaf)
        raise LeafUnknown(*divmod(len(posted.leaves), chunks.CHUNK_LEAVES))

    # --- votes

    def leaf_at(self, proposal_id: int, brand_id: int, place: int, member: str, points: int) -> int:
        """The leaf at a place of the adopted list; of one whose leaves nobody told, what the vote says."""
        poster = self.snapshots.adopted[proposal_id, brand_id]
        posted = self.list_of(proposal_id, brand_id, poster)
        chunk, position = divmod(place, chunks.CHUNK_LEAVES)
        if chunk >= len(posted.roots) or (not posted.hidden and place >= len(posted.leaves)):
            raise LeafUnknown(chunk, position)
        return chunks.leaf(member, points) if posted.hidden else posted.leaves[place]

    # --- what is over

    def forget(self, at: int) -> None:
        """Drops the lists and weights of proposals on which nobody votes any more."""
        over = {each.number for each in self.snapshots.proposals if each.vetoed or at >= each.voted_until}
        for number in over:
            self.snapshots.proposals[number - 1].weights = {}
        self.snapshots.posted = {key: each for key, each in self.snapshots.posted.items() if key[0] not in over}


def voting_of(addresses: Mapping[str, str], timelock: str, terms: GovernorTerms, selector: Any) -> Voting:
    """A governor's terms, and what a vote decides on: addresses by contract; selector(contract, function)."""
    decides = {(addresses[name], selector(name, function)): names for name, function, names in DECIDED}
    return Voting(timelock, terms, decides)
