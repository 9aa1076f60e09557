"""The queue is read by brand and by who waits; what was refused may be sent again, and stays known."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007_queue"
down_revision = "0006"
branch_labels = None
depends_on = None

PARTIAL = {
    "operation_queued_person": (["brand", "id"], "state = 'queued' AND bulk = 0"),
    "operation_queued_lines": (["brand", "id"], "state = 'queued' AND bulk = 1"),
    "operation_open_lane": (["lane", "id"], "state IN ('queued', 'assigned', 'sent', 'mined')"),
    "operation_queued_single": (["lane", "id"], "state = 'queued' AND kind <> 'award'"),
    "operation_refused": (["brand", "id"], "state IN ('failed', 'waiting')"),
    "operation_waiting": (["retry_at_ms", "id"], "state = 'waiting'"),
}
AWARDS = "state IN ('queued', 'assigned', 'sent', 'mined') AND kind = 'award'"
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("operation", sa.Column("bulk", sa.SmallInteger(), nullable=False, server_default="0"))
    op.add_column("operation", sa.Column("retry_until_ms", sa.BigInteger(), nullable=True))
    op.add_column("operation", sa.Column("retry_at_ms", sa.BigInteger(), nullable=True))
    op.add_column("operation", sa.Column("refusals", sa.Integer(), nullable=False, server_default="0"))
    # The awards alone; now every operation that is open.
    op.drop_index("operation_open_lane", "operation")
    for name, (columns, where) in PARTIAL.items():
        op.create_index(name, "operation", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
    op.create_table(
        "operation_refusal",
        sa.Column("operation", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("payload", DOCUMENT, nullable=False),
        sa.Column("fact", DOCUMENT, nullable=True),
        sa.Column("operation_id", sa.String(), nullable=True),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("error_args", DOCUMENT, nullable=True),
        sa.Column("transaction_id", sa.BigInteger(), nullable=True),
        sa.Column("tx_hash", sa.String(), nullable=True),
        sa.Column("block_number", sa.BigInteger(), nullable=True),
        sa.Column("block_hash", sa.String(), nullable=True),
        sa.Column("log_index", sa.BigInteger(), nullable=True),
        sa.Column("refused_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("again_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("operation", "number"),
    )
    op.create_index("operation_refusal_transaction_id", "operation_refusal", ["transaction_id"])


def downgrade() -> None:
    op.drop_table("operation_refusal")
    for name in PARTIAL:
        op.drop_index(name, "operation")
    op.create_index(
        "operation_open_lane", "operation", ["lane"], sqlite_where=sa.text(AWARDS), postgresql_where=sa.text(AWARDS)
    )
    for column in ("refusals", "retry_at_ms", "retry_until_ms", "bulk"):
        op.drop_column("operation", column)
