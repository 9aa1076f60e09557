"""The mirror says of which chain id it is: two chains may share a genesis. The worker writes it at its start."""

import sqlalchemy as sa
from alembic import op

revision = "0011_chain_id"
down_revision = "0010_session_end"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("mirror_checkpoint", sa.Column("chain_id", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("mirror_checkpoint", "chain_id")
