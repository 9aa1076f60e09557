"""Memos of purchases: salted fields, off the chain, that can be erased."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql").with_variant(sa.JSON(none_as_null=True), "sqlite")


def upgrade() -> None:
    op.create_table(
        "memo",
        sa.Column("operation", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("fields", DOCUMENT, nullable=False),
        sa.Column("erased_at_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("operation"),
    )
