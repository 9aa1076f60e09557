"""Which lot each mint of a batch went to: LotNamed says it once for the Transfers from 0 that follow (SPEC 2.16).

Whoever reads stored events must read LotNamed, Transfer and LotsChanged in their order; `NAMES` are those.
"""

from collections.abc import Mapping
from typing import Any, Final

ZERO: Final = "0x" + "00" * 20
NAMED: Final = "LotNamed"
TRANSFER: Final = "Transfer"
LOTS_CHANGED: Final = "LotsChanged"
NAMES: Final = (NAMED, TRANSFER, LOTS_CHANGED)


class NamedLots:
    """Follows one transaction's events, or many in their order: a batch's mints all come before anything else."""

    def __init__(self) -> None:
        self._lots: dict[str, tuple[int, int]] = {}

    def follow(self, token: str, name: str, args: Mapping[str, Any]) -> int | None:
        """The expiry epoch of the lot that this very event mints into; None when it is no such event."""
        if name == NAMED:
            self._lots[token] = int(args["expiryEpoch"]), int(args["transfers"])
        if name != TRANSFER or args["from"] != ZERO:
            return None
        expiry, left = self._lots.get(token, (0, 0))
        if not left:
            return None
        self._lots[token] = expiry, left - 1
        return expiry


def account_of(name: str, args: Mapping[str, Any]) -> str | None:
    """Whose lots an event may change by itself: what LotsChanged names, and the receiver of a mint."""
    if name == LOTS_CHANGED:
        account: str = args["account"]
        return account
    if name == TRANSFER and args["from"] == ZERO:
        receiver: str = args["to"]
        return receiver
    return None
