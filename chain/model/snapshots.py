"""Lists of balances by which members vote (SPEC 18.7 to 18.12): posted by anyone, contradicted, adopted."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from chain.model import chunks
from chain.model.call import NOBODY, Call, Journal
from chain.model.errors import (
    ChallengeRunning,
    HeaderInvalid,
    LeafInvalid,
    LeafUnknown,
    LeavesWrong,
    ProposalUnknown,
    SnapshotClosed,
    SnapshotIncomplete,
    SnapshotsClosed,
    SnapshotTrue,
)
from chain.model.proposals import House, Proposal

SNAPSHOTS: Final = "Snapshots"
LEAVES_MAX: Final = 16 * chunks.CHUNK_LEAVES
TOTAL_MAX: Final = 2**56 - 1

Key = tuple[int, int, str]


@dataclass(slots=True)
class Posted:
    """One poster's list of a brand, as far as it is posted."""

    leaves: list[int] = field(default_factory=list)
    roots: list[bytes] = field(default_factory=list)
    completed_at: int = 0
    contradicted: bool = False

    @property
    def total(self) -> int:
        """The sum of its points."""
        return sum(map(chunks.points_of, self.leaves))


@dataclass(slots=True)
class Snapshots:
    """All lists, by proposal, brand and poster; `adopted`: whose list counts, by proposal and brand."""

    challenge_s: int
    journal: Journal
    proposals: list[Proposal] = field(default_factory=list)
    posted: dict[Key, Posted] = field(default_factory=dict)
    adopted: dict[tuple[int, int], str] = field(default_factory=dict)

    def proposal(self, proposal_id: int) -> Proposal:
        """The proposal, or ProposalUnknown."""
        if not 1 <= proposal_id <= len(self.proposals):
            raise ProposalUnknown(proposal_id)
        return self.proposals[proposal_id - 1]

    def list_of(self, proposal_id: int, brand_id: int, poster: str) -> Posted:
        """A poster's list; an empty one where nothing was posted."""
        return self.posted.get((proposal_id, brand_id, poster), Posted())

    def post(self, call: Call, proposal_id: int, brand_id: int, leaves: Sequence[int], complete: bool) -> None:
        """The next leaves of the caller's list; complete: its last."""
        self._preparing(call, proposal_id, brand_id)
        posted = self.list_of(proposal_id, brand_id, call.by)
        if posted.completed_at or posted.contradicted:
            raise SnapshotClosed(proposal_id, brand_id, call.by)
        whole = len(leaves) % chunks.CHUNK_LEAVES == 0
        if not 1 <= len(leaves) <= LEAVES_MAX or not (whole or complete):
            raise LeavesWrong(len(leaves), LEAVES_MAX)
        self._check_leaves(posted, leaves)

        first = len(posted.roots)
        added = chunks.roots(leaves)
        self.posted[proposal_id, brand_id, call.by] = posted
        posted.leaves += leaves
        posted.roots += added
        if complete:
            posted.completed_at = call.at
        told = ["0x" + root.hex() for root in added]
        self._say("SnapshotPosted", proposal_id, brand_id, call.by, first, told, posted.total, complete)

    def contradict_leaf(
        self,
        call: Call,
        proposal_id: int,
        brand_id: int,
        poster: str,
        chunk: int,
        position: int,
        leaf: int,
        siblings: Sequence[bytes],
        proven: bool,
    ) -> None:
        """A posted leaf against the account's balance in the ground's block; proven: the header is that block's."""
        proposal = self._preparing(call, proposal_id, brand_id)
        posted = self.list_of(proposal_id, brand_id, poster)
        self.check_place(posted, chunk, position, leaf, siblings)
        if posted.contradicted:
            raise SnapshotClosed(proposal_id, brand_id, poster)
        account = chunks.account_of(leaf)
        points = proposal.weights[brand_id].get(account, 0)
        self._contradict(proposal, brand_id, poster, account, chunks.points_of(leaf), points, proven)

    def contradict_total(self, call: Call, proposal_id: int, brand_id: int, poster: str, proven: bool) -> None:
        """A complete list's sum against the supply in the ground's block."""
        proposal = self._preparing(call, proposal_id, brand_id)
        posted = self._complete(proposal_id, brand_id, poster)
        self._contradict(proposal, brand_id, poster, NOBODY, posted.total, proposal.supplies[brand_id], proven)

    def adopt(self, call: Call, proposal_id: int, brand_id: int, poster: str) -> None:
        """The list counts, once nobody can contradict it any more."""
        proposal = self._preparing(call, proposal_id, brand_id)
        posted = self._complete(proposal_id, brand_id, poster)
        until = posted.completed_at + self.challenge_s
        if call.at < until:
            raise ChallengeRunning(until, call.at)

        self.adopted[proposal_id, brand_id] = poster
        proposal.houses[brand_id] = House(posted.total)
        self._say("SnapshotAdopted", proposal_id, brand_id, poster, posted.total)

    def check_place(self, posted: Posted, chunk: int, position: int, leaf: int, siblings: Sequence[bytes]) -> None:
        """Refuses a leaf that does not lie there."""
        known = chunk < len(posted.roots) and chunks.holds(posted.roots[chunk], position, leaf, siblings)
        if not known:
            raise LeafUnknown(chunk, position)

    # --- inside

    def _preparing(self, call: Call, proposal_id: int, brand_id: int) -> Proposal:
        proposal = self.proposal(proposal_id)
        proposal.check_asked(brand_id)
        over = proposal.vetoed or call.at >= proposal.prepared_until
        if over or (proposal_id, brand_id) in self.adopted:
            raise SnapshotsClosed(proposal_id, brand_id)
        return proposal

    def _complete(self, proposal_id: int, brand_id: int, poster: str) -> Posted:
        posted = self.list_of(proposal_id, brand_id, poster)
        if not posted.completed_at:
            raise SnapshotIncomplete(proposal_id, brand_id, poster)
        if posted.contradicted:
            raise SnapshotClosed(proposal_id, brand_id, poster)
        return posted

    def _check_leaves(self, posted: Posted, leaves: Sequence[int]) -> None:
        last = posted.leaves[-1] if posted.leaves else 0
        previous, total = last >> chunks.POINTS_AT << chunks.POINTS_AT, posted.total
        for leaf in leaves:
            points = chunks.points_of(leaf)
            total += points
            if leaf >> chunks.POINTS_AT <= previous >> chunks.POINTS_AT or points == 0 or total > TOTAL_MAX:
                raise LeafInvalid(leaf, previous)
            previous = leaf

    def _contradict(
        self, proposal: Proposal, brand_id: int, poster: str, account: str, stated: int, points: int, proven: bool
    ) -> None:
        if not proven:
            raise HeaderInvalid(proposal.ground.hash)
        if stated == points:
            raise SnapshotTrue(account, points)

        self.posted[proposal.number, brand_id, poster].contradicted = True
        self._say("SnapshotContradicted", proposal.number, brand_id, poster, account, stated, points)

    def _say(self, name: str, *values: object) -> None:
        self.journal.say(SNAPSHOTS, name, *values)
