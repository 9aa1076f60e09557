"""The one view that feeds every surface, and the books, as they are on the wire. A surface renders only."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from api.events.schemas import EXAMPLE_HASH
from api.kit.amounts import Points
from api.kit.schemas import EXAMPLE_ADDRESS, EXAMPLE_MEMBER, EXAMPLE_TIME, ResponseModel
from api.programmes.schemas import RuleCited

Finality = Literal["latest", "safe", "final"]


class AsOf(ResponseModel):
    """As of which block an answer holds, how final that is and how old."""

    block_number: int = Field(examples=[1042])
    block_hash: str = Field(examples=[EXAMPLE_HASH])
    block_time: str = Field(examples=[EXAMPLE_TIME])
    finality: Finality = Field(examples=["latest"])
    age_s: float = Field(description="Seconds since the mirror last saw the chain's head.", examples=[0.2])
    reorganised: bool = Field(
        default=False,
        examples=[False],
        description="The chain took blocks back; this view is earlier than one shown before.",
    )


class EntryPlace(ResponseModel):
    """Where on the chain an entry is. What time alone brings (`expire`) has a block but no transaction and no log."""

    tx_hash: str | None = Field(examples=[EXAMPLE_HASH])
    block_number: int = Field(examples=[1042])
    block_hash: str = Field(examples=[EXAMPLE_HASH])
    log_index: int | None = Field(examples=[3])
    contract: str = Field(examples=[EXAMPLE_ADDRESS])


class BrandCard(ResponseModel):
    slug: str = Field(examples=["cdnow"])
    name: str = Field(examples=["CDNOW"])
    symbol: str = Field(examples=["CDN"])
    colour: str = Field(examples=["#3b5bdb"])
    decimals: int = Field(examples=[2])


class Lot(ResponseModel):
    """Points that expire together."""

    points: Points
    expires_at: str | None = Field(examples=[EXAMPLE_TIME])


class Unlocking(ResponseModel):
    """Locked points that become spendable together, by the rule in force now."""

    points: Points
    until: str = Field(examples=[EXAMPLE_TIME])


class Balance(ResponseModel):
    brand: BrandCard
    decimals: int = Field(examples=[2])
    spendable: Points
    held: Points = Field(examples=["0"])
    pending: Points = Field(description="Earned, on the way to the chain.", examples=["0"])
    reserved: Points = Field(
        description="Of what is spendable, promised already: holds and exchanges on the way to the chain.",
        examples=["0"],
    )
    expired: Points = Field(
        description="Ended since the view's block: no longer spendable; their entries come with the next block.",
        examples=["0"],
    )
    debt: Points = Field(
        description="Owed to the brand: points of goods that came back, spent by then. Later awards pay it first.",
        examples=["0"],
    )
    expiring: list[Lot] = Field(description="All spendable lots, the oldest first.")
    locked: Points = Field(
        description="Earned and on its way, not to be spent before its second: in no other figure here.", examples=["0"]
    )
    unlocking: list[Unlocking] = Field(description="What is locked, the soonest first, 50 seconds at most.")
    exchange_to: list[BrandCard] = Field(description="Brands with an agreement from this one.")
    token: str = Field(examples=[EXAMPLE_ADDRESS])


class MemberCard(ResponseModel):
    id: str = Field(examples=[EXAMPLE_MEMBER])
    address: str = Field(examples=[EXAMPLE_ADDRESS])
    name: str | None = Field(default=None, examples=[None])


class MemberView(ResponseModel):
    member: MemberCard
    as_of: AsOf
    balances: list[Balance]


class Entry(ResponseModel):
    """One line of a member's history, with its place on the chain."""

    id: str = Field(description="Grows along the history; also the stream's event id.", examples=["311"])
    brand: BrandCard
    kind: str = Field(
        description="award, return, debt_paid, hold, capture, release, timeout, refund, expire, exchange_out, …",
        examples=["award"],
    )
    points: Points = Field(description="Signed change of what is spendable.")
    held_delta: Points = Field(description="Signed change of what is held.", examples=["0"])
    decimals: int = Field(examples=[2])
    at: str = Field(examples=[EXAMPLE_TIME])
    state: Finality = Field(examples=["latest"])
    proof: EntryPlace
    operation_id: str | None = Field(default=None, examples=["17"])
    rule: RuleCited | None = None
    reference: str | None = Field(
        default=None, description="The brand's own id of the order, or of the return.", examples=["order-1"]
    )
    occurred_at: str | None = Field(
        default=None,
        description="When what was rewarded happened; `at` is when the chain had it.",
        examples=[EXAMPLE_TIME],
    )
    related: list[str] = Field(
        description="Entries of the same transaction, hold or award; each of them names this one.", examples=[["312"]]
    )
    detail: dict[str, Any] = Field(description="What else the chain's event said.", examples=[{}])


class EntryPage(ResponseModel):
    entries: list[Entry] = Field(description="The newest first.")
    next_cursor: str | None = Field(examples=[None])
    as_of: AsOf


class Check(ResponseModel):
    name: str = Field(examples=["log"])
    ok: bool = Field(examples=[True])
    detail: str = Field(default="", examples=[""])


class EntryProof(ResponseModel):
    """An entry looked up at the node now, past the mirror."""

    verified: bool = Field(examples=[True])
    checks: list[Check]
    receipt: EntryPlace
    confirmations: int = Field(examples=[12])


class BrandBooks(ResponseModel):
    """supply_in_mirror and held are of the block in `as_of`; the rest, where it is not null, of the block compared."""

    brand: str = Field(examples=["cdnow"])
    token: str = Field(examples=[EXAMPLE_ADDRESS])
    decimals: int = Field(examples=[2])
    supply_in_mirror: Points
    held: Points = Field(description="Of these, with the redemption desk.", examples=["0"])
    supply_on_chain: Points | None
    sum_on_chain: Points | None
    sum_in_mirror: Points | None
    drift: Points | None = Field(examples=["0"])


class Books(ResponseModel):
    """Do the books balance? What the mirror holds now, and the newest comparison with the chain itself, at one block.

    balanced, block_number, block_hash and compared_at are null while nothing was compared yet: that is neither balanced
    nor drifting. Asking begins a comparison when one is due.
    """

    as_of: AsOf
    balanced: bool | None = Field(examples=[True])
    block_number: int | None = Field(description="The block at which was compared.", examples=[1042])
    block_hash: str | None = Field(examples=[EXAMPLE_HASH])
    compared_at: str | None = Field(examples=[EXAMPLE_TIME])
    brands: list[BrandBooks]
