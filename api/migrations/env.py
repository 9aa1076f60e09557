"""Alembic's entry: runs on the connection that api.migrate gives it, over every table of chain and api."""

from alembic import context
from sqlmodel import SQLModel

import api.tables  # noqa: F401 - importing them is what makes them known
import chain.tables  # noqa: F401

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=SQLModel.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transaction_per_migration=False,
)
context.run_migrations()
