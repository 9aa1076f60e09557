"""Ends of lots have entries, found by an index of their own; holds are found by their deadline. The mirror begins again
from the chain: what went before has no such entries."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012_time"
down_revision = "0011_chain_id"
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql").with_variant(sa.JSON(none_as_null=True), "sqlite")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OPEN_HOLD = sa.text("state = 'held'")
EMPTIED = (
    "mirror_checkpoint",
    "mirror_block",
    "ledger_event",
    "balance",
    "brand_token",
    "brand_standing",
    "supply",
    "hold",
    "obligation",
    "collateral",
    "rule",
    "agreement",
    "supply_lots",
    "balance_version",
    "ledger_version",
)


def upgrade() -> None:
    for name in EMPTIED:
        op.execute(sa.text(f"DELETE FROM {name}"))  # noqa: S608  (names of this file)
    # Made anew, because its transaction may be missing from now on.
    op.drop_table("entry")
    op.create_table(
        "entry",
        sa.Column("seq", SERIAL, autoincrement=True, nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("points", sa.String(), nullable=False),
        sa.Column("held", sa.String(), nullable=False),
        sa.Column("tx_hash", sa.String(), nullable=True),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.String(), nullable=False),
        sa.Column("block_time", sa.BigInteger(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.Column("contract", sa.String(), nullable=False),
        sa.Column("brand_id", sa.String(), nullable=True),
        sa.Column("operation_id", sa.String(), nullable=True),
        sa.Column("detail", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("block_number", "log_index", "token", "account"),
        sqlite_autoincrement=True,
    )
    op.create_index("entry_account_seq", "entry", ["account", "seq"])
    op.create_index("entry_token_seq", "entry", ["token", "seq"])
    op.create_index("entry_tx_hash", "entry", ["tx_hash"])
    op.create_table(
        "lot_end",
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("expires_at", "token", "account"),
        sqlite_with_rowid=False,
    )
    op.add_column("hold", sa.Column("burnt", sa.String(), nullable=False, server_default="0"))
    op.create_index(
        "hold_open_until",
        "hold",
        ["hold_until", "hold_id"],
        sqlite_where=OPEN_HOLD,
        postgresql_where=OPEN_HOLD,
    )


def downgrade() -> None:
    """The mirror can be rebuilt by whichever program runs."""
    raise NotImplementedError("Migrations only go forward; a backup holds what was before.")
