"""A database that refuses every step of a state that chain.outbox.transitions does not have, whoever writes it."""

from sqlalchemy import Connection

from chain.outbox.transitions import OPERATION, TRANSACTION, Steps

TABLES = {"operation": OPERATION, "chain_transaction": TRANSACTION}
FIRST = {"operation": ("queued", "locked"), "chain_transaction": ("assigned", "filling")}


def guard(connection: Connection) -> None:
    """Triggers that let a forbidden step fail, and that count the others in `step_seen(tab, before, after)`."""
    connection.exec_driver_sql(
        "CREATE TABLE IF NOT EXISTS step_seen (tab TEXT, before TEXT, after TEXT, PRIMARY KEY (tab, before, after))"
    )
    connection.exec_driver_sql("DELETE FROM step_seen")
    make = _sqlite if connection.dialect.name == "sqlite" else _postgresql
    for table, steps in TABLES.items():
        for statement in make(table, steps):
            connection.exec_driver_sql(statement)


def _allowed(steps: Steps) -> str:
    pairs = [(before, after) for before, following in steps.steps.items() for after in sorted(following)]
    return ", ".join(f"'{before}>{after}'" for before, after in pairs)


def _sqlite(table: str, steps: Steps) -> list[str]:
    first = ", ".join(f"'{state}'" for state in FIRST[table])
    return [
        f"""CREATE TRIGGER {table}_steps BEFORE UPDATE OF state ON {table} WHEN OLD.state <> NEW.state BEGIN
        SELECT CASE WHEN OLD.state || '>' || NEW.state NOT IN ({_allowed(steps)})
        THEN RAISE(ABORT, 'a forbidden step of {table}') END;
        INSERT OR IGNORE INTO step_seen VALUES ('{table}', OLD.state, NEW.state); END""",
        f"""CREATE TRIGGER {table}_first BEFORE INSERT ON {table} WHEN NEW.state NOT IN ({first}) BEGIN
        SELECT RAISE(ABORT, 'a forbidden first state of {table}'); END""",
    ]


def _postgresql(table: str, steps: Steps) -> list[str]:
    return [
        f"""CREATE OR REPLACE FUNCTION {table}_steps() RETURNS trigger AS $$ BEGIN
        IF OLD.state || '>' || NEW.state NOT IN ({_allowed(steps)}) THEN
        RAISE EXCEPTION 'a forbidden step of {table}: %% > %%', OLD.state, NEW.state; END IF;
        INSERT INTO step_seen VALUES ('{table}', OLD.state, NEW.state) ON CONFLICT DO NOTHING;
        RETURN NEW; END $$ LANGUAGE plpgsql""",
        f"""CREATE OR REPLACE TRIGGER {table}_steps BEFORE UPDATE OF state ON {table} FOR EACH ROW
        WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION {table}_steps()""",
    ]
