"""A member's live badges, asked of the contract itself: one call tells those of a brand (SPEC 17.9)."""

from __future__ import annotations

from api.badges.schemas import Badge, BadgeDefinition, BadgeDefinitionList, BadgeList
from api.kit.clock import rfc3339
from api.kit.container import State
from api.members.errors import BrandUnknown
from api.programmes.catalogue import BrandCard, Catalogues
from chain.base.scalars import Address, RegistryId
from chain.contracts import badges


def held(state: State, *, member: Address, only: RegistryId | None = None) -> BadgeList:
    """At all brands, or at one."""
    catalogue = state.database.reads(lambda read: state.singleton(Catalogues).newest(read))
    brands = [RegistryId(each) for each in sorted(catalogue.by_id) if only in (None, each)]
    found = badges.held(state.node.rpc, state.deployment, brands=brands, member=member)
    told = [
        Badge(
            brand=catalogue.by_id[one.brand].slug,
            definition=str(one.definition),
            kind=one.kind,
            level=one.level,
            given_at=rfc3339(1000 * one.given_at),
            valid_until=None if one.valid_until is None else rfc3339(1000 * one.valid_until),
            metadata_hash=one.metadata_hash,
            token_id=str(one.token_id),
        )
        for one in found.badges
    ]
    return BadgeList(block_number=found.block_number, block_hash=found.block_hash, badges=told)


def defined(state: State, *, slug: str, after: int, limit: int) -> BadgeDefinitionList:
    """A page of a brand's definitions, by their numbers."""
    card = _card(state, slug)
    found = badges.defined(state.node.rpc, state.deployment, brand=card.registry_id, after=after, limit=limit)
    told = [
        BadgeDefinition(
            definition=str(one.number),
            kind=one.kind,
            level=one.level,
            giver=one.giver,
            withdrawable=one.withdrawable,
            limit=str(one.limit),
            given=str(one.given),
            end=str(one.end),
            valid_s=str(one.valid_s) if one.valid_s else None,
            metadata_hash=one.metadata_hash,
        )
        for one in found.definitions
    ]
    following = told[-1].definition if told and found.more else None
    return BadgeDefinitionList(
        block_number=found.block_number, block_hash=found.block_hash, definitions=told, next_cursor=following
    )


def held_at(state: State, *, slug: str, account: Address) -> BadgeList:
    """An account's live badges at a brand: what the chain tells anyone."""
    return held(state, member=account, only=_card(state, slug).registry_id)


def _card(state: State, slug: str) -> BrandCard:
    card = state.database.reads(lambda read: state.singleton(Catalogues).newest(read)).by_slug.get(slug)
    if card is None:
        raise BrandUnknown(f"No brand is called {slug}.", brand=slug)
    return card
