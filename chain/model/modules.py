"""What only Moa's own contracts may call (chapters 1, 3, 5): anyone else is refused before anything is looked at."""

from typing import Final

from chain.model.call import Call
from chain.model.errors import ExchangeContractOnly, ExchangeOnly, ModuleOnly

ONLY: Final[dict[tuple[str, str], type[ModuleOnly] | type[ExchangeOnly] | type[ExchangeContractOnly]]] = {
    ("LoyaltyToken", "mint"): ModuleOnly,
    ("LoyaltyToken", "mintBatch"): ModuleOnly,
    ("LoyaltyToken", "mintLots"): ModuleOnly,
    ("LoyaltyToken", "takeBack"): ModuleOnly,
    ("LoyaltyToken", "burn"): ModuleOnly,
    ("LoyaltyToken", "setAside"): ModuleOnly,
    ("LoyaltyToken", "burnAside"): ModuleOnly,
    ("LoyaltyToken", "giveBack"): ModuleOnly,
    ("LoyaltyToken", "restore"): ModuleOnly,
    ("LoyaltyToken", "burnLatest"): ModuleOnly,
    ("LoyaltyToken", "initialise"): ModuleOnly,
    ("RedemptionDesk", "pay"): ExchangeOnly,
    ("ClearingHouse", "book"): ExchangeContractOnly,
    ("ClearingHouse", "unbook"): ExchangeContractOnly,
}


def refuse(call: Call, contract: str, function: str) -> None:
    """Refuses a person's call of such a function."""
    raise ONLY[contract, function](call.by)
