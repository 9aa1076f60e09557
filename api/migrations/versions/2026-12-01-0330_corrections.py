"""Points by hand: who wanted them, for whom and why, who decided, and as which operation they were asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0025_corrections"
down_revision = "0024_locked_by_brand"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "correction",
        sa.Column("id", sa.String(length=40), primary_key=True),
        sa.Column("brand", sa.String(), sa.ForeignKey("brand.slug", onupdate="CASCADE"), nullable=False),
        sa.Column("reference", sa.String(length=128), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("member_id", sa.String(), sa.ForeignKey("member.id"), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("points", sa.String(), nullable=False),
        sa.Column("rule", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("asked_by", sa.String(length=32), nullable=False),
        sa.Column("decided_by", sa.String(length=32), nullable=True),
        sa.Column("operation_id", sa.String(), nullable=True),
        sa.Column("deadline", sa.BigInteger(), nullable=True),
        sa.Column("operation", sa.BigInteger(), nullable=True, unique=True),
        sa.Column("asked_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("decided_at_ms", sa.BigInteger(), nullable=True),
        sa.UniqueConstraint("brand", "reference"),
    )
    op.create_index("correction_brand", "correction", ["brand", "asked_at_ms", "id"])
    op.create_index("correction_member", "correction", ["member_id", "asked_at_ms", "id"])


def downgrade() -> None:
    op.drop_table("correction")
