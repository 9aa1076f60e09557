"""Who is who: identifiers under members' keys, merges, guests' claims, devices with their families of tokens."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0021_who_is_who"
down_revision = "0020_goods_returns"
branch_labels = None
depends_on = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql").with_variant(sa.JSON(none_as_null=True), "sqlite")


def upgrade() -> None:
    op.add_column("brand", sa.Column("country", sa.String(length=2), nullable=True))
    op.add_column("member", sa.Column("survivor_id", sa.String(length=40), nullable=True))
    op.add_column("member", sa.Column("absorbed", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("member", sa.Column("proven_at_ms", sa.BigInteger(), nullable=True))
    op.add_column("member", sa.Column("strong_since_ms", sa.BigInteger(), nullable=True))
    op.add_column("member", sa.Column("erased_at_ms", sa.BigInteger(), nullable=True))
    op.create_index("ix_member_survivor_id", "member", ["survivor_id"])
    op.add_column("member_session", sa.Column("device_id", sa.String(length=16), nullable=True))
    op.create_index("ix_member_session_device_id", "member_session", ["device_id"])
    op.create_table(
        "device",
        sa.Column("id", sa.String(length=16), primary_key=True),
        sa.Column("member_id", sa.String(), sa.ForeignKey("member.id"), nullable=False),
        sa.Column("label", sa.LargeBinary(), nullable=True),
        sa.Column("means", sa.String(), nullable=False),
        sa.Column("strong", sa.Boolean(), nullable=False),
        sa.Column("made_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("ended_why", sa.String(), nullable=True),
    )
    op.create_index("ix_device_member_id", "device", ["member_id"])
    op.create_table(
        "refresh_token",
        sa.Column("id", sa.String(length=16), primary_key=True),
        sa.Column("device_id", sa.String(), sa.ForeignKey("device.id"), nullable=False),
        sa.Column("secret_hash", sa.String(), nullable=False),
        sa.Column("made_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("used_at_ms", sa.BigInteger(), nullable=True),
    )
    op.create_index("ix_refresh_token_device_id", "refresh_token", ["device_id"])
    op.create_table(
        "identifier_link",
        sa.Column("id", SERIAL, primary_key=True, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("scope", sa.String(length=20), nullable=False),
        sa.Column("lookup", sa.String(length=64), nullable=False),
        sa.Column("member_id", sa.String(), sa.ForeignKey("member.id"), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("first_seen_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at_ms", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("lookup", "scope"),
    )
    op.create_index("identifier_link_member", "identifier_link", ["member_id"])
    op.create_table(
        "member_merge",
        sa.Column("id", sa.String(length=40), primary_key=True),
        sa.Column("survivor_id", sa.String(), sa.ForeignKey("member.id"), nullable=False),
        sa.Column("absorbed_id", sa.String(), sa.ForeignKey("member.id"), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("why", DOCUMENT, nullable=False),
        sa.Column("made_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("undo_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("undone_at_ms", sa.BigInteger(), nullable=True),
    )
    op.create_index("member_merge_absorbed", "member_merge", ["absorbed_id"])
    op.create_index("member_merge_survivor", "member_merge", ["survivor_id"])
    op.create_table(
        "claim",
        sa.Column("id", sa.String(length=40), primary_key=True),
        sa.Column("brand", sa.String(), sa.ForeignKey("brand.slug", onupdate="CASCADE"), nullable=False),
        sa.Column("member_id", sa.String(), sa.ForeignKey("member.id"), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False, unique=True),
        sa.Column("made_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("claimed_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("claimed_by", sa.String(), sa.ForeignKey("member.id"), nullable=True),
        sa.Column("merge_id", sa.String(), sa.ForeignKey("member_merge.id"), nullable=True),
    )
    op.create_index("ix_claim_member_id", "claim", ["member_id"])
    op.create_table(
        "tried",
        sa.Column("name", sa.String(length=64), primary_key=True),
        sa.Column("window_ms", sa.BigInteger(), primary_key=True),
        sa.Column("count", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_tried_window_ms", "tried", ["window_ms"])


def downgrade() -> None:
    for table in ("tried", "claim", "member_merge", "identifier_link", "refresh_token", "device"):
        op.drop_table(table)
    op.drop_index("ix_member_session_device_id", "member_session")
    op.drop_column("member_session", "device_id")
    op.drop_index("ix_member_survivor_id", "member")
    for column in ("erased_at_ms", "strong_since_ms", "proven_at_ms", "absorbed", "survivor_id"):
        op.drop_column("member", column)
    op.drop_column("brand", "country")
