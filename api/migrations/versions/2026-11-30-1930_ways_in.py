"""Ways in: challenges, messages on their way, passkeys."""

import sqlalchemy as sa
from alembic import op

revision = "0022_ways_in"
down_revision = "0021_who_is_who"
branch_labels = None
depends_on = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "challenge",
        sa.Column("id", sa.String(length=40), primary_key=True),
        sa.Column("purpose", sa.String(length=8), nullable=False),
        sa.Column("means", sa.String(length=8), nullable=False),
        sa.Column("lookup", sa.String(length=64), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("member_id", sa.String(length=40), nullable=True),
        sa.Column("tries_left", sa.Integer(), nullable=False),
        sa.Column("made_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("used_at_ms", sa.BigInteger(), nullable=True),
    )
    op.create_index("ix_challenge_member_id", "challenge", ["member_id"])
    op.create_index("ix_challenge_made_at_ms", "challenge", ["made_at_ms"])
    op.create_table(
        "outbox_message",
        sa.Column("id", SERIAL, primary_key=True, autoincrement=True, nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("made_at_ms", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_outbox_message_made_at_ms", "outbox_message", ["made_at_ms"])
    op.create_table(
        "passkey",
        sa.Column("id", SERIAL, primary_key=True, autoincrement=True, nullable=False),
        sa.Column("member_id", sa.String(), sa.ForeignKey("member.id"), nullable=False),
        sa.Column("credential_id", sa.String(), nullable=False, unique=True),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("strong", sa.Boolean(), nullable=False),
        sa.Column("label", sa.LargeBinary(), nullable=True),
        sa.Column("made_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_at_ms", sa.BigInteger(), nullable=True),
    )
    op.create_index("ix_passkey_member_id", "passkey", ["member_id"])
    op.create_table(
        "staff_role",
        sa.Column("id", sa.String(length=16), primary_key=True),
        sa.Column("lookup", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("brand", sa.String(), sa.ForeignKey("brand.slug", onupdate="CASCADE"), nullable=True),
        sa.Column("scope", sa.String(length=20), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("member_id", sa.String(), sa.ForeignKey("member.id"), nullable=True),
        sa.Column("made_at_ms", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("lookup", "scope", "role"),
    )
    op.create_index("ix_staff_role_brand", "staff_role", ["brand"])
    op.create_index("ix_staff_role_member_id", "staff_role", ["member_id"])
    op.create_table(
        "staff_session",
        sa.Column("id", sa.String(length=16), primary_key=True),
        sa.Column("role_id", sa.String(), sa.ForeignKey("staff_role.id"), nullable=False),
        sa.Column("member_id", sa.String(), sa.ForeignKey("member.id"), nullable=False),
        sa.Column("device_id", sa.String(length=16), nullable=False),
        sa.Column("strong", sa.Boolean(), nullable=False),
        sa.Column("secret_hash", sa.String(), nullable=False),
        sa.Column("made_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_staff_session_role_id", "staff_session", ["role_id"])
    op.create_index("ix_staff_session_member_id", "staff_session", ["member_id"])


def downgrade() -> None:
    for table in ("staff_session", "staff_role", "passkey", "outbox_message", "challenge"):
        op.drop_table(table)
