"""Which blocks' logs cannot be all there are, by what Moa's own events say of each other.

A node may leave out some of a block's logs and give the rest; no bloom shows that. But points never move in silence:
the token says what moved (Transfer) and what each account holds then (LotsChanged; for awards, LotNamed says the lot of
all), and the rules say why (Awarded).
A doubt proves nothing: the receipts of the block decide.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Final

from chain.contracts.codec import EventLog
from chain.contracts.named_lots import NAMED

ZERO: Final = "0x" + "00" * 20
POINTS: Final = "LoyaltyToken"
AWARDED: Final = "Awarded"
TRANSFER: Final = "Transfer"
LOTS_CHANGED: Final = "LotsChanged"
DEBT_CHANGED: Final = "DebtChanged"


def incomplete_blocks(logs: Iterable[EventLog], token_of: Mapping[str, str]) -> set[int]:
    """Numbers of the blocks in doubt. logs: in the order of the chain; token_of: token address by brand id."""
    found: set[int] = set()
    for (number, _), group in groupby(logs, key=lambda log: (log.block_number, log.tx_hash)):
        if number not in found and _gaps(list(group), token_of):
            found.add(number)
    return found


def _gaps(logs: Sequence[EventLog], token_of: Mapping[str, str]) -> bool:
    """Whether something is missing of one transaction."""
    moves = [log for log in logs if log.name == TRANSFER and log.args["value"] != "0"]
    told = Counter((log.address, log.args["account"]) for log in logs if log.name == LOTS_CHANGED)
    awards = Counter(
        (token_of.get(log.args["brandId"], ""), log.args["member"])
        for log in logs
        if log.name == AWARDED and log.args["points"] != "0"
    )
    if awards:
        # A batch of awards does nothing else: each mints once into the lot that is named for all, and what a debtor
        # pays is told with what it owes and holds then.
        minted = Counter((log.address, log.args["to"]) for log in moves if log.args["from"] == ZERO)
        named = sum(int(log.args["transfers"]) for log in logs if log.name == NAMED)
        paid = Counter((log.address, log.args["from"]) for log in moves if log.args["to"] == ZERO)
        debts = Counter((log.address, log.args["member"]) for log in logs if log.name == DEBT_CHANGED)
        return not (awards == minted and named == awards.total() and paid == debts == told)
    if all(log.contract == POINTS for log in logs) and any(ZERO in (log.args["from"], log.args["to"]) for log in moves):
        # Points come and go only with a reason, and reasons are events of Moa's other contracts.
        return True
    parties = {(log.address, log.args[side]) for log in moves for side in ("from", "to")}
    return {place for place in parties if place[1] != ZERO} != set(told)
