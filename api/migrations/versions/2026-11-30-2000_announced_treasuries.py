"""A brand's standing tells since when it has been stopped, and the treasury that waits; a hold its lots. Holds begin
again from the chain with the rest of the mirror: the contracts are new."""

import sqlalchemy as sa
from alembic import op

revision = "0017_treasuries"
down_revision = "0016_hold_codes"
branch_labels = None
depends_on = None

NOBODY = "0x" + "00" * 20


def upgrade() -> None:
    for name in ("stopped_at", "treasury_at"):
        op.add_column("brand_standing", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("brand_standing", sa.Column("next_treasury", sa.String(), nullable=False, server_default=NOBODY))
    op.add_column("hold", sa.Column("lots", sa.String(), nullable=False, server_default="0" * 256))
    # A default is of rows that were there; new ones say it themselves.
    with op.batch_alter_table("brand_standing") as table:
        for name in ("stopped_at", "treasury_at", "next_treasury"):
            table.alter_column(name, server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("hold") as table:
        table.drop_column("lots")
    with op.batch_alter_table("brand_standing") as table:
        for name in ("stopped_at", "treasury_at", "next_treasury"):
            table.drop_column(name)
