"""A member's live badges, asked of the contract itself: one call tells those of a brand (SPEC 17.9)."""

from __future__ import annotations

from api.badges.schemas import Badge, BadgeList
from api.kit.clock import rfc3339
from api.kit.container import State
from api.programmes.catalogue import Catalogues
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
