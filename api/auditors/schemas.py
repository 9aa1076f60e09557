"""The ledger as an auditor reads it: addresses, never members; amounts are strings of base units."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from api.events.schemas import EXAMPLE_HASH
from api.kit.amounts import Points
from api.kit.schemas import EXAMPLE_ADDRESS, EXAMPLE_TIME, ResponseModel
from api.views.schemas import AsOf

DECIMALS = Field(description="The settlement token's; null while the node has not been asked.", examples=[18])
CURSOR = Field(description="Give it as `cursor` for the page after; none: this was the last.", examples=["200"])


class AuditBrand(ResponseModel):
    slug: str = Field(examples=["cdnow"])
    name: str = Field(examples=["CDNOW"])
    brand_id: str = Field(examples=["1"])
    token: str = Field(examples=[EXAMPLE_ADDRESS])
    currency: str = Field(examples=["USD"])
    decimals: int = Field(examples=[2])
    status: str | None = Field(examples=["active"])
    minted: Points = Field(description="Points ever minted.")
    burnt: Points = Field(description="Points ever burnt; what expired is in neither.", examples=["0"])


class AuditBrands(ResponseModel):
    brands: list[AuditBrand]
    as_of: AsOf


class AuditBalance(ResponseModel):
    brand: str = Field(examples=["cdnow"])
    account: str = Field(examples=[EXAMPLE_ADDRESS])
    points: Points = Field(description="The sum of the lots, expired or not.")
    lots: str = Field(description="The packed words of the last event, 64 hex digits each.", examples=["0" * 256])
    block_number: int = Field(examples=[1042])
    log_index: int = Field(examples=[3])


class AuditBalances(ResponseModel):
    balances: list[AuditBalance]
    next_cursor: str | None = CURSOR
    as_of: AsOf


class AuditEntry(ResponseModel):
    id: str = Field(examples=["311"])
    brand: str | None = Field(examples=["cdnow"])
    token: str = Field(examples=[EXAMPLE_ADDRESS])
    account: str = Field(examples=[EXAMPLE_ADDRESS])
    kind: str = Field(examples=["award"])
    points: str = Field(description="Signed.", examples=["4399"])
    held_delta: str = Field(examples=["0"])
    at: str = Field(examples=[EXAMPLE_TIME])
    tx_hash: str | None = Field(description="null: time alone brought it.", examples=[EXAMPLE_HASH])
    block_number: int = Field(examples=[1042])
    block_hash: str = Field(examples=[EXAMPLE_HASH])
    log_index: int | None = Field(description="null: time alone brought it.", examples=[3])
    contract: str = Field(examples=[EXAMPLE_ADDRESS])
    operation_id: str | None = Field(description="The id that the contract counted.", examples=["17"])
    detail: dict[str, Any] = Field(examples=[{"rule": "1", "version": "1", "base_amount": "2933"}])


class AuditEntries(ResponseModel):
    entries: list[AuditEntry]
    next_cursor: str | None = CURSOR
    as_of: AsOf


class AuditRule(ResponseModel):
    brand: str | None = Field(examples=["cdnow"])
    brand_id: str = Field(examples=["1"])
    rule_id: str = Field(examples=["1"])
    version: int = Field(examples=[1])
    in_force_at: str = Field(examples=[EXAMPLE_TIME])
    withdrawn: bool = Field(examples=[False])
    terms: dict[str, Any] = Field(examples=[{"numerator": "3", "denominator": "2"}])


class AuditRules(ResponseModel):
    rules: list[AuditRule]


class AuditAgreement(ResponseModel):
    agreement_id: str = Field(examples=["1"])
    from_brand_id: str = Field(examples=["1"])
    to_brand_id: str = Field(examples=["2"])
    state: str = Field(examples=["agreed"])
    ends_at: str | None = Field(examples=[None])
    versions: list[dict[str, Any]] = Field(examples=[[{"version": 1}]])


class AuditAgreements(ResponseModel):
    agreements: list[AuditAgreement]


class AuditObligation(ResponseModel):
    debtor_id: str = Field(examples=["1"])
    creditor_id: str = Field(examples=["2"])
    outstanding: str = Field(description="Units of the settlement token.", examples=["120000"])
    decimals: int | None = DECIMALS
    block_number: int = Field(examples=[1042])


class AuditCollateral(ResponseModel):
    brand_id: str = Field(examples=["1"])
    collateral: str = Field(examples=["5000000"])
    decimals: int | None = DECIMALS
    in_default: bool = Field(examples=[False])


class AuditClearing(ResponseModel):
    obligations: list[AuditObligation]
    collateral: list[AuditCollateral]
    as_of: AsOf


class AuditHold(ResponseModel):
    hold_id: str = Field(examples=[EXAMPLE_HASH])
    brand: str | None = Field(examples=["cdnow"])
    account: str = Field(examples=[EXAMPLE_ADDRESS])
    state: str = Field(examples=["held"])
    points: Points
    captured: Points = Field(examples=["0"])
    refunded: Points = Field(examples=["0"])
    hold_until: str = Field(examples=[EXAMPLE_TIME])
    placed_tx_hash: str = Field(examples=[EXAMPLE_HASH])
    block_number: int = Field(examples=[1042])


class AuditHolds(ResponseModel):
    holds: list[AuditHold]
    next_cursor: str | None = CURSOR
    as_of: AsOf


class AuditOperation(ResponseModel):
    """An operation without what was asked in it: that names orders and members."""

    id: str = Field(examples=["17"])
    kind: str = Field(examples=["award"])
    brand: str = Field(examples=["cdnow"])
    operation_id: str | None = Field(examples=["17"])
    state: str = Field(examples=["confirmed"])
    error: str | None = Field(examples=[None])
    tx_hash: str | None = Field(examples=[EXAMPLE_HASH])
    block_number: int | None = Field(examples=[1042])
    log_index: int | None = Field(examples=[3])
    created_at: str = Field(examples=[EXAMPLE_TIME])
    updated_at: str = Field(examples=[EXAMPLE_TIME])


class AuditOperations(ResponseModel):
    operations: list[AuditOperation]
    next_cursor: str | None = CURSOR


class AuditKey(ResponseModel):
    id: str = Field(examples=["5f0c2a9b7d31"])
    role: str = Field(examples=["brand"])
    brand: str | None = Field(examples=["cdnow"])
    created_at: str = Field(examples=[EXAMPLE_TIME])
    revoked_at: str | None = Field(examples=[None])


class AuditKeys(ResponseModel):
    keys: list[AuditKey]
    next_cursor: str | None = CURSOR
