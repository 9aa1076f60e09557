"""Holds have a short code, and a member's are listed in the order in which they were asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0016_hold_codes"
down_revision = "0015_ordering_key"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("hold_request", sa.Column("code", sa.String(length=16), nullable=True))
    op.drop_index("hold_request_member", table_name="hold_request")
    op.create_index("hold_request_member", "hold_request", ["member_id", "created_at_ms", "id"])
    op.create_index("hold_request_code", "hold_request", ["brand", "code"])
