"""Reports on the wire: amounts are strings of base units, shares exact fractions."""

from __future__ import annotations

from pydantic import Field

from api.events.schemas import EXAMPLE_HASH
from api.kit.amounts import Points
from api.kit.schemas import EXAMPLE_ADDRESS, EXAMPLE_TIME, ResponseModel
from api.views.schemas import Finality

DECIMALS = Field(description="The settlement token's; null while the node has not been asked.", examples=[18])


class Then(ResponseModel):
    """The block at whose end an answer holds."""

    block_number: int = Field(examples=[1042])
    block_hash: str = Field(examples=[EXAMPLE_HASH])
    block_time: str = Field(examples=[EXAMPLE_TIME])
    finality: Finality = Field(examples=["final"])


class Bucket(ResponseModel):
    """Points that end together."""

    points: Points
    expires_at: str | None = Field(description="null: never", examples=[EXAMPLE_TIME])


class BalanceThen(ResponseModel):
    brand: str = Field(examples=["cdnow"])
    token: str = Field(examples=[EXAMPLE_ADDRESS])
    decimals: int = Field(examples=[2])
    points: Points
    debt: Points = Field(description="What was owed to the brand; no part of `points`.", examples=["0"])
    lots: list[Bucket]


class BalancesThen(ResponseModel):
    """What a member could spend, lot by lot, as of a block."""

    as_of: Then
    balances: list[BalanceThen]


class SupplyThen(ResponseModel):
    """minted - burnt - expired = live, the chain's totalSupply at that block."""

    brand: str = Field(examples=["cdnow"])
    token: str = Field(examples=[EXAMPLE_ADDRESS])
    decimals: int = Field(examples=[2])
    minted: Points
    burnt: Points
    expired: Points
    live: Points


class SuppliesThen(ResponseModel):
    as_of: Then
    supplies: list[SupplyThen]


class ObligationThen(ResponseModel):
    """In units of the settlement token."""

    debtor: str = Field(examples=["cdnow"])
    creditor: str = Field(examples=["hanok"])
    outstanding: Points
    decimals: int | None = DECIMALS


class ObligationsThen(ResponseModel):
    as_of: Then
    obligations: list[ObligationThen]


class LiabilityThen(ResponseModel):
    """Points outstanding of a brand, by the second at which they end."""

    as_of: Then
    brand: str = Field(examples=["cdnow"])
    token: str = Field(examples=[EXAMPLE_ADDRESS])
    decimals: int = Field(examples=[2])
    outstanding: Points
    held: Points = Field(description="Of these, with the redemption desk.")
    owed: Points = Field(description="By members, after returns; no part of what is outstanding.", examples=["0"])
    buckets: list[Bucket]


class CohortTold(ResponseModel):
    """Points that end together: what entered, and what is or was left of it."""

    expiry_epoch: int = Field(examples=[13])
    expires_at: int | None = Field(description="Unix seconds; null: never.", examples=[1_795_000_000])
    entered: Points
    renewed: Points = Field(description="Of these, given new life by grace: deferred in an earlier cohort.")
    renewed_of_burnt: Points = Field(description="Of the renewed, those that had been used and were given back.")
    taken_back: Points = Field(description="Burnt for goods that came back, or for a debt that these left.")
    outstanding: Points
    over: bool = Field(description="Whether they have expired.", examples=[False])


class SideTold(ResponseModel):
    """What the sums of one date were computed from."""

    expected_breakage: str = Field(description="The share never used.", examples=["1/20"])
    cohorts: list[CohortTold]


class MovementsTold(ResponseModel):
    """opening + what came - what left - expired = closing."""

    opening: Points
    awarded: Points
    exchanged_in: Points
    returned: Points
    renewed: Points
    minted_otherwise: Points
    redeemed: Points
    exchanged_out: Points
    unwound: Points
    taken_back: Points
    burnt_otherwise: Points
    expired: Points
    closing: Points


class MoneyTold(ResponseModel):
    """Minor units: opening + deferred + renewed - taken_back - used - breakage = closing. A line is negative where it
    was taken back. renewed: revenue taken back, because points that had expired or been used live once more by grace.
    taken_back: deferred for goods that came back, and never revenue."""

    opening: str = Field(examples=["108000"])
    deferred: str = Field(examples=["33000"])
    renewed: str = Field(examples=["0"])
    taken_back: str = Field(examples=["0"])
    used: str = Field(examples=["12000"])
    breakage: str = Field(examples=["600"])
    closing: str = Field(examples=["128400"])


class RollForward(ResponseModel):
    """The contract liability from one block to another, in points and in money, with every input."""

    brand: str = Field(examples=["cdnow"])
    price: str = Field(description="Minor units of money for a base unit of points.", examples=["3/10"])
    since: Then
    until: Then
    points: MovementsTold
    adds_up: bool = Field(examples=[True])
    money: MoneyTold
    opening: SideTold
    closing: SideTold
