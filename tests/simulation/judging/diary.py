"""What a database remembers of nonces that were given up: their operations may be offered again.

A nonce is lost only to a stranger who used it: what the relayer gave up without one is no excuse.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Final

from sqlalchemy import Connection

# A batch that reverted, a nonce spent on nothing or by a stranger: what it carried goes out anew. A reorg may bring
# the first one back all the same, and then both are mined, with one effect.
_GIVEN_UP: Final = "NEW.state IN ('reverted', 'filled', 'lost') AND OLD.state <> NEW.state"


def keep(connection: Connection) -> None:
    """A table, and triggers that write into it; of a database in which nothing has happened yet."""
    connection.exec_driver_sql("CREATE TABLE given_up (transaction_id BIGINT NOT NULL, state TEXT NOT NULL)")
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(
            f"""CREATE TRIGGER chain_transaction_given_up AFTER UPDATE OF state ON chain_transaction
            WHEN {_GIVEN_UP} BEGIN INSERT INTO given_up VALUES (NEW.id, NEW.state); END"""
        )
        return
    connection.exec_driver_sql(
        """CREATE FUNCTION chain_transaction_given_up() RETURNS trigger AS $$ BEGIN
        INSERT INTO given_up VALUES (NEW.id, NEW.state); RETURN NEW; END $$ LANGUAGE plpgsql"""
    )
    connection.exec_driver_sql(
        f"""CREATE TRIGGER chain_transaction_given_up AFTER UPDATE OF state ON chain_transaction FOR EACH ROW
        WHEN ({_GIVEN_UP}) EXECUTE FUNCTION chain_transaction_given_up()"""
    )


def given_up(connection: Connection, stolen: Set[tuple[str, int]]) -> set[str]:
    """The hashes ever signed for a nonce that was given up once; a lost one only if (signer, nonce) was stolen."""
    rows = connection.exec_driver_sql(
        "SELECT DISTINCT given_up.state, chain_transaction.signer, chain_transaction.nonce, tx_hash FROM given_up "
        "JOIN chain_transaction ON chain_transaction.id = given_up.transaction_id "
        "JOIN chain_transaction_hash ON chain_transaction_hash.transaction_id = given_up.transaction_id"
    )
    return {tx_hash for state, signer, nonce, tx_hash in rows if state != "lost" or (signer, nonce) in stolen}
