"""What a brand owes its members in points, by the second at which it ends, as of any block."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from chain.mirror import history
from chain.mirror.history import Lot, Moment
from chain.reports.errors import TokenUnknown


@dataclass(frozen=True, slots=True)
class Liability:
    """Points outstanding of one token, base units. outstanding = sum of buckets = totalSupply at that block.

    held: the part that lies with the redemption desk, waiting for a till. owed: by members, after returns; no part of
    what is outstanding.
    """

    token: str
    brand_id: int
    decimals: int
    moment: Moment
    outstanding: int
    held: int
    owed: int
    buckets: tuple[Lot, ...]


def token_of(connection: Connection, brand_id: int, block: int) -> dict[str, Any]:
    """The row of the brand's token as of a block. Raises TokenUnknown, HistoryNotAvailable."""
    for row in history.tokens(connection, block):
        if int(row["brand_id"]) == brand_id:
            return row
    raise TokenUnknown(brand_id, block)


def liability(connection: Connection, *, brand_id: int, desk: str, block: int) -> Liability:
    """The brand's points outstanding as of `block`. Raises TokenUnknown, HistoryNotAvailable."""
    token = token_of(connection, brand_id, block)
    supply = history.supply(connection, token["token"], block)
    return Liability(
        token=token["token"],
        brand_id=brand_id,
        decimals=int(token["decimals"]),
        moment=history.moment(connection, block),
        outstanding=supply.live,
        held=history.points_of(connection, token["token"], desk, block),
        owed=sum(int(debt["points"]) for debt in history.debts(connection, block, token["token"])),
        buckets=tuple(supply.by_expiry),
    )
