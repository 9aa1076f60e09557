"""Brands by the name that operations call them: those of the deployment, and those invited after it."""

from collections.abc import Iterable

from sqlalchemy import Connection, select

from chain.contracts.deployment import Brand, Deployment
from chain.mirror.models import BrandToken
from chain.storage.columns import table_of

tokens = table_of(BrandToken)


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
