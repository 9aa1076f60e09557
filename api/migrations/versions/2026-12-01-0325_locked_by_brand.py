"""What is locked is found brand by brand."""

import sqlalchemy as sa
from alembic import op

revision = "0024_locked_by_brand"
down_revision = "0023_privacy"
branch_labels = None
depends_on = None

LOCKED = sa.text("state = 'locked'")
NAME, COLUMNS = "operation_locked_brand", ["bulk", "brand", "due_at_ms", "id"]


def upgrade() -> None:
    op.create_index(NAME, "operation", COLUMNS, sqlite_where=LOCKED, postgresql_where=LOCKED)


def downgrade() -> None:
    op.drop_index(NAME, "operation")
