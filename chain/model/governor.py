"""Members and brands decide together on the parameters of the programme (SPEC 18)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from chain.model import chunks
from chain.model.access import MOA_GUARDIAN, Announcements, Kind, Nonces, Roles, Signature, role_of
from chain.model.agreements import Agreements
from chain.model.call import Call, Journal
from chain.model.errors import (
    BatchSizeWrong,
    BelowThreshold,
    BrandNotAsked,
    ChoiceInvalid,
    ElectorateTooLarge,
    ProposalStateWrong,
    SignatureInvalid,
    TimelockOnly,
    TimelockUnexpectedOperationState,
    VoiceUsed,
    VoteUsed,
    VotingClosed,
    VotingRunning,
)
from chain.model.proposals import (
    BPS,
    Action,
    Choice,
    Ground,
    House,
    Names,
    Proposal,
    State,
    Voting,
    electorate_of,
    hash_of_actions,
    operation_id,
)
from chain.model.registry import Registry
from chain.model.snapshots import Posted, Snapshots
from chain.model.token import Token

GOVERNOR: Final = "ProgrammeGovernor"
BATCH_VOTES_MAX: Final = 200
BRANDS_MAX: Final = 256
# The timelock's bitmap of the one state in which it executes: Ready.
READY: Final = "0x" + f"{1 << 2:064x}"


@dataclass(frozen=True, slots=True)
class Ballot:
    """One member's vote with its place in the adopted list."""

    chunk: int
    position: int
    leaf: int
    choice: int
    siblings: Sequence[bytes]
    signature: Signature


@dataclass(slots=True)
class Governor:
    """All proposals. A proposal is the first call of its block: so its weights are the books as they are."""

    voting: Voting
    registry: Registry
    agreements: Agreements
    tokens: Mapping[int, Token]
    roles: Roles
    journal: Journal
    text_hash: str = "0x" + "00" * 32
    text_version: int = 0
    snapshots: Snapshots = field(init=False)
    nonces: Nonces = field(init=False)
    announcements: Announcements = field(init=False)

    def __post_init__(self) -> None:
        self.snapshots = Snapshots(self.voting.terms.challenge_s, self.journal)
        self.nonces = Nonces(GOVERNOR, self.journal)
        self.announcements = Announcements(GOVERNOR, self.roles, self.journal)

    # --- proposals

    def propose_as_brand(
        self, call: Call, brand_id: int, actions: Sequence[Action], text_hash: str, ground: Ground
    ) -> int:
        """A brand of the electorate proposes; the proposal's id."""
        self.registry.brand_of(brand_id)
        use = self.announcements.check(call, role_of(brand_id, Kind.OWNER))
        brands = self._electorate(brand_id, actions)

        use()
        return self._propose(call, call.by, brand_id, actions, brands, text_hash, ground)

    def propose_as_member(
        self,
        call: Call,
        member: str,
        brand_id: int,
        actions: Sequence[Action],
        text_hash: str,
        nonce: int,
        deadline: int,
        signature: Signature,
        ground: Ground,
    ) -> int:
        """A member with enough points proposes, by signature; the proposal's id."""
        self.nonces.check(call, member, nonce, deadline, signature)
        self.registry.brand_of(brand_id)
        token = self.tokens[brand_id]
        threshold = -(-token.total_supply(call.at) * self.voting.terms.threshold_bps // BPS)
        points = token.balance_of(member, call.at)
        if points == 0 or points < threshold:
            raise BelowThreshold(points, threshold)
        brands = self._electorate(brand_id, actions)

        self.nonces.spend(member, nonce)
        return self._propose(call, member, brand_id, actions, brands, text_hash, ground)

    def veto(self, call: Call, proposal_id: int, brand_id: int) -> None:
        """A guardian of the electorate, or with brand 0 Moa's, stops it for ever."""
        proposal = self.snapshots.proposal(proposal_id)
        if brand_id:
            proposal.check_asked(brand_id)
        role = role_of(brand_id, Kind.GUARDIAN) if brand_id else MOA_GUARDIAN
        self.announcements.check(call, role, undelayed=True)
        self._check_not(proposal, call.at, {State.EXECUTED, State.VETOED})

        proposal.vetoed = True
        self._say("ProposalVetoed", proposal_id, brand_id)

    # --- votes

    def cast_voice(self, call: Call, proposal_id: int, brand_id: int, choice: int) -> None:
        """A brand's one voice."""
        proposal = self.snapshots.proposal(proposal_id)
        proposal.check_asked(brand_id)
        use = self.announcements.check(call, role_of(brand_id, Kind.OWNER))
        if proposal.vetoed or call.at >= proposal.voted_until:
            raise VotingClosed(proposal_id, brand_id, proposal.voted_until, call.at)
        if choice > Choice.ABSTAIN:
            raise ChoiceInvalid(choice)
        if brand_id in proposal.voices:
            raise VoiceUsed(proposal_id, brand_id)

        use()
        proposal.voices[brand_id] = Choice(choice)
        self._say("VoiceCast", proposal_id, brand_id, choice)

    def cast_vote(self, call: Call, proposal_id: int, brand_id: int, ballot: Ballot) -> None:
        """One member's vote."""
        proposal, house, posted = self._open_house(call, proposal_id, brand_id)
        if (brand_id, ballot.chunk, ballot.position) in proposal.voted:
            raise VoteUsed(proposal_id, brand_id, chunks.account_of(ballot.leaf))
        self._check_ballot(call, posted, ballot)

        self._count(proposal, brand_id, house, ballot)

    def cast_votes(self, call: Call, proposal_id: int, brand_id: int, ballots: Sequence[Ballot]) -> int:
        """Many of one brand; what has counted is passed over, anything else wrong refuses all; how many counted."""
        proposal, house, posted = self._open_house(call, proposal_id, brand_id)
        if not 1 <= len(ballots) <= BATCH_VOTES_MAX:
            raise BatchSizeWrong(len(ballots), BATCH_VOTES_MAX)
        new: dict[tuple[int, int, int], Ballot] = {}
        for ballot in ballots:
            place = brand_id, ballot.chunk, ballot.position
            if place not in proposal.voted and place not in new:
                self._check_ballot(call, posted, ballot)
                new[place] = ballot
        if not new:
            raise VoteUsed(proposal_id, brand_id, chunks.account_of(ballots[0].leaf))

        for ballot in new.values():
            self._count(proposal, brand_id, house, ballot)
        return len(new)

    # --- the outcome

    def queue(self, call: Call, proposal_id: int, actions: Sequence[Action]) -> int:
        """Hands an agreed proposal to the timelock; from when on it is executed."""
        proposal = self.snapshots.proposal(proposal_id)
        proposal.check_actions(actions)
        if call.at < proposal.voted_until and not proposal.vetoed:
            raise VotingRunning(proposal.voted_until, call.at)
        self._check_only(proposal, call.at, State.AGREED)

        proposal.ready_at = call.at + self.voting.terms.delay_s
        self._say("ProposalQueued", proposal_id, proposal.ready_at)
        return proposal.ready_at

    def check_execution(self, call: Call, proposal_id: int, actions: Sequence[Action]) -> None:
        """Refuses what the timelock does not call now."""
        proposal = self.snapshots.proposal(proposal_id)
        proposal.check_actions(actions)
        self._check_only(proposal, call.at, State.QUEUED)
        if call.at < proposal.ready_at:
            raise TimelockUnexpectedOperationState(operation_id(actions, proposal_id), READY)

    def executed(self, proposal_id: int) -> None:
        """The calls are made; `Ledger.execute` makes them, all or none."""
        self.snapshots.proposal(proposal_id).executed = True
        self._say("ProposalExecuted", proposal_id)

    def set_programme_text(self, call: Call, text_hash: str) -> None:
        """The hash of the programme's text, by a vote alone."""
        if call.by != self.voting.timelock:
            raise TimelockOnly(call.by)

        self.text_hash = text_hash
        self.text_version += 1
        self._say("ProgrammeTextChanged", self.text_version, text_hash)

    # --- inside

    def _electorate(self, brand_id: int, actions: Sequence[Action]) -> tuple[int, ...]:
        brands = electorate_of(actions, self.voting.decides, self._brands_of)
        count = len(self.registry.brands)
        if not brands and count > BRANDS_MAX:
            raise ElectorateTooLarge(count, BRANDS_MAX)
        if brands and brand_id not in brands:
            raise BrandNotAsked(0, brand_id)
        return brands

    def _brands_of(self, names: Names, number: int) -> tuple[int, ...]:
        if names is Names.TEXT:
            return ()
        if names is Names.BRAND:
            self.registry.brand_of(number)
            return (number,)
        agreement = self.agreements.agreement(number)
        return agreement.from_brand_id, agreement.to_brand_id

    def _propose(
        self,
        call: Call,
        proposer: str,
        brand_id: int,
        actions: Sequence[Action],
        brands: tuple[int, ...],
        text_hash: str,
        ground: Ground,
    ) -> int:
        terms = self.voting.terms
        asked = brands or self.registry.brands
        proposal = Proposal(
            number=len(self.snapshots.proposals) + 1,
            actions_hash=hash_of_actions(actions),
            text_hash=text_hash,
            ground=ground,
            prepared_until=call.at + terms.preparation_s,
            voted_until=call.at + terms.preparation_s + terms.voting_s,
            brands=brands,
            brand_count=len(self.registry.brands),
            weights={each: self._weights(each, ground.time) for each in asked},
            supplies={each: self.tokens[each].total_supply(ground.time) for each in asked},
        )
        self.snapshots.proposals.append(proposal)
        told = [(each.target, "0x" + each.data.hex()) for each in actions]
        self._say("ProposalMade", proposal.number, proposer, brand_id, told, proposal.shown(State.OPEN))
        return proposal.number

    def _weights(self, brand_id: int, at: int) -> dict[str, int]:
        token = self.tokens[brand_id]
        balances = {account: token.balance_of(account, at) for account in token.accounts}
        return {account: points for account, points in balances.items() if points}

    def _check_not(self, proposal: Proposal, at: int, states: set[State]) -> None:
        state = proposal.state(at, self.voting.terms.quorum_bps)
        if state in states:
            raise ProposalStateWrong(proposal.number, state)

    def _check_only(self, proposal: Proposal, at: int, state: State) -> None:
        self._check_not(proposal, at, set(State) - {state})

    def _open_house(self, call: Call, proposal_id: int, brand_id: int) -> tuple[Proposal, House, Posted]:
        proposal = self.snapshots.proposal(proposal_id)
        proposal.check_asked(brand_id)
        poster = self.snapshots.adopted.get((proposal_id, brand_id))
        if proposal.vetoed or call.at >= proposal.voted_until or poster is None:
            raise VotingClosed(proposal_id, brand_id, proposal.voted_until, call.at)
        return proposal, proposal.houses[brand_id], self.snapshots.list_of(proposal_id, brand_id, poster)

    def _check_ballot(self, call: Call, posted: Posted, ballot: Ballot) -> None:
        self.snapshots.check_place(posted, ballot.chunk, ballot.position, ballot.leaf, ballot.siblings)
        if ballot.choice > Choice.ABSTAIN:
            raise ChoiceInvalid(ballot.choice)
        member = chunks.account_of(ballot.leaf)
        if member not in (call.by, ballot.signature):
            raise SignatureInvalid(member)

    def _count(self, proposal: Proposal, brand_id: int, house: House, ballot: Ballot) -> None:
        points = chunks.points_of(ballot.leaf)
        proposal.voted.add((brand_id, ballot.chunk, ballot.position))
        house.said[Choice(ballot.choice)] += points
        place = ballot.chunk * chunks.CHUNK_LEAVES + ballot.position
        member = chunks.account_of(ballot.leaf)
        self._say("VoteCast", proposal.number, brand_id, member, place, ballot.choice, points)

    def _say(self, name: str, *values: object) -> None:
        self.journal.say(GOVERNOR, name, *values)
