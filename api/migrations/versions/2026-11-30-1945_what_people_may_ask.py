"""What people may ask of us: consent, preferences, certificates of erasures; and which acts are about whom."""

import re

import sqlalchemy as sa
from alembic import op

revision = "0023_privacy"
down_revision = "0022_ways_in"
branch_labels = None
depends_on = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ABOUT = re.compile(r'"subject":"(member/[0-9a-f]{64})","version"')
CHUNK = 10_000


def upgrade() -> None:
    op.create_table(
        "consent_word",
        sa.Column("id", SERIAL, primary_key=True, autoincrement=True, nullable=False),
        sa.Column("member_id", sa.String(), sa.ForeignKey("member.id"), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("granted", sa.Boolean(), nullable=False),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("text_version", sa.Integer(), nullable=False),
        sa.Column("text_sha256", sa.String(length=64), nullable=False),
        sa.Column("said_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
    )
    op.create_index("consent_word_member", "consent_word", ["member_id"])
    op.create_table(
        "preference",
        sa.Column("member_id", sa.String(), sa.ForeignKey("member.id"), primary_key=True),
        sa.Column("quiet_from", sa.Integer(), nullable=True),
        sa.Column("quiet_to", sa.Integer(), nullable=True),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("paused_until_ms", sa.BigInteger(), nullable=True),
    )
    op.create_table(
        "erasure",
        sa.Column("id", sa.String(length=40), primary_key=True),
        sa.Column("certificate", sa.Text(), nullable=False),
        sa.Column("made_at_ms", sa.BigInteger(), nullable=False),
    )
    about = op.create_table(
        "act_about",
        sa.Column("subject", sa.String(length=80), primary_key=True),
        sa.Column("seq", sa.BigInteger(), primary_key=True, autoincrement=False),
    )
    connection, after = op.get_bind(), -1
    while True:
        rows = connection.execute(
            sa.text("SELECT seq, leaf FROM log_entry WHERE seq > :after ORDER BY seq LIMIT :limit"),
            {"after": after, "limit": CHUNK},
        ).all()
        found = [{"subject": one[1], "seq": seq} for seq, leaf in rows if (one := ABOUT.search(leaf))]
        if found:
            connection.execute(sa.insert(about), found)
        if len(rows) < CHUNK:
            break
        after = rows[-1][0]


def downgrade() -> None:
    for table in ("act_about", "erasure", "preference", "consent_word"):
        op.drop_table(table)
