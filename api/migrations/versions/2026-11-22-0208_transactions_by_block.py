"""Transactions are found by their block: after a reorg, and when a receipt named a block that is gone."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("chain_transaction_block_number", "chain_transaction", ["block_number"])


def downgrade() -> None:
    op.drop_index("chain_transaction_block_number", "chain_transaction")
