"""What keeps operations in order is called its key: `lane` becomes `ordering_key`, and so does the index of it."""

import sqlalchemy as sa
from alembic import op

revision = "0015_ordering_key"
down_revision = "0014_facts"
branch_labels = None
depends_on = None

OPEN = "state IN ('queued', 'assigned', 'sent', 'mined')"


def upgrade() -> None:
    op.drop_index("operation_open_lane", "operation")
    # Both databases rename a column in place, and the other index follows it.
    op.execute("ALTER TABLE operation RENAME COLUMN lane TO ordering_key")
    _index("operation_open_ordering_key", "ordering_key")


def downgrade() -> None:
    op.drop_index("operation_open_ordering_key", "operation")
    op.execute("ALTER TABLE operation RENAME COLUMN ordering_key TO lane")
    _index("operation_open_lane", "lane")


def _index(name: str, column: str) -> None:
    op.create_index(name, "operation", [column, "id"], sqlite_where=sa.text(OPEN), postgresql_where=sa.text(OPEN))
