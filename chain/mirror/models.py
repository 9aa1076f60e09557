"""The mirror's tables. They can be dropped and rebuilt from the chain, to the same bytes."""

from typing import Any, Final

from sqlalchemy import BigInteger, Column, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from chain.contracts.lots import EMPTY
from chain.storage.columns import SERIAL, big, document, serial


class MirrorCheckpoint(SQLModel, table=True):
    """One row (id 1): how far the mirror is. State: backfilling, live, stopped."""

    __tablename__ = "mirror_checkpoint"
    id: int = Field(primary_key=True)
    # Decimal text; none in a database of before it was kept, until the mirror starts.
    chain_id: str | None = None
    genesis_hash: str
    start_block: int = big()
    block_number: int = big()
    block_hash: str
    block_time: int = big()
    head_number: int = big()
    safe_number: int = big()
    final_number: int = big()
    # Which numbering the entries have: another one each time that the mirror begins anew.
    generation: str = Field(default="0", sa_column_kwargs={"server_default": "0"})
    # The first block of which the history is still there whole.
    history_from: int = big(default=0, sa_column_kwargs={"server_default": "0"})
    state: str
    reason: str | None = None
    updated_at_ms: int = big()


class MirrorBlock(SQLModel, table=True):
    """Every block since the deployment; a block's parent is the row before it."""

    __tablename__ = "mirror_block"
    __table_args__ = (Index("mirror_block_time", "time", "number"),)
    number: int = Field(sa_column=Column(SERIAL, primary_key=True, autoincrement=False))
    hash: str
    time: int = big()


class MirrorReorg(SQLModel, table=True):
    """Each rollback that happened; a stream that sees a new one reads again."""

    __tablename__ = "mirror_reorg"
    __table_args__ = ({"sqlite_autoincrement": True},)
    id: int | None = serial()
    common_number: int = big()
    head_number: int = big()
    depth: int
    entries_removed: int
    at_ms: int = big()


class LedgerEvent(SQLModel, table=True):
    """Every log of our contracts, decoded; the ground everything else here is rebuilt from."""

    __tablename__ = "ledger_event"
    __table_args__ = (Index("ledger_event_contract_name", "contract", "name"),)
    block_number: int = Field(sa_type=BigInteger, primary_key=True)
    log_index: int = Field(sa_type=BigInteger, primary_key=True)
    block_hash: str
    tx_hash: str
    tx_index: int = big()
    address: str
    contract: str
    name: str
    args: dict[str, Any] = document(nullable=False)


class Entry(SQLModel, table=True):
    """One line of an account's history. `points` is signed; `held` what moved into or out of a hold, signed."""

    __tablename__ = "entry"
    __table_args__ = (
        UniqueConstraint("block_number", "log_index", "token", "account"),
        Index("entry_account_seq", "account", "seq"),
        Index("entry_token_seq", "token", "seq"),
        Index("entry_tx_hash", "tx_hash"),
        {"sqlite_autoincrement": True},
    )
    seq: int | None = serial()
    token: str
    account: str
    kind: str
    points: str
    held: str
    # None: nothing but time made it; then log_index is below 0 (chain.mirror.rows.projection).
    tx_hash: str | None = None
    block_number: int = big()
    block_hash: str
    block_time: int = big()
    log_index: int = big()
    contract: str
    brand_id: str | None = None
    operation_id: str | None = None
    detail: dict[str, Any] = document(nullable=False)


class Balance(SQLModel, table=True):
    """What an account holds of a token: the packed lots of the last event that named it."""

    __tablename__ = "balance"
    __table_args__ = (Index("balance_account", "account"),)
    token: str = Field(primary_key=True)
    account: str = Field(primary_key=True)
    # The event's words as 64 hex digits each, joined; `points` is their sum, expired or not, decimal text.
    lots: str
    points: str
    block_number: int = big()
    log_index: int = big()


class LotEnd(SQLModel, table=True):
    """A lot that an account came to have points of, by the second at which it ends; see chain.mirror.rows.lot_ends."""

    __tablename__ = "lot_end"
    __table_args__ = ({"sqlite_with_rowid": False},)
    expires_at: int = Field(sa_type=BigInteger, primary_key=True)
    token: str = Field(primary_key=True)
    account: str = Field(primary_key=True)
    # The first block in which the account had any.
    block_number: int = big()


class BrandToken(SQLModel, table=True):
    """A brand's token with the terms that are fixed for ever."""

    __tablename__ = "brand_token"
    token: str = Field(primary_key=True)
    brand_id: str = Field(unique=True)
    name: str
    symbol: str
    decimals: int
    origin: int = big()
    epoch_s: int = big()
    lifetime_epochs: int
    grace_s: int = big()
    since_block: int = big()


class BrandStanding(SQLModel, table=True):
    """Whether a brand may issue. The row of brand 0 holds the switch for all in `moa_switch`.

    stopped_at: since when suspension or a switch has stopped it, in seconds; 0: none does. treasury: where collateral
    returns to, until next_treasury does from treasury_at on; 0: none was announced.
    """

    __tablename__ = "brand_standing"
    brand_id: str = Field(primary_key=True)
    status: str
    brand_switch: bool
    moa_switch: bool
    stopped_at: int = big()
    treasury: str
    next_treasury: str
    treasury_at: int = big()
    metadata_hash: str


class Debt(SQLModel, table=True):
    """Points that a member owes a brand: returned goods' points that were spent; 0 once they are paid."""

    __tablename__ = "debt"
    __table_args__ = (Index("debt_account", "account"),)
    token: str = Field(primary_key=True)
    account: str = Field(primary_key=True)
    points: str
    block_number: int = big()
    log_index: int = big()


class Supply(SQLModel, table=True):
    """Points ever minted and ever burnt of a token; what expired is in neither."""

    __tablename__ = "supply"
    token: str = Field(primary_key=True)
    minted: str
    burnt: str


# What is still set aside, by the second until which a till may capture it.
_OPEN_HOLD: Final = text("state = 'held'")


class Hold(SQLModel, table=True):
    """A hold as the desk remembers it. State: held, captured, released, timed_out, paid."""

    __tablename__ = "hold"
    __table_args__ = (
        Index("hold_account_state", "account", "state"),
        Index("hold_open_until", "hold_until", "hold_id", sqlite_where=_OPEN_HOLD, postgresql_where=_OPEN_HOLD),
    )
    hold_id: str = Field(primary_key=True)
    brand_id: str
    token: str
    account: str
    state: str
    points: str
    captured: str
    # Of what was captured, the points that still lived then and were burnt; the rest had expired (SPEC 3.6).
    burnt: str = Field(default="0", sa_column_kwargs={"server_default": "0"})
    refunded: str
    hold_until: int = big()
    # While held, what is set aside; afterwards what is captured and not refunded. As in `balance`.
    lots: str = Field(default=EMPTY, sa_column_kwargs={"server_default": EMPTY})
    reward_id: str
    placed_tx_hash: str
    placed_at: int = big()
    block_number: int = big()
    log_index: int = big()


class Obligation(SQLModel, table=True):
    """What one brand owes another, not yet netted, in units of the settlement token."""

    __tablename__ = "obligation"
    debtor_id: str = Field(primary_key=True)
    creditor_id: str = Field(primary_key=True)
    outstanding: str
    block_number: int = big()
    log_index: int = big()


class Collateral(SQLModel, table=True):
    """A brand's collateral in the clearing house."""

    __tablename__ = "collateral"
    brand_id: str = Field(primary_key=True)
    collateral: str
    in_default: bool


class Rule(SQLModel, table=True):
    """One version of a published rule; in force from `in_force_at` until the next version's."""

    __tablename__ = "rule"
    brand_id: str = Field(primary_key=True)
    rule_id: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    in_force_at: int = big()
    withdrawn: bool
    terms: dict[str, Any] = document(nullable=False)


class Agreement(SQLModel, table=True):
    """Exchange from one brand into another. State: proposed, agreed, ending. `versions` oldest first."""

    __tablename__ = "agreement"
    agreement_id: str = Field(primary_key=True)
    from_brand_id: str
    to_brand_id: str
    state: str
    proposed_by: str
    ends_at: int | None = big(default=None, nullable=True)
    # [{"version", "terms", "proposed_by", "in_force_at" (null while only proposed), "withdrawn"}]
    versions: list[dict[str, Any]] = document(nullable=False)


class SupplyLots(SQLModel, table=True):
    """Points of a token that lie in accounts, by the epoch in which they expire; decimal text."""

    __tablename__ = "supply_lots"
    token: str = Field(primary_key=True)
    expiry_epoch: int = Field(sa_type=BigInteger, primary_key=True)
    points: str


class BalanceVersion(SQLModel, table=True):
    """A balance as it was from the end of a block on, until its next version."""

    __tablename__ = "balance_version"
    __table_args__ = ({"sqlite_with_rowid": False},)
    token: str = Field(primary_key=True)
    account: str = Field(primary_key=True)
    block_number: int = Field(sa_type=BigInteger, primary_key=True)
    log_index: int = big()
    # The words without leading zeros, joined by dots; see chain.contracts.lots.shorten.
    lots: str


class LedgerVersion(SQLModel, table=True):
    """A row of another table that changes, as it was from the end of a block on, until its next version."""

    __tablename__ = "ledger_version"
    __table_args__ = (Index("ledger_version_block_number", "block_number"), {"sqlite_with_rowid": False})
    relation: str = Field(primary_key=True)
    # The parts of the row's primary key, joined by slashes.
    key: str = Field(primary_key=True)
    block_number: int = Field(sa_type=BigInteger, primary_key=True)
    row: dict[str, Any] = document(nullable=False)


# The tables that a rebuild empties, in an order that needs no foreign keys.
MIRROR_TABLES: Final[tuple[type[SQLModel], ...]] = (
    MirrorCheckpoint,
    MirrorBlock,
    LedgerEvent,
    Entry,
    Balance,
    LotEnd,
    BrandToken,
    BrandStanding,
    Supply,
    Debt,
    Hold,
    Obligation,
    Collateral,
    Rule,
    Agreement,
    SupplyLots,
    BalanceVersion,
    LedgerVersion,
)
