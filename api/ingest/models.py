"""The table of reported events."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BigInteger, Index, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from api.vault.labels import Label, personal
from chain.base.scalars import RegistryId
from chain.storage.columns import document, serial

WORDS: Final = "reported_event/words"
WORDS_LABEL: Final = Label(
    what="What you looked for, wrote or answered with a brand, and the pages on which you were.",
    why="So that the brand can answer you and show what concerns you.",
    ground="contract",
    kept="As long as you are a member.",
    sealed=True,
)


class ReportedEvent(SQLModel, table=True):
    """An event in the envelope of CloudEvents. (brand, source, external_id) counts once.

    Numbers of a brand are given under the brand's lock, which ends with the transaction: they appear in their order.
    """

    __tablename__ = "reported_event"
    __table_args__ = (
        UniqueConstraint("brand_id", "source", "external_id"),
        Index("reported_event_brand", "brand_id", "id"),
        Index("reported_event_type", "brand_id", "type", "id"),
        Index("reported_event_member", "member_id", "id"),
    )

    id: int | None = serial()
    brand_id: RegistryId = Field(sa_type=BigInteger)
    source: str = Field(max_length=256)
    type: str = Field(max_length=40)  # one of api.ingest.kinds
    external_id: str = Field(max_length=128)  # the source's own id of it
    member_id: str | None = Field(default=None, foreign_key="member.id")
    occurred_at_ms: int = Field(sa_type=BigInteger)
    received_at_ms: int = Field(sa_type=BigInteger)
    data: dict[str, Any] = document(nullable=False)  # nothing personal
    words: bytes | None = Field(
        default=None, sa_type=LargeBinary, nullable=True, sa_column_kwargs=personal(WORDS_LABEL)
    )
    # HMAC-SHA256 under a secret of the keystore: nobody guesses words by it.
    content_hash: str = Field(max_length=64)
    # What a purchase or a return asked of the ledger.
    operation: int | None = Field(default=None, sa_type=BigInteger, nullable=True)
