"""The same migrations and the same promises on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from sqlmodel import SQLModel

from api import audit_log, migrate, tables
from api.audit_log.loop import sequencer_of
from api.audit_log.sequencer import drain
from api.views.schemas import MemberView
from api.writes.idempotency import Claim, Stored, claim, keep
from chain.outbox import operations
from chain.outbox.operations import NewOperation
from chain.storage import database
from chain.worker.leader import Leader
from tests.api.conftest import (
    NDJSON,
    World,
    new_gateway,
    purchase,
    served,
    settings_in,
)
from tests.api.views.test_stream import listening


@pytest.fixture
def world(migrated: str, tmp_path: Path) -> Iterator[World]:
    """A gateway on the database."""
    settings = replace(settings_in(tmp_path, migrated), chunk_lines=50)
    with new_gateway(settings) as made:
        yield made


def test_migrations_make_exactly_the_tables_of_the_models(url: str) -> None:
    """SPEC 9.16"""
    assert tables.TABLES
    migrate.run(url)

    engine = database.engine(url)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), SQLModel.metadata)
    engine.dispose()

    assert differences == []


def test_migrating_again_and_at_once_is_harmless(url: str) -> None:
    """SPEC 9.16"""
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(migrate.run, [url] * 3))

    engine = database.engine(url)
    assert migrate.refuse_outdated(engine) == migrate.newest()
    engine.dispose()


def test_a_gateway_migrates_while_a_worker_leads(url: str) -> None:
    """SPEC 7.14, 9.16: its lock is not the leader's."""
    migrate.run(url)
    engine = database.engine(url)
    with ThreadPoolExecutor(1) as pool, Leader(engine):
        pool.submit(migrate.run, url).result(timeout=30)
    engine.dispose()


def test_a_mirror_that_kept_no_history_begins_again_and_nothing_else_is_lost(url: str) -> None:
    """SPEC 8.17, 9.16: what comes from the chain comes again from it, with the numbers it had."""
    engine = database.engine(url)
    with database.writing(engine) as connection:
        command.upgrade(migrate.configured(connection), "0001")
        for statement in (
            "INSERT INTO entry (token, account, kind, points, held, tx_hash, block_number, block_hash, block_time,"
            " log_index, contract, detail) VALUES ('t', 'a', 'award', '1', '0', '0x', 1, '0x', 1, 0, 'c', '{}')",
            "INSERT INTO mirror_block (number, hash, parent_hash, time) VALUES (1, '0x', '0x', 1)",
            "INSERT INTO mirror_undo (block_number, relation, key, before) VALUES (1, 'balance', '[]', NULL)",
            "INSERT INTO heartbeat (name, state, detail, at_ms) VALUES ('mirror', 'working', '', 1)",
            "INSERT INTO mirror_reorg (common_number, head_number, depth, entries_removed, at_ms)"
            " VALUES (1, 2, 1, 0, 1)",
        ):
            connection.execute(text(statement))

    migrate.run(url)

    with database.writing(engine) as connection:
        for table, rows in (("entry", 0), ("mirror_block", 0), ("mirror_reorg", 1), ("heartbeat", 1)):
            assert connection.execute(text(f"SELECT COUNT(*) FROM {table}")).scalar_one() == rows, table
        number = connection.execute(
            text(
                "INSERT INTO entry (token, account, kind, points, held, tx_hash, block_number, block_hash, block_time,"
                " log_index, contract, detail) VALUES ('t', 'a', 'award', '1', '0', '0x', 1, '0x', 1, 0, 'c', '{}')"
                " RETURNING seq"
            )
        ).scalar_one()
    engine.dispose()
    assert number == 1


def test_empty_database_is_outdated(url: str) -> None:
    engine = database.engine(url)

    with pytest.raises(migrate.DatabaseOutdated):
        migrate.refuse_outdated(engine)
    engine.dispose()


def at_once(threads: int, call: Any) -> list[Any]:
    together = threading.Barrier(threads)

    def wait_and_call(number: int) -> Any:
        together.wait()
        return call(number)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(wait_and_call, range(threads)))


class Broken(Exception):
    """What a write may run into after it has taken its key."""


def test_a_key_whose_first_holder_rolls_back_is_the_seconds(world: World) -> None:
    """SPEC 9.5: who waits for the first one's transaction finds the key free, and takes it."""
    wanted = Claim("brand:cdnow", "k", "POST /v1/purchases", "hash")
    taken, waiting, may_end = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        with world.database.write() as session:
            assert claim(session, wanted) is None
            taken.set()
            assert may_end.wait(30)
            raise Broken

    def second() -> Any:
        assert taken.wait(30)
        waiting.set()
        with world.database.write() as session:
            before = claim(session, wanted)
            keep(session, wanted, 202, b"{}")
            return before

    with ThreadPoolExecutor(2) as pool:
        one, two = pool.submit(first), pool.submit(second)
        assert waiting.wait(30)
        may_end.set()
        with pytest.raises(Broken):
            one.result(30)
        assert two.result(30) is None, "nothing was answered before"
    with world.database.write() as session:
        assert claim(session, wanted) == Stored(202, b"{}", wanted.principal)
    assert world.rows("SELECT COUNT(*) FROM idempotent_write") == [(1,)]


def test_one_key_many_times_at_once_has_one_effect(world: World) -> None:
    """SPEC 9.5"""
    world.member()

    answers = at_once(6, lambda _: world.brand.write("/v1/purchases", purchase(), key="k"))

    assert {(answer.status_code, answer.content) for answer in answers} == {(202, answers[0].content)}
    assert world.rows("SELECT COUNT(*) FROM operation") == [(1,)]


def test_one_member_enrolled_many_times_at_once_is_one(world: World) -> None:
    answers = at_once(6, lambda _: world.brand.write("/v1/members", {"identifier": "m-1"}))

    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert world.rows("SELECT COUNT(*) FROM member") == [(1,)]


def test_overlapping_batches_at_once_count_each_order_once(world: World) -> None:
    """SPEC 9.6"""
    world.member()

    def batch(number: int) -> list[dict[str, Any]]:
        body = b"\n".join(orjson.dumps(purchase(order)) for order in range(number * 50, number * 50 + 200))
        answer = world.brand.write("/v1/purchases", body, **NDJSON)
        return [orjson.loads(line) for line in answer.content.splitlines()]

    lines = [line for told in at_once(4, batch) for line in told]

    assert {line["status"] for line in lines} <= {"accepted", "replayed"}
    assert sum(line["status"] == "accepted" for line in lines) == 350
    assert len({line["operation"] for line in lines}) == 350
    ids = sorted(int(found) for (found,) in world.rows("SELECT operation_id FROM operation"))
    assert ids == list(range(ids[0], ids[0] + 350))


def test_refused_write_leaves_nothing(world: World) -> None:
    world.member()
    world.brand.write("/v1/purchases", purchase(1), key="k")
    before = world.everything()

    answers = [
        world.brand.write("/v1/purchases", purchase(2), key="k"),
        world.brand.write("/v1/purchases", purchase(1, amount="7")),
        world.brand.write("/v1/purchases", purchase(3, amount="0")),
        world.brand.write("/v1/holds", {"member": {"identifier": "m-9"}, "points": "1"}),
    ]

    assert [answer.json()["error"] for answer in answers] == [
        "IdempotencyKeyReused",
        "PurchaseConflict",
        "AmountZero",
        "MemberUnknown",
    ]
    assert world.everything() == before


def test_view_and_history_are_the_same_on_both(world: World) -> None:
    world.mirror()
    world.rule()
    world.agreement()
    member = world.member()
    world.holds_points(member["address"], 4_399)
    world.entry(member["address"], 4_399)
    world.brand.write("/v1/purchases", purchase())
    caller = world.session(member)

    view = MemberView.model_validate(caller.get("/v1/me/view").json())
    [entry] = caller.get("/v1/me/entries").json()["entries"]

    [line] = view.balances
    assert (line.spendable, line.pending, [brand.slug for brand in line.exchange_to]) == ("4399", "4399", ["beans"])
    assert entry["rule"]["numerator"] == "3"
    assert caller.get("/v1/operations/1").json()["state"] == "queued"
    assert world.brand.get("/v1/operations").json()["states"]["queued"] == 1


def test_hold_goes_its_way_on_both(world: World) -> None:
    world.mirror()
    world.holds_points(world.member()["address"], 1_000)

    hold = world.brand.write("/v1/holds", {"member": {"identifier": "m-1"}, "points": "400"}).json()
    capture = world.brand.write(f"/v1/holds/{hold['id']}/capture", {"points": "401"})

    assert hold["state"] == "requested"
    assert capture.json()["error"] == "CaptureExceedsHold"


ON_POSTGRESQL = pytest.mark.parametrize("migrated", [pytest.param("postgres", marks=pytest.mark.slow)], indirect=True)
SEEN_S_MAX = 30.0


def until(good: Any) -> None:
    """Waits for something that comes by itself."""
    deadline = time.monotonic() + SEEN_S_MAX
    while not good():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)


def award(number: int, address: str, brand: int = 1) -> NewOperation:
    payload = {"member": address, "rule": "1", "base_amount": "100"}
    return NewOperation(f"purchase/{brand}/{number}", "award", brand, address, payload)


@ON_POSTGRESQL
def test_a_stream_is_told_of_what_commits_after_a_later_one(world: World) -> None:
    """SPEC 9.13, 9.31: two transactions; the one with the lower number is the last to commit."""
    world.mirror()
    world.rule()
    member = world.member()
    address = member["address"].lower()
    world.holds_points(address, 1)
    key = world.session(member).key
    with served(world) as (url, _), listening(url, key) as events:
        hub = world.app.state.hub
        events.until("view")
        # What was under way when the hub began is decided, and it tells by name again.
        until(lambda: hub._news is not None and hub._news.asked_at.blind_until is None and not hub._news.everyone)
        with world.database.engine.connect() as slow:
            lower = operations.enqueue(slow, award(1, address))
            with world.database.write() as session:
                higher = operations.enqueue(session, award(1, "0x" + "77" * 20, 2))
            assert lower < higher
            until(lambda: hub._news.asked_at.last >= higher)
            slow.commit()
        pending = "0"
        while pending == "0":
            view, _ = events.until("view")
            pending = view["balances"][0]["pending"]

    assert pending == "150"


@ON_POSTGRESQL
def test_an_auditors_page_ends_before_what_may_still_come(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC 9.31: the page waits for the lower number, or says that it is being written; nothing is passed over."""
    monkeypatch.setattr("api.kit.following.LOOKS_MAX", 2)
    world.mirror()
    auditor = world.auditor()
    for number in range(2):
        with world.database.write() as session:
            operations.enqueue(session, award(number, "0x" + "11" * 20))
    assert auditor.get("/v1/audit/operations", limit=1).json()["next_cursor"] == "1"
    with world.database.engine.connect() as slow:
        lower = operations.enqueue(slow, award(5, "0x" + "11" * 20))
        with world.database.write() as session:
            higher = operations.enqueue(session, award(5, "0x" + "22" * 20, 2))
        settled = auditor.get("/v1/audit/operations", limit=1)
        refused = auditor.get("/v1/audit/operations", limit=3)
        slow.commit()
    found = auditor.get("/v1/audit/operations", limit=4).json()["operations"]

    assert settled.status_code == 200
    assert (refused.status_code, refused.json()["error"]) == (503, "PageUnsettled")
    assert refused.headers["retry-after"] == "2"
    assert [one["id"] for one in found] == ["1", "2", str(lower), str(higher)]


@ON_POSTGRESQL
def test_an_act_that_commits_after_a_later_one_finds_its_place(world: World) -> None:
    """SPEC 9.31, 14.8: the sequencer takes what is there and keeps no place of its own; each act is in the log once."""
    sequencer = sequencer_of(world.app.state.moa)
    with world.database.engine.connect() as slow:
        audit_log.record(slow, "salt.forgotten", actor="command/late")
        with world.database.write() as session:
            audit_log.record(session.connection(), "salt.forgotten", actor="command/early")
        drain(sequencer, seconds_max=SEEN_S_MAX)
        slow.commit()
    drain(sequencer, seconds_max=SEEN_S_MAX)

    leaves = [orjson.loads(leaf) for (leaf,) in world.rows("SELECT leaf FROM log_entry ORDER BY seq")]
    actors = [leaf["actor"] for leaf in leaves if leaf["act"] == "salt.forgotten"]
    assert actors == ["command/early", "command/late"]


@pytest.mark.parametrize("keys", [1, 6])
def test_a_refused_order_that_many_send_again_at_once_is_asked_again_once(world: World, keys: int) -> None:
    """SPEC 9.20: under one key, and under one each."""
    world.member()
    first = world.brand.write("/v1/purchases", purchase(), key="key-0").json()["operation"]["id"]
    with database.writing(world.database.engine) as connection:
        operations.fail(connection, int(first), "BudgetExceeded", {})
    with ThreadPoolExecutor(6) as pool:
        answers = list(
            pool.map(lambda n: world.brand.write("/v1/purchases", purchase(), key=f"key-{n % keys}"), range(6))
        )

    assert {(answer.status_code, answer.json()["operation"]["id"]) for answer in answers} == {(202, first)}
    assert world.rows("SELECT state, refusals, operation_id FROM operation") == [("queued", 1, "1")]
    assert world.rows("SELECT COUNT(*) FROM operation_refusal")[0][0] == 1


def test_lines_beyond_a_brands_bound_are_refused_by_name_and_nothing_of_them_is_written(world: World) -> None:
    """SPEC 9.23"""
    world.member()
    world.app.state.moa.settings = replace(world.settings, backlog_lines_max=3)
    body = b"\n".join(orjson.dumps(purchase(number)) for number in range(5))
    told = [orjson.loads(line) for line in world.brand.write("/v1/purchases", body, **NDJSON).content.splitlines()]

    assert [line["status"] for line in told] == ["accepted"] * 3 + ["refused"] * 2
    assert {line["problem"]["error"] for line in told[3:]} == {"BacklogFull"}
    assert world.rows("SELECT COUNT(*) FROM event")[0][0] == world.rows("SELECT COUNT(*) FROM operation")[0][0] == 3
