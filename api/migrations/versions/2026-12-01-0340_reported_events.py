"""Events of every kind, each once by its source and id; a brand's ceiling for one purchase."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0026_reported_events"
down_revision = "0025_corrections"
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql").with_variant(sa.JSON(none_as_null=True), "sqlite")
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "reported_event",
        sa.Column("id", SERIAL, primary_key=True, autoincrement=True, nullable=False),
        sa.Column("brand_id", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(length=256), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("external_id", sa.String(length=128), nullable=False),
        sa.Column("member_id", sa.String(), sa.ForeignKey("member.id"), nullable=True),
        sa.Column("occurred_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("received_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("data", DOCUMENT, nullable=False),
        sa.Column("words", sa.LargeBinary(), nullable=True),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("operation", sa.BigInteger(), nullable=True),
        sa.UniqueConstraint("brand_id", "source", "external_id"),
    )
    op.create_index("reported_event_brand", "reported_event", ["brand_id", "id"])
    op.create_index("reported_event_type", "reported_event", ["brand_id", "type", "id"])
    op.create_index("reported_event_member", "reported_event", ["member_id", "id"])
    op.add_column("brand", sa.Column("purchase_ceiling", sa.String(length=16), nullable=True))


def downgrade() -> None:
    op.drop_column("brand", "purchase_ceiling")
    op.drop_table("reported_event")
