"""What facts are worth: for each kind the activity whose rule rewards it, and the base amount that the rule counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from api.events.errors import CurrencyWrong, PurchaseAboveCeiling
from api.events.kinds import PURCHASE, Data
from api.kit.problems import Problem
from api.members.models import Brand
from chain.base.scalars import BaseUnits


def _nothing(data: Data, brand: Brand) -> Problem | None:
    return None


@dataclass(frozen=True)
class Mapping:
    """How a kind of fact becomes an award. refusal: why a fact of this kind counts nothing with the brand; beyond: why
    it is too much, which one that was taken before it was too much is not told."""

    activity: str
    base_amount: Callable[[Data], BaseUnits]
    refusal: Callable[[Data, Brand], Problem | None] = _nothing
    beyond: Callable[[Data, Brand], Problem | None] = _nothing


def _in_its_currency(data: Data, brand: Brand) -> Problem | None:
    if data["currency"] == brand.currency:
        return None
    return CurrencyWrong(f"{brand.slug} counts in {brand.currency}.", currency=data["currency"], wanted=brand.currency)


def _below_ceiling(data: Data, brand: Brand) -> Problem | None:
    if brand.purchase_ceiling is None or int(data["amount"]) <= int(brand.purchase_ceiling):
        return None
    return PurchaseAboveCeiling(
        f"{brand.slug} takes at most {brand.purchase_ceiling} {brand.currency} base units in one purchase.",
        amount=data["amount"],
        ceiling=brand.purchase_ceiling,
        currency=brand.currency,
    )


def _amount(data: Data) -> BaseUnits:
    return BaseUnits(int(data["amount"]))


MAPPINGS: Final[dict[str, Mapping]] = {PURCHASE.name: Mapping("purchase", _amount, _in_its_currency, _below_ceiling)}
