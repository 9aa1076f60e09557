"""The mirror keeps its history: versions instead of an undo log, and every block. It begins again from the chain."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql").with_variant(sa.JSON(none_as_null=True), "sqlite")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
# What went before has no history; all of it comes again from the chain, to the same rows.
EMPTIED = (
    "mirror_checkpoint",
    "ledger_event",
    "entry",
    "balance",
    "brand_token",
    "brand_standing",
    "supply",
    "hold",
    "obligation",
    "collateral",
    "rule",
    "agreement",
)


def upgrade() -> None:
    op.drop_table("mirror_undo")
    op.drop_table("mirror_block")
    for name in EMPTIED:
        op.execute(sa.text(f"DELETE FROM {name}"))  # noqa: S608  (names of this file)
    # The numbering starts again as well: an entry that comes again has the number it had.
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER SEQUENCE entry_seq_seq RESTART")
    else:
        op.execute("DELETE FROM sqlite_sequence WHERE name = 'entry'")
    op.create_table(
        "mirror_block",
        sa.Column("number", SERIAL, autoincrement=False, nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("mirror_block_time", "mirror_block", ["time", "number"])
    op.create_table(
        "supply_lots",
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("expiry_epoch", sa.BigInteger(), nullable=False),
        sa.Column("points", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("token", "expiry_epoch"),
    )
    op.create_table(
        "balance_version",
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.Column("lots", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("token", "account", "block_number"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "ledger_version",
        sa.Column("relation", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("row", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("relation", "key", "block_number"),
        sqlite_with_rowid=False,
    )
    op.create_index("ledger_version_block_number", "ledger_version", ["block_number"])
    op.add_column("mirror_checkpoint", sa.Column("history_from", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("heartbeat", sa.Column("progressed_at_ms", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """History is not taken apart again; the mirror can be rebuilt by whichever program runs."""
    raise NotImplementedError("Migrations only go forward; a backup holds what was before.")
