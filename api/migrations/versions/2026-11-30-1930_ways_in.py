"""Ways in: challenges, messages on their way, passkeys."""

import sqlalchemy as sa
from alembic import op

revision = "0021_ways_in"
down_revision = "0020_who_is_who"
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
        sa.Column("label", sa.LargeBinary(), nullable=True),
        sa.Column("made_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_at_ms", sa.BigInteger(), nullable=True),
    )
    op.create_index("ix_passkey_member_id", "passkey", ["member_id"])


def downgrade() -> None:
    for table in ("passkey", "outbox_message", "challenge"):
        op.drop_table(table)
