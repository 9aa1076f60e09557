"""Facts in an envelope with data of their kind, and what they are worth in rows of their own."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014_facts"
down_revision = "0013_brands"
branch_labels = None
depends_on = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql").with_variant(sa.JSON(none_as_null=True), "sqlite")

DATA = {
    "sqlite": "json_object('amount', amount, 'currency', currency)",
    "postgresql": "jsonb_build_object('amount', amount, 'currency', currency)",
}
# Of the operation's payload: the rule, and the base amount as text.
ASKED = {
    "sqlite": ("json_extract(o.payload, '$.rule')", "json_extract(o.payload, '$.base_amount')"),
    "postgresql": ("(o.payload ->> 'rule')::bigint", "o.payload ->> 'base_amount'"),
}
# A refusal that was corrected: what the order said before.
SAID = {
    "sqlite": "json_object('member', json_extract(fact, '$.member'),"
    " 'occurred_at', json_extract(fact, '$.occurred_at'), 'data',"
    " json_object('amount', json_extract(fact, '$.amount'), 'currency', json_extract(fact, '$.currency')))",
    "postgresql": "jsonb_build_object('member', fact -> 'member', 'occurred_at', fact -> 'occurred_at', 'data',"
    " jsonb_build_object('amount', fact -> 'amount', 'currency', fact -> 'currency'))",
}


def upgrade() -> None:
    connection = op.get_bind()
    dialect = connection.dialect.name
    op.create_table(
        "award",
        sa.Column("operation", SERIAL, primary_key=True, autoincrement=False, nullable=False),
        sa.Column("event", sa.BigInteger(), sa.ForeignKey("event.id"), nullable=False),
        sa.Column("activity", sa.String(), nullable=False),
        sa.Column("rule", sa.BigInteger(), nullable=False),
        sa.Column("base_amount", sa.String(), nullable=False),
        sa.Column("decided_at_ms", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("event", "activity"),
    )
    rule, base_amount = ASKED[dialect]
    connection.execute(sa.text(
        "INSERT INTO award (event, activity, rule, base_amount, operation, decided_at_ms)"  # noqa: S608
        f" SELECT e.id, e.kind, {rule}, {base_amount}, e.operation, e.received_at_ms"
        " FROM event e JOIN operation o ON o.id = e.operation"
    ))  # fmt: skip
    lost = connection.execute(sa.text("SELECT COUNT(*) FROM event WHERE id NOT IN (SELECT event FROM award)")).scalar()
    if lost:
        raise RuntimeError(f"{lost} facts have no operation; nothing was changed.")
    op.add_column("event", sa.Column("data", DOCUMENT, nullable=True))
    connection.execute(sa.text(f"UPDATE event SET data = {DATA[dialect]}"))  # noqa: S608
    connection.execute(sa.text(
        f"UPDATE operation_refusal SET fact = {SAID[dialect]} WHERE fact IS NOT NULL"  # noqa: S608
    ))  # fmt: skip
    op.drop_index("event_operation", "event")
    op.drop_index("event_member", "event")
    with op.batch_alter_table("event") as batch:
        batch.alter_column("brand", new_column_name="source")
        batch.alter_column("kind", new_column_name="type")
        batch.alter_column("member_id", new_column_name="subject")
        batch.alter_column("data", existing_type=DOCUMENT, nullable=False)
        batch.drop_column("operation")
        batch.drop_column("amount")
        batch.drop_column("currency")
    op.create_index("event_subject", "event", ["subject"])
