"""Brands by the names that a command is given: the gateway's own, or those that the chain has the hash of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError
from sqlalchemy import Connection, inspect, select

from api.members.models import Brand
from api.members.schemas import BrandNames
from chain.contracts.deployment import Deployment
from chain.mirror import brands
from chain.mirror.brands import BRANDS_MAX
from chain.node.rpc import Rpc
from chain.storage.columns import table_of

ID_DIGITS_MAX = 18


@dataclass(frozen=True, slots=True)
class NamedBrand:
    """A brand of the registry; `slug` is its number where nobody named it."""

    id: int
    slug: str
    token: str


def of_gateway(connection: Connection) -> list[NamedBrand]:
    """The brands as a gateway's database calls them."""
    table = table_of(Brand)
    if not inspect(connection).has_table(table.name):
        # A mirror without a gateway.
        return []
    rows = connection.execute(
        select(table.c.registry_id, table.c.slug, table.c.token).order_by(table.c.registry_id).limit(BRANDS_MAX)
    )
    return [NamedBrand(*row) for row in rows]


def of_chain(rpc: Rpc, deployment: Deployment) -> list[NamedBrand]:
    """The brands as the chain has them, called as their public documents say, where these are at hand."""
    return [
        NamedBrand(one.id, _published(deployment, one.metadata_hash) or str(one.id), one.token)
        for one in brands.registered(rpc, deployment)
    ]


def find(known: Sequence[NamedBrand], name: str) -> int | None:
    """The registry's id of a brand that is called so, or has this number."""
    for brand in known:
        if name in (brand.slug, str(brand.id)):
            return brand.id
    return int(name) if name.isascii() and name.isdigit() and len(name) <= ID_DIGITS_MAX else None


def slug_of(known: Sequence[NamedBrand], brand_id: int) -> str:
    """The brand's name, or its number."""
    return next((brand.slug for brand in known if brand.id == brand_id), str(brand_id))


def _published(deployment: Deployment, metadata_hash: str) -> str | None:
    content = deployment.documents.read(metadata_hash)
    try:
        return None if content is None else BrandNames.model_validate_json(content).slug
    except ValidationError:
        return None
