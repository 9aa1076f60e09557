"""A vote: its place in the adopted list, the member's signature over it, and its operation."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session

from api.auth.callers import MemberCaller
from api.kit.clock import now_ms
from api.kit.container import State
from api.members import service as identity
from api.members.errors import BrandUnknown
from api.points.operations import told_operation_of
from api.programmes.catalogue import BrandCard, read_catalogue
from api.votes.errors import VoterNotListed, VoteUsed, VotingClosed
from api.votes.lists import Lists
from api.votes.schemas import VoteCast, VotePublic
from api.writes.backlog import refuse_full
from chain.contracts import authorisation, votes
from chain.contracts.authorisation import Domain
from chain.model import chunks
from chain.outbox import calls, operations


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the member stands in the list, what leads from there to its root, and the domain that is signed for."""

    card: BrandCard
    chunk: int
    position: int
    leaf: int
    siblings: tuple[bytes, ...]
    domain: Domain


def placed(state: State, *, caller: MemberCaller, wanted: VoteCast) -> Placed:
    """Refuses at once what the contract would refuse."""
    catalogue = state.database.reads(lambda read: read_catalogue(read, at_ms=now_ms()))
    card = catalogue.by_slug.get(wanted.brand)
    if card is None:
        raise BrandUnknown(f"No brand is called {wanted.brand}.", brand=wanted.brand)
    proposal = int(wanted.proposal)
    ground = votes.ground(state.node.rpc, state.deployment, proposal=proposal, brand=card.registry_id)
    if ground.poster is None or not ground.open:
        raise VotingClosed("The members of this brand do not vote now.", until=str(ground.voted_until))
    found = state.singleton(Lists).of(state, card, proposal, ground)
    try:
        chunk, position = found.place_of(caller.address)
    except KeyError:
        raise VoterNotListed(f"In block {ground.block_number} you had no points of {card.slug}.") from None
    place = chunk, position
    if votes.has_voted(state.node.rpc, state.deployment, proposal=proposal, brand=card.registry_id, place=place):
        raise VoteUsed("Your vote has counted already.")
    leaf, siblings = found.leaf_at(chunk, position), found.siblings(chunk, position)
    return Placed(card, chunk, position, leaf, tuple(siblings), state.node.domain(votes.GOVERNOR))


def cast(session: Session, *, state: State, caller: MemberCaller, wanted: VoteCast, place: Placed) -> VotePublic:
    """Signs the vote by the member's key and asks for it, once a proposal and brand: another choice is refused."""
    brand = place.card.registry_id
    refuse_full(session, state.settings, brand=brand)
    values = {
        "proposalId": int(wanted.proposal),
        "member": caller.address,
        "choice": votes.CHOICES.index(wanted.choice),
    }
    digest = authorisation.digest(place.domain, "Vote", values)
    signature = state.keystore.sign(identity.member_ref(caller.member_id), digest)
    ballot = {
        "chunk": str(place.chunk),
        "position": str(place.position),
        "leaf": str(place.leaf),
        "choice": str(values["choice"]),
        "siblings": ["0x" + each.hex() for each in place.siblings],
        "signature": "0x" + signature.hex(),
    }
    asked = calls.votes(
        key=calls.vote_key(wanted.proposal, brand, caller.address),
        brand=brand,
        proposal_id=int(wanted.proposal),
        ballots=[ballot],
    )
    known = operations.get_by_key(session.connection(), asked.key)
    if known is not None and known.payload != asked.payload:
        raise VoteUsed("You have voted already; a vote cannot be changed.")
    operation = operations.enqueue(session.connection(), asked)
    return VotePublic(
        proposal=wanted.proposal,
        brand=wanted.brand,
        choice=wanted.choice,
        points=str(chunks.points_of(place.leaf)),
        operation=told_operation_of(session, operation),
    )
