"""Brands by the name that operations call them: those of the deployment, and those invited after it."""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, select

from chain.contracts.deployment import Brand, Deployment
from chain.mirror.models import BrandStanding, BrandToken
from chain.storage.columns import table_of

tokens = table_of(BrandToken)
standings = table_of(BrandStanding)
# The row that holds the switch for all brands (chain.mirror.models.BrandStanding).
ALL_BRANDS = "0"


def resolve(connection: Connection, deployment: Deployment, names: Iterable[str]) -> dict[str, Brand]:
    """Each known brand by its name; unknown ones are left out.

    A brand invited after the deployment goes by its number in the registry (Deployment.slug) and is known from the
    moment the mirror has its invitation.
    """
    wanted = set(names)
    found = {name: deployment.brands[name] for name in wanted if name in deployment.brands}
    numbers = [name for name in wanted - found.keys() if name.isascii() and name.isdigit()]
    if numbers:
        rows = connection.execute(select(tokens.c.brand_id, tokens.c.token).where(tokens.c.brand_id.in_(numbers)))
        found |= {number: Brand(slug=number, id=int(number), token=token, rules={}) for number, token in rows}
    return found


def paused(connection: Connection, known: Mapping[str, Brand]) -> list[str]:
    """Those of the brands that the mirror knows as suspended or stopped by a switch."""
    if not known:
        return []
    wanted = [ALL_BRANDS, *(str(brand.id) for brand in known.values())]
    rows = connection.execute(
        select(standings.c.brand_id, standings.c.status, standings.c.brand_switch, standings.c.moa_switch).where(
            standings.c.brand_id.in_(wanted)
        )
    ).all()
    all_stopped = any(row.brand_id == ALL_BRANDS and row.moa_switch for row in rows)
    stopped = {row.brand_id for row in rows if row.status == "suspended" or row.brand_switch or row.moa_switch}
    return [name for name, brand in known.items() if all_stopped or str(brand.id) in stopped]
