"""How the loops are, in rows."""

from sqlmodel import Field, SQLModel

from chain.storage.columns import big


class Heartbeat(SQLModel, table=True):
    """Each loop's last sign of life, when it last got on with its work, and what it waits for."""

    __tablename__ = "heartbeat"
    name: str = Field(primary_key=True)
    state: str
    detail: str
    at_ms: int = big()
    progressed_at_ms: int | None = big(default=None, nullable=True)
