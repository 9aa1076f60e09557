"""The order of a batch is that of the call that was signed; the column that should have said it was never written."""

import sqlalchemy as sa
from alembic import op

revision = "0009_batch_order"
down_revision = "0008_generation"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_column("operation", "item_index")


def downgrade() -> None:
    op.add_column("operation", sa.Column("item_index", sa.Integer(), nullable=True))
