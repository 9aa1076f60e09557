"""Proposals for anyone, asked of the governor itself: state, both houses, and the lists with their challenge."""

from __future__ import annotations

from typing import Any

from api.kit.addresses import checksum
from api.kit.clock import rfc3339
from api.kit.container import State
from api.kit.problems import ContractRefused
from api.programmes.catalogue import Catalogue, Catalogues
from api.votes.schemas import PostedListPublic, ProposalList, ProposalPublic, ProposalTold, TallyPublic
from chain.contracts import proposals
from chain.contracts.proposals import Proposal


def page(state: State, *, before: int | None, limit: int) -> ProposalList:
    """The newest below `before`."""
    catalogue, reading = _catalogue(state), proposals.Reading(state.node.rpc, state.deployment)
    last = reading.count() if before is None else min(before - 1, reading.count())
    numbers = range(last, max(0, last - limit), -1)
    told = [ProposalPublic(**_plain(one, catalogue)) for one in reading.proposals(numbers)]
    more = bool(numbers) and numbers[-1] > 1
    return ProposalList(
        as_of_block=reading.block.number,
        as_of_hash=reading.block.hash,
        proposals=told,
        next_cursor=str(numbers[-1]) if more else None,
    )


def one(state: State, *, proposal: int) -> ProposalTold:
    """Raises ContractRefused with ProposalUnknown."""
    catalogue, reading = _catalogue(state), proposals.Reading(state.node.rpc, state.deployment)
    if proposal > reading.count():
        raise ContractRefused("ProposalUnknown", {"proposalId": str(proposal)})
    [found] = reading.proposals([proposal])
    tallies = reading.tallies(found)
    lists = reading.lists(found, tallies)
    return ProposalTold(
        **_plain(found, catalogue),
        tallies=[
            TallyPublic(
                brand=_slug(catalogue, each.brand),
                poster=None if each.poster is None else checksum(each.poster),
                total=str(each.total),
                points_for=str(each.points_for),
                points_against=str(each.points_against),
                points_abstaining=str(each.points_abstaining),
            )
            for each in tallies
        ],
        lists=[
            PostedListPublic(
                brand=_slug(catalogue, each.brand),
                poster=checksum(each.poster),
                accounts=each.accounts,
                total=str(each.total),
                challenge_until=None if each.challenge_until is None else rfc3339(1000 * each.challenge_until),
                contradicted=each.contradicted,
                adopted=each.adopted,
            )
            for each in lists
        ],
    )


def _plain(found: Proposal, catalogue: Catalogue) -> dict[str, Any]:
    return {
        "proposal": str(found.number),
        "state": found.state,
        "brands": [_slug(catalogue, each) for each in found.brands],
        "block_number": found.block_number,
        "actions_hash": found.actions_hash,
        "text_hash": found.text_hash,
        "prepared_until": rfc3339(1000 * found.prepared_until),
        "voted_until": rfc3339(1000 * found.voted_until),
        "voices_for": found.voices_for,
        "voices_against": found.voices_against,
        "brands_agree": found.brands_agree,
        "members_agree": found.members_agree,
    }


def _slug(catalogue: Catalogue, brand: int) -> str:
    """What the gateway calls it; its number as long as it has no name here."""
    card = catalogue.by_id.get(brand)
    return str(brand) if card is None else card.slug


def _catalogue(state: State) -> Catalogue:
    return state.database.reads(lambda read: state.singleton(Catalogues).newest(read))
