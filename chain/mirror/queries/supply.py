"""Points of each token: ever minted and burnt, and by the epoch in which they end."""

from typing import Final, NamedTuple

from chain.base.scalars import Address, BaseUnitsText
from chain.storage.looks import Look

_TOTALS: Final = "SELECT token, minted, burnt FROM supply ORDER BY token LIMIT ?"
_LOTS: Final = "SELECT token, expiry_epoch, points FROM supply_lots ORDER BY token, expiry_epoch LIMIT ?"


class Total(NamedTuple):
    """What expired is in neither."""

    token: Address
    minted: BaseUnitsText
    burnt: BaseUnitsText


class Lot(NamedTuple):
    """Points that lie in accounts and end with this epoch, expired or not."""

    token: Address
    expiry_epoch: int
    points: BaseUnitsText


def totals(look: Look, *, limit: int) -> dict[str, Total]:
    """By token."""
    return {total.token: total for total in (Total(*row) for row in look.rows(_TOTALS, limit))}


def by_expiry(look: Look, *, limit: int) -> list[Lot]:
    """By token and epoch."""
    return [Lot(*row) for row in look.rows(_LOTS, limit)]
