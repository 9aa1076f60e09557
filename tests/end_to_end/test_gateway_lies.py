"""Lies in the gateway's own tables: each is named by the audit, and an honest database has none."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, insert, inspect, select, text
from sqlmodel import SQLModel

import api.tables  # noqa: F401 - makes the tables known
import chain.tables  # noqa: F401 - makes the tables known
from api.cross_checks import run
from chain.audit.report import Plan, Report
from chain.base.difference import Difference
from chain.storage.database import engine, writer, writing
from scripts.console.audited import audit
from scripts.stack.local_stack import LocalStack
from tests.support.callers import Caller, live
from tests.support.databases import Postgres

pytestmark = pytest.mark.slow
EVERY_BLOCK = 10**9
CONFIRM = {"confirm": "erase everything"}


def purchase(identifier: str, amount: str) -> dict[str, Any]:
    return {
        "id": f"o-{secrets.token_hex(8)}", "member": {"identifier": identifier}, "amount": amount, "currency": "USD",
        "occurred_at": "1997-01-01T00:00:00.000123Z", "memo": {"item.1": "1 tea, jasmine", "receipt": "No. 4711"},
    }  # fmt: skip


@pytest.fixture(scope="module")
def told(demo: LocalStack) -> LocalStack:
    """A system in which everything happened that a lie below is about."""
    shop, operator = live(demo.url, demo.brand_keys["cdnow"]), live(demo.url, demo.operator_key)
    for amount in ("100000", "4200"):
        name = f"lies-{secrets.token_hex(6)}"
        member = shop.write("/v1/members", {"identifier": name}).json()
        assert shop.write("/v1/purchases", purchase(name, amount)).status_code == 201
    name = f"lies-{secrets.token_hex(6)}"
    member = shop.write("/v1/members", {"identifier": name}).json()
    bought = purchase(name, "80000")
    assert shop.write("/v1/purchases", bought).status_code == 201
    session = operator.write(f"/v1/members/{member['id']}/sessions").json()
    me = live(demo.url, session["token"])
    _exchange(me)
    held = shop.write("/v1/holds", {"member": {"identifier": name}, "points": "100", "reward": "tea"})
    assert held.status_code == 201, held.text
    back = {"id": f"r-{secrets.token_hex(8)}", "order": bought["id"], "amount": "100"}
    returned = shop.write("/v1/returns", {**back, "occurred_at": "1997-01-02T00:00:00Z"})
    assert returned.status_code == 201, returned.text
    given = shop.write("/v1/staff", {"identifier": {"kind": "email", "value": f"{name}@example.org"}, "role": "till"})
    assert given.status_code == 201, given.text
    _forgotten(demo, shop, operator, member)
    for caller in (shop, operator, me):
        caller.client.close()
    return demo


def _forgotten(demo: LocalStack, shop: Caller, operator: Caller, other: dict[str, Any]) -> None:
    """A member who bought, was made one with another and was not any more, and whom the gateway then forgot."""
    name = f"gone-{secrets.token_hex(6)}"
    member = shop.write("/v1/members", {"identifier": name}).json()
    assert shop.write("/v1/purchases", purchase(name, "5000")).status_code == 201
    merged = operator.write("/v1/identity/merges", {"one": other["id"], "other": member["id"], "case": "case/1"})
    assert merged.status_code == 201, merged.text
    undone = operator.write(f"/v1/identity/merges/{merged.json()['id']}", method="DELETE")
    assert undone.status_code in (200, 204), undone.text
    gone = live(demo.url, operator.write(f"/v1/members/{member['id']}/sessions").json()["token"])
    erased = gone.write("/v1/me/erasure", CONFIRM)
    assert erased.status_code in (200, 201), erased.text
    gone.client.close()


def _exchange(me: Caller) -> None:
    asked = {"from": "cdnow", "to": "hanok", "points_in": "1001"}
    quote = me.client.post("/v1/exchanges/quote", json=asked).json()
    body = {**asked, "minimum_out": quote["minimum_out"], "agreement_version": quote["agreement"]["version"]}
    done = me.write("/v1/exchanges", body)
    assert done.status_code == 201, done.text


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def books(request: pytest.FixtureRequest, on_sqlite: Engine) -> Iterator[Engine]:
    """A copy of its database, of either kind; every lie is rolled back."""
    if request.param == "sqlite":
        yield on_sqlite
        return
    server: Postgres = request.getfixturevalue("postgres_server")
    made = engine(server.empty())
    SQLModel.metadata.create_all(made)
    with on_sqlite.connect() as ours, writer(made).begin() as other:
        there = set(inspect(ours).get_table_names())
        for table in SQLModel.metadata.sorted_tables:
            rows = [dict(row) for row in ours.execute(select(table)).mappings()] if table.name in there else []
            if rows:
                other.execute(insert(table), rows)
    yield made
    made.dispose()


@pytest.fixture(scope="module")
def on_sqlite(told: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A copy of its database as it is."""
    copy = tmp_path_factory.mktemp("lies") / "moa.db"
    with sqlite3.connect(told.database_url.removeprefix("sqlite:///")) as ours, sqlite3.connect(copy) as other:
        ours.backup(other)
    made = engine(f"sqlite:///{copy}")
    yield made
    made.dispose()


def differences(connection: Connection) -> list[Difference]:
    found: list[Difference] = []
    run.check(connection, found.append, block=EVERY_BLOCK)
    return found


ONE_AWARD = "(SELECT MIN(operation) FROM award)"
ONE_EVENT = "(SELECT MIN(event) FROM award)"
IN_EUROS = "REPLACE(CAST(data AS TEXT), 'USD', 'EUR')"
ONE_IN_DOLLARS = (
    "(SELECT MIN(award.event) FROM award JOIN event ON event.id = award.event"
    " WHERE CAST(event.data AS TEXT) LIKE '%USD%')"
)
OPERATION = "UPDATE operation SET {} WHERE id = " + ONE_AWARD
HOLD, EXCHANGE = "UPDATE hold_request SET {}", "UPDATE exchange_request SET {}"
AMOUNT = '\'"base_amount":'
HASH = "'0x" + "11" * 32 + "'"
OTHER_MEMBER = f"(SELECT MAX(id) FROM member WHERE id <> (SELECT subject FROM event WHERE id = {ONE_EVENT}))"
NEW_KEY = "INSERT INTO api_key (id, kind, brand, secret_hash, created_at_ms) VALUES ('aaaaaaaaaaaa', 'o', NULL, 'x', 1)"
NEW_ROLE = (
    "INSERT INTO staff_role (id, lookup, sealed, brand, scope, role, member_id, made_at_ms)"
    " SELECT 'aaaaaaaaaaaa', 'x', sealed, brand, scope, role, NULL, 1 FROM staff_role"
    " WHERE id = (SELECT MIN(id) FROM staff_role WHERE role = 'till')"
)
NEW_SESSION = (
    "INSERT INTO member_session (id, member_id, secret_hash, created_at_ms, expires_at_ms)"
    " SELECT 'aaaaaaaaaaaa', MIN(id), 'x', 9000000000000, 9000000000001 FROM member"
)
FIRST, LAST = (f"(SELECT {end}(subject) FROM event)" for end in ("MIN", "MAX"))
SWAPPED = (
    "CREATE TEMPORARY TABLE swap AS SELECT id, address FROM member;"
    f"UPDATE member SET address = id WHERE id IN ({FIRST}, {LAST});"
    f"UPDATE member SET address = (SELECT address FROM swap WHERE id = {LAST}) WHERE id = {FIRST};"
    f"UPDATE member SET address = (SELECT address FROM swap WHERE id = {FIRST}) WHERE id = {LAST}"
)
# What is done, and (table, what) by which it is named.
LIES: dict[str, tuple[str, str, str]] = {
    "a purchase's amount": (
        f"UPDATE event SET data = '{{\"amount\":\"7\",\"currency\":\"USD\"}}' WHERE id = {ONE_EVENT}",
        "event", "amount of a fact",
    ),
    "a purchase's currency": (
        f"UPDATE event SET data = CAST({IN_EUROS} AS A_DOCUMENT) WHERE id = {ONE_IN_DOLLARS}",
        "event", "content of a fact",
    ),
    "a purchase's time": (
        f"UPDATE event SET occurred_at_ms = occurred_at_ms + 1 WHERE id = {ONE_EVENT}", "event", "content of a fact",
    ),
    "a purchase's id": (
        f"UPDATE event SET external_id = 'other' WHERE id = {ONE_EVENT}", "event", "key of a fact",
    ),
    "a purchase's hash": (
        f"UPDATE event SET content_hash = 'ab' WHERE id = {ONE_EVENT}", "event", "content of a fact",
    ),
    "a purchase's member": (
        f"UPDATE event SET subject = {OTHER_MEMBER} WHERE id = {ONE_EVENT}", "member", "address of a member",
    ),
    "a purchase's brand": (f"UPDATE event SET source = 'hanok' WHERE id = {ONE_EVENT}", "event", "brand of a fact"),
    "a purchase erased": (f"DELETE FROM event WHERE id = {ONE_EVENT}", "event", "row removed"),
    "a decision erased": (f"DELETE FROM award WHERE operation = {ONE_AWARD}", "award", "row removed"),
    "a decision's amount": (
        f"UPDATE award SET base_amount = '7' WHERE operation = {ONE_AWARD}", "award", "base amount of an award",
    ),
    "a decision's rule": (
        f"UPDATE award SET rule = rule + 1 WHERE operation = {ONE_AWARD}", "award", "rule of an award",
    ),
    "two members' addresses swapped": (
        SWAPPED, "member", "address of a member",
    ),
    "an operation erased": (f"DELETE FROM operation WHERE id = {ONE_AWARD}", "operation", "row removed"),
    "an operation's state": (OPERATION.format("state = 'failed'"), "operation", "state of an operation"),
    "an operation's state, back in the queue": (
        OPERATION.format("state = 'queued'"), "operation", "state of an operation",
    ),
    "an operation's transaction": (
        OPERATION.format(f"tx_hash = {HASH}"), "operation", "transaction of an operation",
    ),
    "an operation's block": (OPERATION.format(f"block_hash = {HASH}"), "operation", "block of an operation"),
    "an operation's place": (OPERATION.format("log_index = 9999"), "operation", "state of an operation"),
    "an operation's result": (
        OPERATION.format("result = '{\"points\":\"1\"}'"), "operation", "result of an operation",
    ),
    "what an operation asked": (
        OPERATION.format(f"payload = CAST(REPLACE(CAST(payload AS TEXT), {AMOUNT}\"', {AMOUNT}\"9') AS A_DOCUMENT)"),
        "operation", "base amount of an operation",
    ),
    "a return's result": (
        "UPDATE operation SET result = '{}' WHERE kind = 'return'", "operation", "result of an operation",
    ),
    "a return's operation erased": ("DELETE FROM operation WHERE kind = 'return'", "operation", "row removed"),
    "a key written into the database": (NEW_KEY, "api_key", "row added"),
    "a key erased": ("DELETE FROM api_key WHERE kind = 'o'", "api_key", "row removed"),
    "a key's secret": ("UPDATE api_key SET secret_hash = 'x' WHERE kind = 'b'", "api_key", "digest of a key"),
    "a key's brand": ("UPDATE api_key SET brand = 'hanok' WHERE brand = 'cdnow'", "api_key", "digest of a key"),
    "a key's role": ("UPDATE api_key SET kind = 'o', brand = NULL WHERE kind = 'b'", "api_key", "role of a key"),
    "a key's end": ("UPDATE api_key SET revoked_at_ms = 1", "api_key", "end of a key"),
    "a role written into the database": (NEW_ROLE, "staff_role", "row added"),
    "a role's kind": ("UPDATE staff_role SET role = 'owner'", "staff_role", "role that was given"),
    "a role's address": ("UPDATE staff_role SET lookup = 'x' || id", "staff_role", "digest of a role"),
    "a role's brand": ("UPDATE staff_role SET scope = '', brand = NULL", "staff_role", "digest of a role"),
    "a session written into the database": (NEW_SESSION, "member_session", "row without its act"),
    "a session's member": (
        "UPDATE member_session SET member_id = (SELECT MAX(m.id) FROM member m WHERE m.id <> member_id)",
        "member_session", "row without its act",
    ),
    "a session's time": (
        "UPDATE member_session SET expires_at_ms = expires_at_ms + 1", "member_session", "row without its act",
    ),
    "a memo's words": (
        "UPDATE memo SET fields = CAST(REPLACE(CAST(fields AS TEXT), 'jasmine', 'black') AS A_DOCUMENT)",
        "memo", "words of a memo",
    ),
    "a hold's reward": (HOLD.format("reward = 'coffee'"), "hold_request", "reward of a hold"),
    "a hold's points": (HOLD.format("points = '1'"), "hold_request", "points of a hold"),
    "a hold's end": (HOLD.format("hold_until = hold_until + 1"), "hold_request", "end of a hold"),
    "a hold's place at the desk": (HOLD.format("chain_id = id"), "hold_request", "chain's id of a hold"),
    "a hold erased": ("DELETE FROM hold_request", "hold_request", "row removed"),
    "an exchange's minimum": (EXCHANGE.format("minimum_out = '1'"), "exchange_request", "minimum of an exchange"),
    "an exchange's points": (EXCHANGE.format("points_in = '1'"), "exchange_request", "points of an exchange"),
    "an exchange's version": (EXCHANGE.format("version = version + 1"), "exchange_request", "version of an exchange"),
    "an exchange erased": ("DELETE FROM exchange_request", "exchange_request", "row removed"),
    "a brand's token": ("UPDATE brand SET token = '0x' || slug", "brand", "token of a brand"),
    "the last acts removed": (
        "DELETE FROM log_entry WHERE seq = (SELECT MAX(seq) FROM log_entry)", "log_state", "entries of the log",
    ),
    "an act removed": ("DELETE FROM log_entry WHERE seq = 1", "log_entry", "row removed"),
    "an act changed": (
        "UPDATE log_entry SET leaf = REPLACE(leaf, 'act', 'fact') WHERE seq = 1", "log_tile",
        "hashes of entries",
    ),
    "an act changed, as the signed root knows": (
        "UPDATE log_entry SET leaf = leaf || ' ' WHERE seq = 1", "log_checkpoint", "root of the log",
    ),
    "a signed root": ("UPDATE log_checkpoint SET root = 'x'", "log_checkpoint", "root of the log"),
    "a signed note": (
        "UPDATE log_checkpoint SET note = REPLACE(note, '\n', 'x')", "log_checkpoint", "signed note",
    ),
    "a tile": ("UPDATE log_tile SET hashes = '' WHERE level = 0", "log_tile", "hashes of entries"),
    "a table": ("DROP TABLE memo", "memo", "table removed"),
}  # fmt: skip


def test_an_honest_system_agrees_and_one_lie_fails_the_whole_audit(told: LocalStack, books: Engine) -> None:
    """SPEC 25.1"""
    with books.connect() as connection:
        pin = connection.execute(text("SELECT block_hash FROM mirror_checkpoint")).scalar_one()
    plan = Plan(bytes.fromhex(pin[2:]))

    def whole() -> Report:
        return audit(told.rpc_url, books.url.render_as_string(hide_password=False), told.deployment, plan, shown=False)

    good = whole()

    assert good.agrees, [str(one) for one in good.differences]
    assert good.counts["rows of the gateway"] > 10
    with writing(books) as connection:
        connection.execute(text("UPDATE exchange_request SET version = version + 1"))
    lied = whole()
    with writing(books) as connection:
        connection.execute(text("UPDATE exchange_request SET version = version - 1"))
    assert not lied.agrees
    assert {one.what for one in lied.differences} == {"version of an exchange"}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_in_a_table_of_the_gateway_is_named(books: Engine, lie: str) -> None:
    """SPEC 25.1, 25.2, 25.3, 25.4, 25.5, 25.6"""
    statement, table, what = LIES[lie]
    with writer(books).connect() as connection:
        on_sqlite = connection.dialect.name == "sqlite"
        # Who can write the database's files heeds no foreign key.
        heedless = "PRAGMA defer_foreign_keys = ON" if on_sqlite else "SET session_replication_role = replica"
        connection.exec_driver_sql(heedless)
        if not on_sqlite:
            # As its own JSON is written.
            statement = statement.replace('"base_amount":"', '"base_amount": "').replace("AS A_DOCUMENT", "AS JSONB")
        for one in statement.replace("AS A_DOCUMENT", "AS TEXT").split(";"):
            assert connection.execute(text(one.replace(":", "\\:"))).rowcount != 0, "the lie is in the database"

        found = differences(connection)

        connection.rollback()
    assert (table, what) in {(one.where.table, one.what) for one in found}, [str(one) for one in found]
