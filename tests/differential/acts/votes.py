"""Acts on votes: proposals, lists true and false, contradictions, votes, voices, vetoes, outcomes; at times wrongly."""

from dataclasses import dataclass, field
from typing import Any

from chain.contracts import snapshots
from chain.contracts.snapshots import Snapshot
from chain.model import chunks
from chain.model.agreements import AgreementState
from chain.model.governor import Ballot, Governor
from chain.model.proposals import Action, Proposal, State, hash_of_actions
from chain.proofs import layout
from tests.differential.acts.standing import StandingActs
from tests.differential.chooser import Made
from tests.differential.steps import TOKEN, Proven, Signed, Step, plain
from tests.differential.world import HOUR, TIMELOCK, agreement, rule

GOVERNOR = "ProgrammeGovernor"
TEXT = "0x" + "7e" * 32
POSTERS = ("stranger", "slow1", "slow2", "slow3")
VOTED_ON = (1, 2, 3)


@dataclass
class VoteActs(StandingActs):
    """What is proposed and by whom it is decided."""

    deeds: dict[bytes, Step] = field(default_factory=dict)
    proposed: list[list[Action]] = field(default_factory=list)

    @property
    def governor(self) -> Governor:
        """The model's governor."""
        assert self.world.ledger.governor is not None
        return self.world.ledger.governor

    # --- proposals

    def action(self, contract: str, function: str, *values: Any) -> Action:
        """One call, and what it does to the books."""
        data = self.world.chain.codec.calldata(contract, function, *plain(values))
        by = self.world.chain.addresses[TIMELOCK]
        self.deeds[data] = Step(contract, function, values, by)
        return Action(self.world.chain.addresses[contract], data)

    def text(self) -> Action:
        """The programme's text."""
        return self.action(GOVERNOR, "setProgrammeText", self.some([TEXT, "0x" + "7f" * 32]))

    def of_brand(self, brand_id: int) -> Action:
        """A rule's change, or an award out of its budget; the rule or the brand is at times not there."""
        if self.bad(0.05):
            brand_id = 77
        if self.bad(0.5):
            item = self.item(min(brand_id, 4))
            return self.action("RewardRules", "award", brand_id, item)
        rules = len(self.world.ledger.rules.rules.get(brand_id, [None]))
        terms = rule(self.rng.randint(1, 9), budget=0 if self.bad(0.2) else 2**56 - 1)
        return self.action("RewardRules", "announceChange", brand_id, self.rng.randint(1, rules + self.bad(0.1)), terms)

    def of_agreement(self) -> Action:
        """An agreement's change, proposed or accepted; at times of one that is not there."""
        agreements = self.world.ledger.agreements.agreements
        number = 99 if self.bad(0.05) else self.rng.randint(1, len(agreements))
        each = agreements[number - 1] if number <= len(agreements) else None
        if each is not None and each.state == AgreementState.AGREED and each.change and self.bad(0.8):
            return self.action("PartnerExchange", "acceptChange", number, each.change.terms.hash())
        terms = agreement(self.rng.randint(1, 9), 7, 10, exposure_cap=10**6)
        by = each.from_brand_id if each is not None else 1
        return self.action("PartnerExchange", "proposeChange", number, by, terms)

    def actions(self) -> list[Action]:
        """What a proposal holds: mostly of one brand or two; at times what no vote decides on."""
        rules, owner = self.world.chain.addresses["RewardRules"], self.world.cast["owner1"]
        brand_id = self.some(list(VOTED_ON))
        if self.bad(0.25):
            return self.some(
                [
                    [],
                    [self.text()] * 9,
                    [self.of_brand(1), self.of_brand(2), self.of_brand(3)],
                    [self.text(), self.of_brand(1)],
                    [self.of_brand(2), self.of_agreement()],
                    [Action(rules, b"")],
                    [Action(rules, self.of_brand(1).data[:30])],
                    [Action(owner, self.of_brand(1).data)],
                    [self.action("RewardRules", "withdrawChange", 1, 1)],
                ]
            )
        return self.some(
            [
                [self.text()],
                [self.of_brand(brand_id)],
                [self.of_brand(brand_id), self.of_brand(brand_id)],
                [self.of_brand(1), self.of_brand(2)],
                [self.of_agreement()],
            ]
        )

    def propose(self) -> Made:
        """A brand proposes."""
        actions, brand_id = self.actions(), self.some(list(VOTED_ON))
        self.offer(actions)
        return GOVERNOR, "proposeAsBrand", (brand_id, actions, TEXT), self.staff("owner", brand_id)

    def propose_as_member(self) -> Made:
        """A member proposes, by signature."""
        actions, brand_id = self.actions(), 66 if self.bad(0.04) else self.some(list(VOTED_ON))
        self.offer(actions)
        member = self.owner_of_points(min(brand_id, 4))
        values = member, brand_id, actions, TEXT, self.nonce(), self.deadline(), self.signed(member)
        return GOVERNOR, "proposeAsMember", values, self.caller(member)

    def cancel_nonce(self) -> Made:
        """A member withdraws a nonce."""
        return GOVERNOR, "cancelAuthorisation", (self.nonce(),), self.payer()

    def offer(self, actions: list[Action]) -> None:
        """Remembers actions, so that an outcome brings the same."""
        self.proposed.append(actions)

    def choose(self, *states: State) -> int:
        """A late proposal in one of these states; at times any, or one that is not there."""
        proposals = self.governor.snapshots.proposals
        if not proposals or self.bad(0.03):
            return int(self.some([0, len(proposals) + 1]))
        quorum = self.governor.voting.terms.quorum_bps
        fitting = [each.number for each in proposals if each.state(self.at, quorum) in states]
        return int(self.some(fitting[-4:] if fitting and not self.bad(0.06) else [each.number for each in proposals]))

    def proposal(self, number: int) -> Proposal | None:
        """The proposal, if it is there."""
        proposals = self.governor.snapshots.proposals
        return proposals[number - 1] if 1 <= number <= len(proposals) else None

    def asked(self, number: int) -> int:
        """A brand of a proposal's electorate; at times another."""
        proposal = self.proposal(number)
        if proposal is None or self.bad(0.04):
            return int(self.some([0, 1, 4, 9]))
        return int(self.some(list(proposal.electorate)))

    def veto(self) -> Made:
        """A guardian stops a proposal."""
        number = self.choose(State.OPEN, State.AGREED, State.QUEUED)
        brand_id = 0 if self.bad(0.3) else self.asked(number)
        by = self.staff("guardian", brand_id) if 1 <= brand_id <= 4 else self.moa("guardian")
        return GOVERNOR, "veto", (number, brand_id), by

    # --- lists

    def listed(self, number: int, brand_id: int) -> list[int]:
        """The leaves of a list: mostly the true ones."""
        proposal = self.proposal(number)
        weights = dict(proposal.weights.get(brand_id, {})) if proposal is not None else {self.member(): 5}
        leaves = list(Snapshot.of(weights).leaves)
        if not leaves or not self.bad(0.35):
            return leaves
        place = self.rng.randrange(len(leaves))
        many = [chunks.leaf(f"0x{account:040x}", 1) for account in range(1, chunks.CHUNK_LEAVES + 1)]
        return self.some(
            [
                [*leaves[:place], leaves[place] + 1, *leaves[place + 1 :]],
                [*leaves[:place], *leaves[place + 1 :]],
                [*leaves[:place], leaves[place] >> 96 << 96, *leaves[place + 1 :]],
                [leaves[place] + 2**60, *leaves[place + 1 :]],
                leaves[::-1],
                [*leaves, leaves[-1]],
                many,
                [*many, *leaves],
                [1],
            ]
        )

    def post(self) -> Made:
        """Somebody posts a list, or the next of it."""
        number = self.choose(State.OPEN)
        brand_id = self.asked(number)
        leaves = self.listed(number, brand_id)
        complete = len(leaves) % chunks.CHUNK_LEAVES != 0 and not self.bad(0.05)
        return "Snapshots", "post", (number, brand_id, leaves, complete), self.world.cast[self.some(list(POSTERS))]

    def posted(self) -> tuple[int, int, str, list[int]]:
        """A list that lies there, with its leaves; at times one that does not."""
        lists = self.governor.snapshots.posted
        fresh = [key for key, each in lists.items() if not each.contradicted and key[:2] not in self.adopted]
        if not lists or self.bad(0.03):
            return self.choose(State.OPEN), 1, self.world.cast["stranger"], []
        key = self.some(fresh[-6:] if fresh and not self.bad(0.1) else list(lists)[-9:])
        return *key, lists[key].leaves

    @property
    def adopted(self) -> dict[tuple[int, int], str]:
        """Whose lists count."""
        return self.governor.snapshots.adopted

    def adopt(self) -> Made:
        number, brand_id, poster, _ = self.posted()
        return "Snapshots", "adopt", (number, brand_id, poster), self.world.cast["stranger"]

    def contradict(self) -> Made:
        """A leaf or a sum is said to be wrong: mostly one that is."""
        number, brand_id, poster, leaves = self.posted()
        if not leaves or self.bad(0.4):
            proof = self.proof(number, brand_id, layout.supply())
            return "Snapshots", "contradictTotal", (number, brand_id, poster, proof), self.world.cast["stranger"]
        proposal = self.proposal(number)
        weights = proposal.weights.get(brand_id, {}) if proposal is not None else {}
        wrong = [
            place for place, leaf in enumerate(leaves) if weights.get(chunks.account_of(leaf)) != chunks.points_of(leaf)
        ]
        index = self.some(wrong) if wrong and not self.bad(0.2) else self.rng.randrange(len(leaves))
        place = self.place(leaves, index)
        proof = self.proof(number, brand_id, layout.lots(chunks.account_of(leaves[index])))
        values = number, brand_id, poster, *place, proof
        return "Snapshots", "contradictLeaf", values, self.world.cast["stranger"]

    def place(self, leaves: list[int], index: int) -> tuple[int, int, int, list[bytes]]:
        """Chunk, position, leaf and siblings of a list's leaf; at times something else."""
        snapshot = Snapshot(leaves)
        chunk, position = divmod(index, chunks.CHUNK_LEAVES)
        leaf, siblings = snapshot.leaf_at(chunk, position), snapshot.siblings(chunk, position)
        if self.bad(0.06):
            return self.some(
                [
                    (chunk, position ^ 1, leaf, siblings),
                    (chunk + 1, position, leaf, siblings),
                    (chunk, position + 256, leaf, siblings),
                    (chunk, position, leaf + 1, siblings),
                    (chunk, position, 0, siblings),
                    (2**200, 2**200, leaf, siblings),
                ]
            )
        return chunk, position, leaf, siblings

    def proof(self, number: int, brand_id: int, slots: tuple[int, ...]) -> Proven:
        """Words of the brand's token in the block before the proposal, as the node proves them; at times of another."""
        proposal, chain = self.proposal(number), self.world.chain
        token = chain.addresses.get(f"{TOKEN} {brand_id}", chain.addresses[f"{TOKEN} 1"])
        honest = proposal is not None and not self.bad(0.05)
        at = proposal.ground.number if honest and proposal is not None else 1
        block = chain.rpc.call("eth_getBlockByNumber", hex(at), False)
        answer = chain.rpc.call("eth_getProof", token, [f"0x{slot:064x}" for slot in slots], hex(at))
        return Proven(snapshots.state_proof(block, answer), honest=honest)

    # --- votes

    def ballot(self, leaves: list[int]) -> Ballot:
        """A vote of one of a list; at times signed by another, or over another choice."""
        chunk, position, leaf, siblings = self.place(leaves, self.rng.randrange(len(leaves)))
        member = chunks.account_of(leaf)
        signer = member if member in self.world.cast.members and not self.bad(0.02) else self.member()
        choice = 3 if self.bad(0.02) else self.some([1, 1, 1, 1, 0, 2])
        signed = Signed(signer, honest=not self.bad(0.02))
        return Ballot(chunk, position, leaf, choice, siblings, signed)  # type: ignore[arg-type]

    def voting(self) -> tuple[int, int, list[int]]:
        """A proposal with the leaves of a list that counts; at times of one that does not."""
        quorum = self.governor.voting.terms.quorum_bps
        open_ = [
            key for key in self.adopted if self.governor.snapshots.proposal(key[0]).state(self.at, quorum) == State.OPEN
        ]
        if not open_ or self.bad(0.05):
            number, brand_id, _, leaves = self.posted()
            return number, brand_id, leaves or [1 << 96 | 1]
        number, brand_id = self.some(open_)
        return number, brand_id, self.governor.snapshots.posted[number, brand_id, self.adopted[number, brand_id]].leaves

    def vote(self) -> Made:
        number, brand_id, leaves = self.voting()
        ballot = self.ballot(leaves)
        member = chunks.account_of(ballot.leaf)
        by = self.caller(member) if member in self.world.cast.keys else self.world.cast["stranger"]
        return GOVERNOR, "castVote", (number, brand_id, ballot), by

    def votes(self) -> Made:
        number, brand_id, leaves = self.voting()
        size = int(self.some([0, 201])) if self.bad(0.02) else self.rng.randint(1, len(leaves[-9:]) + 1)
        ballots = [self.ballot(leaves)] * size if size > 99 else [self.ballot(leaves) for _ in range(size)]
        return GOVERNOR, "castVotes", (number, brand_id, ballots), self.world.cast["stranger"]

    def voice(self) -> Made:
        number = self.choose(State.OPEN)
        brand_id = self.asked(number)
        by = self.staff("owner", brand_id) if 1 <= brand_id <= 4 else self.world.cast["stranger"]
        choice = 3 if self.bad(0.03) else self.some([1, 1, 1, 1, 0, 2])
        return GOVERNOR, "castVoice", (number, brand_id, choice), by

    # --- outcomes

    def of(self, number: int) -> list[Action]:
        """The actions of a proposal; at times others."""
        proposal = self.proposal(number)
        for actions in self.proposed:
            if proposal is not None and hash_of_actions(actions) == proposal.actions_hash and not self.bad(0.04):
                return actions
        return [self.text()]

    def queue(self) -> Made:
        number = self.choose(State.AGREED)
        return GOVERNOR, "queue", (number, self.of(number)), self.world.cast["stranger"]

    def execute(self) -> Made:
        number = self.choose(State.QUEUED)
        return GOVERNOR, "execute", (number, self.of(number)), self.world.cast["stranger"]

    def set_text(self) -> Made:
        """The programme's text without a vote."""
        return GOVERNOR, "setProgrammeText", (TEXT,), self.staff("owner", 1)

    def edge_of_votes(self, now: int) -> int:
        """A second at which a proposal changes."""
        terms = self.governor.voting.terms
        edges = []
        for each in self.governor.snapshots.proposals[-8:]:
            edges += [each.prepared_until, each.voted_until, each.ready_at]
        for posted in list(self.governor.snapshots.posted.values())[-8:]:
            edges.append(posted.completed_at + terms.challenge_s)
        near = sorted({each for each in edges if each > now})
        return near[0] if near else now + HOUR // 2
