"""Which award a return of goods takes from; debts are found by account."""

import sqlalchemy as sa
from alembic import op

revision = "0020_goods_returns"
down_revision = "0019_due_operations"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "goods_return",
        sa.Column(
            "event",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.ForeignKey("event.id"),
            primary_key=True,
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("operation", sa.BigInteger(), nullable=True, unique=True),
        sa.Column("award", sa.BigInteger(), nullable=False),
        sa.Column("base_amount", sa.String(), nullable=False),
        sa.Column("decided_at_ms", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_goods_return_award", "goods_return", ["award"])
    op.create_index("debt_account", "debt", ["account"])


def downgrade() -> None:
    op.drop_index("debt_account", "debt")
    op.drop_table("goods_return")
