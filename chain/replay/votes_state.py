"""What a replay keeps of votes, in values that JSON can hold."""

from dataclasses import dataclass

from chain.model.proposals import Action, Choice, Ground, House, Proposal
from chain.replay.votes import StatedGovernor, StatedList


@dataclass(frozen=True, slots=True)
class ListState:
    """A posted list."""

    leaves: list[int]
    roots: list[str]
    completed_at: int
    contradicted: bool
    hidden: bool
    told: int


@dataclass(frozen=True, slots=True)
class ProposalState:
    """A proposal. houses: sum of the list and points by choice; actions: (target, data)."""

    actions_hash: str
    text_hash: str
    ground: Ground
    prepared_until: int
    voted_until: int
    brands: list[int]
    brand_count: int
    weights: dict[int, dict[str, int]]
    supplies: dict[int, int]
    voices: dict[int, Choice]
    houses: dict[int, tuple[int, dict[Choice, int]]]
    voted: set[tuple[int, int, int]]
    ready_at: int
    vetoed: bool
    executed: bool
    actions: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class VotesState:
    """The governor with its lists."""

    proposals: list[ProposalState]
    lists: dict[tuple[int, int, str], ListState]
    adopted: dict[tuple[int, int], str]
    used: set[tuple[str, int]]
    text_hash: str
    text_version: int


def votes_state(governor: StatedGovernor) -> VotesState:
    """All of it."""
    lists = {key: governor.list_of(*key) for key in governor.snapshots.posted}
    return VotesState(
        proposals=[_proposal_state(governor, each) for each in governor.snapshots.proposals],
        lists={
            key: ListState(
                leaves=each.leaves,
                roots=["0x" + root.hex() for root in each.roots],
                completed_at=each.completed_at,
                contradicted=each.contradicted,
                hidden=each.hidden,
                told=each.told,
            )
            for key, each in lists.items()
            if each.roots or each.contradicted
        },
        adopted=governor.snapshots.adopted,
        used=governor.nonces.used,
        text_hash=governor.text_hash,
        text_version=governor.text_version,
    )


def _proposal_state(governor: StatedGovernor, proposal: Proposal) -> ProposalState:
    return ProposalState(
        actions_hash=proposal.actions_hash,
        text_hash=proposal.text_hash,
        ground=proposal.ground,
        prepared_until=proposal.prepared_until,
        voted_until=proposal.voted_until,
        brands=list(proposal.brands),
        brand_count=proposal.brand_count,
        weights={brand_id: dict(weights) for brand_id, weights in proposal.weights.items()},
        supplies=dict(proposal.supplies),
        voices=proposal.voices,
        houses={brand_id: (house.total, house.said) for brand_id, house in proposal.houses.items()},
        voted=proposal.voted,
        ready_at=proposal.ready_at,
        vetoed=proposal.vetoed,
        executed=proposal.executed,
        actions=[(each.target, "0x" + each.data.hex()) for each in governor.actions.get(proposal.number, [])],
    )


def fill_votes(governor: StatedGovernor, state: VotesState) -> None:
    """Makes an empty governor this one."""
    for number, each in enumerate(state.proposals, 1):
        governor.snapshots.proposals.append(
            Proposal(
                number=number,
                actions_hash=each.actions_hash,
                text_hash=each.text_hash,
                ground=each.ground,
                prepared_until=each.prepared_until,
                voted_until=each.voted_until,
                brands=tuple(each.brands),
                brand_count=each.brand_count,
                weights=each.weights,
                supplies=each.supplies,
                voices=each.voices,
                houses={brand_id: House(total, said) for brand_id, (total, said) in each.houses.items()},
                voted=each.voted,
                ready_at=each.ready_at,
                vetoed=each.vetoed,
                executed=each.executed,
            )
        )
        governor.actions[number] = [Action(target, bytes.fromhex(data[2:])) for target, data in each.actions]
    for key, kept in state.lists.items():
        governor.snapshots.posted[key] = StatedList(
            leaves=kept.leaves,
            roots=[bytes.fromhex(root[2:]) for root in kept.roots],
            completed_at=kept.completed_at,
            contradicted=kept.contradicted,
            hidden=kept.hidden,
            told=kept.told,
        )
    governor.snapshots.adopted.update(state.adopted)
    governor.nonces.used = state.used
    governor.text_hash, governor.text_version = state.text_hash, state.text_version
