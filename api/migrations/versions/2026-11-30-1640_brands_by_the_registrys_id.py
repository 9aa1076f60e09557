"""Operations belong to a brand of the registry, by its id; what the gateway calls a brand may change.

Every name that an operation has is one of the brand table's, or the registry's id in digits (a brand that was invited
after the start went by its number). Anything else cannot be told apart from a fault and stops the migration.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013_brands"
down_revision = "0012_time"
branch_labels = None
depends_on = None

# (table, column, whether it may be empty): what refers to a brand by its slug.
REFERENCES = (
    ("api_key", "brand", True),
    ("enrolment", "brand", False),
    ("event", "brand", False),
    ("exchange_request", "source", False),
    ("exchange_request", "target", False),
    ("hold_request", "brand", False),
)
CONVENTION = {"fk": "%(table_name)s_%(column_0_name)s_fkey", "uq": "%(table_name)s_%(column_0_N_name)s_key"}
KEYED = ("operation", "operation_counter")
PRINCIPALS = ("idempotent_write", "idempotent_batch")


def upgrade() -> None:
    connection = op.get_bind()
    text = sa.text
    for table in KEYED:
        named = connection.execute(text(
            f"SELECT DISTINCT brand FROM {table} WHERE brand NOT IN (SELECT slug FROM brand)"  # noqa: S608
        )).scalars()  # fmt: skip
        strange = [name for name in named if not (name.isascii() and name.isdigit())]
        if strange:
            raise RuntimeError(f"{table} names {strange[0]!r}, no brand that this gateway knows; nothing was changed.")
        connection.execute(text(
            f"UPDATE {table} SET brand = (SELECT number FROM brand WHERE slug = {table}.brand)"  # noqa: S608
            " WHERE brand IN (SELECT slug FROM brand)"
        ))  # fmt: skip
    for table in PRINCIPALS:
        connection.execute(text(
            f"UPDATE {table} SET principal = (SELECT 'brand:' || number FROM brand"  # noqa: S608
            f" WHERE 'brand:' || slug = {table}.principal)"
            " WHERE principal IN (SELECT 'brand:' || slug FROM brand)"
        ))  # fmt: skip
    integer("operation", sqlite_autoincrement=True)
    integer("operation_counter")
    with op.batch_alter_table("brand", naming_convention=CONVENTION) as batch:
        batch.alter_column(
            "number",
            new_column_name="registry_id",
            existing_type=sa.String(),
            type_=sa.BigInteger(),
            existing_nullable=False,
            postgresql_using="number::bigint",
        )
    for table in sorted({table for table, _, _ in REFERENCES}):
        columns = [column for one, column, _ in REFERENCES if one == table]
        with op.batch_alter_table(table, naming_convention=CONVENTION) as batch:
            for column in columns:
                batch.drop_constraint(f"{table}_{column}_fkey", type_="foreignkey")
                batch.create_foreign_key(f"{table}_{column}_fkey", "brand", [column], ["slug"], onupdate="CASCADE")


def integer(table: str, **options: bool) -> None:
    """The digits of a column `brand` become numbers."""
    with op.batch_alter_table(table, table_kwargs=options) as batch:
        batch.alter_column(
            "brand", existing_type=sa.String(), type_=sa.BigInteger(), existing_nullable=False,
            postgresql_using="brand::bigint",
        )  # fmt: skip
