"""Awards that are not sent before their second."""

import sqlalchemy as sa
from alembic import op

revision = "0019_due_operations"
down_revision = "0018_debts"
branch_labels = None
depends_on = None

LOCKED = sa.text("state = 'locked'")
INDEXES = {
    "operation_locked": ["due_at_ms", "id"],
    "operation_locked_ordering_key": ["ordering_key", "due_at_ms", "id"],
}


def upgrade() -> None:
    op.add_column("operation", sa.Column("due_at_ms", sa.BigInteger(), nullable=True))
    for name, columns in INDEXES.items():
        op.create_index(name, "operation", columns, sqlite_where=LOCKED, postgresql_where=LOCKED)


def downgrade() -> None:
    for name in INDEXES:
        op.drop_index(name, "operation")
    op.drop_column("operation", "due_at_ms")
