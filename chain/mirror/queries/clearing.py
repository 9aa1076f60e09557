"""What brands owe each other, not yet netted, and what secures it; in units of the settlement token."""

from typing import Final, NamedTuple

from chain.base.scalars import BaseUnitsText, RegistryIdText
from chain.storage.looks import Look

_OBLIGATIONS: Final = (
    "SELECT debtor_id, creditor_id, outstanding, block_number FROM obligation ORDER BY debtor_id, creditor_id LIMIT ?"
)
_COLLATERAL: Final = "SELECT brand_id, collateral, in_default FROM collateral ORDER BY brand_id LIMIT ?"


class Obligation(NamedTuple):
    """What one brand owes another since the block of the last event that changed it."""

    debtor_id: RegistryIdText
    creditor_id: RegistryIdText
    outstanding: BaseUnitsText
    block_number: int


class Collateral(NamedTuple):
    """What a brand has laid down, and whether it is in default."""

    brand_id: RegistryIdText
    collateral: BaseUnitsText
    in_default: bool


def obligations(look: Look, *, limit: int) -> list[Obligation]:
    """By debtor and creditor."""
    return [Obligation(*row) for row in look.rows(_OBLIGATIONS, limit)]


def collateral(look: Look, *, limit: int) -> list[Collateral]:
    """By brand."""
    return [Collateral(brand, amount, bool(default)) for brand, amount, default in look.rows(_COLLATERAL, limit)]
