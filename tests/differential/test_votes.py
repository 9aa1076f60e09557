"""A vote on real nodes: the lists are rebuilt from the chain, contradicted by `eth_getProof`, and the rule changes."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from eth_account.messages import encode_typed_data

from chain.base.errors import Reverted
from chain.contracts import snapshots
from chain.contracts.snapshots import Snapshot
from chain.devnet.supervisor import Anvil, Ganache
from chain.model.access import Kind, role_of
from chain.model.rules import Item
from chain.node.rpc import Rpc, revert_data
from chain.proofs import layout
from tests.differential.chain_side import GAS
from tests.differential.steps import TOKEN, Step, plain
from tests.differential.world import TIMELOCK, VOTES, TwoSides, rule

pytestmark = pytest.mark.slow

GOVERNOR = "ProgrammeGovernor"
OF_LISTS = ("post", "contradictLeaf", "contradictTotal", "adopt", "chunkOf")
CHALLENGE_S, PREPARATION_S, VOTING_S, DELAY_S = VOTES[:4]
BRAND = 1


class Vote:
    """A brand's proposal on one node, and what people send to it."""

    def __init__(self, world: TwoSides):
        self.world, self.chain = world, world.chain
        self.stranger = world.cast["stranger"]

    def call(self, function: str, *values: Any, by: str = "", at: int = 0) -> int:
        """A call that goes through; its gas."""
        contract = "Snapshots" if function in OF_LISTS else GOVERNOR
        data = self.chain.codec.calldata(contract, function, *values)
        receipt = self.chain.send(by or self.stranger, self.chain.addresses[contract], data, at=at)
        assert receipt["status"] == "0x1", (function, self.refusal(function, *values, by=by))
        return int(receipt["gasUsed"], 16)

    def refusal(self, function: str, *values: Any, by: str = "") -> str:
        """The error's name of a call that is refused now, asked by eth_call: Ganache's traces take their time."""
        contract = "Snapshots" if function in OF_LISTS else GOVERNOR
        asked = {
            "from": by or self.stranger,
            "to": self.chain.addresses[contract],
            "data": "0x" + self.chain.codec.calldata(contract, function, *values).hex(),
            "gas": hex(GAS),
        }
        try:
            self.chain.rpc.call("eth_call", asked, "latest")
        except Reverted as error:
            return self.chain.refusal(revert_data(error.data) or b"")[0]
        return ""

    def read(self, function: str, *values: Any) -> Any:
        return self.chain.read("Snapshots" if function in OF_LISTS else GOVERNOR, function, *values)

    def proof(self, slots: tuple[int, ...]) -> tuple[bytes, list[bytes], list[list[bytes]]]:
        """Words of the brand's token in the block before the only proposal."""
        number = hex(self.read("proposalOf", 1)[3])
        token = self.chain.addresses[f"{TOKEN} {BRAND}"]
        block = self.chain.rpc.call("eth_getBlockByNumber", number, False)
        return snapshots.state_proof(
            block, self.chain.rpc.call("eth_getProof", token, [f"0x{slot:064x}" for slot in slots], number)
        )

    def ballot(self, snapshot: Snapshot, member: str, choice: int) -> tuple[Any, ...]:
        """A member's signed vote."""
        chunk, position = snapshot.place_of(member)
        kinds = [("uint256", "proposalId"), ("address", "member"), ("uint256", "choice")]
        typed = encode_typed_data(
            self.chain.domain(GOVERNOR),
            {"Vote": [{"type": kind, "name": name} for kind, name in kinds]},
            {"proposalId": 1, "member": member, "choice": choice},
        )
        signature = bytes(self.world.cast.signer(member).sign_message(typed).signature)
        leaf = snapshot.leaf_at(chunk, position)
        return chunk, position, leaf, choice, snapshot.siblings(chunk, position), signature


@pytest.fixture(params=[Anvil, Ganache])
def vote(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vote]:
    """A node with the contracts, and members with points."""
    with request.param(tmp_path_factory.mktemp("node")) as node, closing(Rpc(node.url)) as rpc:
        world = TwoSides(rpc, node.chain_id, anvil=isinstance(node, Anvil))
        for number, member in enumerate(world.cast.members, 1):
            item = Item(2**90 + number, 1, member, 1_000 * number)
            assert not world.do(Step("RewardRules", "award", (BRAND, item), world.cast[f"issuer{BRAND}"]))
        # Ann's first lot has ended when the vote begins; a second one lives.
        yield Vote(world)


def test_a_vote_from_the_list_to_the_changed_rule(vote: Vote) -> None:
    """SPEC 18.6, 18.9, 18.10, 18.11, 18.17"""
    world, owner = vote.world, vote.world.cast[f"owner{BRAND}"]
    token = world.ledger.tokens[BRAND]
    terms = rule(9)
    action = (
        world.chain.addresses["RewardRules"],
        world.chain.codec.calldata("RewardRules", "announceChange", BRAND, 1, plain(terms)),
    )
    for kind in (Kind.OWNER, Kind.ISSUER):
        grant = role_of(BRAND, kind), world.chain.addresses[TIMELOCK], 0
        assert not world.do(Step("Authority", "grantRole", grant, owner))
    before = world.at

    vote.call("proposeAsBrand", BRAND, [action], "0x" + "7e" * 32, by=owner)
    balances = {account: token.balance_of(account, before) for account in token.accounts}
    true = Snapshot.of(balances)
    ann, bob = world.cast.members[0], world.cast.members[1]
    # Who moves points afterwards changes no weight.
    assert not world.do(Step("RewardRules", "award", (BRAND, Item(2**91, 1, ann, 77)), world.cast[f"issuer{BRAND}"]))

    false = Snapshot.of({**balances, ann: balances[ann] + 1})
    fewer = Snapshot.of({**balances, bob: 0})
    liar, forgetful = world.cast["slow1"], world.cast["slow2"]
    vote.call("post", 1, BRAND, false.leaves, True, by=liar)
    vote.call("post", 1, BRAND, fewer.leaves, True, by=forgetful)
    vote.call("post", 1, BRAND, true.leaves, True)
    posted = vote.read("chunkOf", 1, BRAND, vote.stranger, 0)
    assert posted == "0x" + true.roots[0].hex()

    def contradiction(poster: str, snapshot: Snapshot, account: str) -> tuple[Any, ...]:
        chunk, position = snapshot.place_of(account)
        leaf, siblings = snapshot.leaf_at(chunk, position), snapshot.siblings(chunk, position)
        proof = vote.proof(layout.lots(account))
        return "contradictLeaf", 1, BRAND, poster, chunk, position, leaf, siblings, proof

    assert vote.refusal(*contradiction(liar, false, bob)) == "SnapshotTrue"
    print(f"contradictLeaf: {vote.call(*contradiction(liar, false, ann)):,} gas")
    assert vote.refusal(*contradiction(vote.stranger, true, ann)) == "SnapshotTrue"
    total = vote.proof(layout.supply())
    print(f"contradictTotal: {vote.call('contradictTotal', 1, BRAND, forgetful, total):,} gas")
    assert vote.refusal("contradictTotal", 1, BRAND, vote.stranger, total) == "SnapshotTrue"
    header, account, words = vote.proof(layout.lots(ann))
    forged = header, account, [words[1], words[0], *words[2:]]
    chunk, position = true.place_of(bob)
    place = 1, BRAND, vote.stranger, chunk, position, true.leaf_at(chunk, position), true.siblings(chunk, position)
    assert vote.refusal("contradictLeaf", *place, forged) in ("ProofInvalid", "RlpInvalid")
    assert vote.refusal("contradictLeaf", *place, (header[:-1] + b"\1", account, words)) == "HeaderInvalid"

    assert vote.refusal("adopt", 1, BRAND, liar) == "SnapshotClosed"
    assert vote.refusal("adopt", 1, BRAND, forgetful) == "SnapshotClosed"
    assert vote.refusal("adopt", 1, BRAND, vote.stranger) == "ChallengeRunning"
    vote.call("adopt", 1, BRAND, vote.stranger, at=world.at + CHALLENGE_S + 5)
    ballots = [vote.ballot(true, member, number % 3) for number, member in enumerate(world.cast.members)]
    vote.call("castVotes", 1, BRAND, [*ballots, ballots[0]])
    assert vote.refusal("castVote", 1, BRAND, ballots[1]) == "VoteUsed"
    _poster, sum_, yes, no, neither = vote.read("tallyOf", 1, BRAND)
    members = world.cast.members
    assert sum_ == sum(balances.values())
    assert [no, yes, neither] == [sum(balances[each] for each in members[choice::3]) for choice in range(3)]
    vote.call("castVoice", 1, BRAND, 1, by=owner)

    over = world.at + PREPARATION_S + VOTING_S
    assert yes > no
    vote.call("queue", 1, [action], at=over)
    vote.call("execute", 1, [action], at=over + DELAY_S + 60)
    assert vote.chain.read("RewardRules", "pendingOf", BRAND, 1)[0] == plain(terms)
