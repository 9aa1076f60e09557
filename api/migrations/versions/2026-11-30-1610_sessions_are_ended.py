"""A session can be ended before its time; when that was stays to be seen as long as the session does."""

import sqlalchemy as sa
from alembic import op

revision = "0010_session_end"
down_revision = "0009_batch_order"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("member_session", sa.Column("ended_at_ms", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("member_session", "ended_at_ms")
