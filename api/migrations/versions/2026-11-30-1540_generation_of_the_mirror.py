"""The numbering of the mirror's entries has a name, so that a place in an earlier one is told from a place in this."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0008_generation"
down_revision = "0007_queue"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("mirror_checkpoint", sa.Column("generation", sa.String(), nullable=False, server_default="0"))
    op.execute(sa.text("UPDATE mirror_checkpoint SET generation = :name").bindparams(name=secrets.token_hex(6)))


def downgrade() -> None:
    op.drop_column("mirror_checkpoint", "generation")
