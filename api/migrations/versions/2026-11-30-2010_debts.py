"""What members owe after returns."""

import sqlalchemy as sa
from alembic import op

revision = "0018_debts"
down_revision = "0017_treasuries"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "debt",
        sa.Column("token", sa.String(), primary_key=True, nullable=False),
        sa.Column("account", sa.String(), primary_key=True, nullable=False),
        sa.Column("points", sa.String(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("debt")
