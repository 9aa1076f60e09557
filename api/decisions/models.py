"""Tables of decisions: what facts were found to be worth."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, UniqueConstraint
from sqlmodel import Field, SQLModel


class Award(SQLModel, table=True):
    """What a fact was found to be worth: by which rule, on what base amount, as which operation of the ledger.

    The points are the operation's outcome: the chain makes them, and may take them back with a block. They are read
    from there (decisions.awards.outcome) and never copied.
    """

    __tablename__ = "award"
    __table_args__ = (UniqueConstraint("event", "activity"),)

    # The key by which SQLite keeps the rows: operations only grow, so that a batch is written at the table's end.
    operation: int = Field(
        sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False)
    )
    event: int = Field(sa_type=BigInteger, foreign_key="event.id")
    activity: str
    rule: int = Field(sa_type=BigInteger)
    base_amount: str
    decided_at_ms: int = Field(sa_type=BigInteger)


class GoodsReturn(SQLModel, table=True):
    """What a return of goods takes back of which award: `award` and `operation` are operations of the ledger.

    operation: none where the award was still locked: what came back was taken off before it was asked for.
    base_amount: what came back, decimal text; the points are the operation's outcome, and are read from there.
    """

    __tablename__ = "goods_return"

    event: int = Field(
        sa_column=Column(
            BigInteger().with_variant(Integer, "sqlite"), ForeignKey("event.id"), primary_key=True, autoincrement=False
        )
    )
    operation: int | None = Field(default=None, sa_type=BigInteger, unique=True)
    award: int = Field(sa_type=BigInteger, index=True)
    base_amount: str
    decided_at_ms: int = Field(sa_type=BigInteger)
