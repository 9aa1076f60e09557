"""What a database remembers of nonces that were given up: their operations may be offered again."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

# A batch that reverted, a nonce spent on nothing or by a stranger: what it carried goes out anew. A reorg may bring
# the first one back all the same, and then both are mined, with one effect.
_GIVEN_UP: Final = "NEW.state IN ('reverted', 'filled', 'lost') AND OLD.state <> NEW.state"


def keep(connection: Connection) -> None:
    """A table, and triggers that write into it; of a database in which nothing has happened yet."""
    connection.exec_driver_sql("CREATE TABLE given_up (transaction_id BIGINT NOT NULL)")
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(
            f"""CREATE TRIGGER chain_transaction_given_up AFTER UPDATE OF state ON chain_transaction
            WHEN {_GIVEN_UP} BEGIN INSERT INTO given_up VALUES (NEW.id); END"""
        )
        return
    connection.exec_driver_sql(
        """CREATE FUNCTION chain_transaction_given_up() RETURNS trigger AS $$ BEGIN
        INSERT INTO given_up VALUES (NEW.id); RETURN NEW; END $$ LANGUAGE plpgsql"""
    )
    connection.exec_driver_sql(
        f"""CREATE TRIGGER chain_transaction_given_up AFTER UPDATE OF state ON chain_transaction FOR EACH ROW
        WHEN ({_GIVEN_UP}) EXECUTE FUNCTION chain_transaction_given_up()"""
    )


def given_up(connection: Connection) -> set[str]:
    """The hashes ever signed for a nonce that was given up once."""
    rows = connection.exec_driver_sql(
        "SELECT tx_hash FROM chain_transaction_hash WHERE transaction_id IN (SELECT transaction_id FROM given_up)"
    )
    return set(rows.scalars())
