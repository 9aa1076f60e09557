"""Holds past their deadline are released by the worker itself: once each, by whomever, in bounded numbers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text

from chain.mirror.loop import Mirror
from chain.mirror.settings import MirrorSettings
from chain.node.rpc import Rpc
from chain.outbox import calls, operations
from chain.relayer.deadlines import AGAIN_MS, MARGIN_S, PAGE_ROWS, UNDER_WAY_MAX, Deadlines
from chain.storage.database import reading, writing
from tests.chain.following import follow
from tests.chain.mirror.test_mirror_plans import planned
from tests.support.scripted_node.brands import BRAND_ID
from tests.support.scripted_node.expiring import ExpiringBrand
from tests.support.scripted_node.node import ScriptedNode

SETTINGS = MirrorSettings(poll_s=0.01, undo_blocks_max=40, behind_grace_s=0.0)
# The scripted chain's time lies in the past: our clock is told, and stands before every deadline unless it is said.
EARLY = 0


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def database_url(request: pytest.FixtureRequest, tmp_path: object) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql"))
    return f"sqlite:///{tmp_path}/moa.db"


@pytest.fixture
def brand() -> Iterator[ExpiringBrand]:
    with ScriptedNode(seed=3) as node:
        yield ExpiringBrand(node, lifetime=14, seed=3)


@pytest.fixture
def mirror(engine: Engine, brand: ExpiringBrand) -> Iterator[Mirror]:
    rpc = Rpc(brand.node.url, timeout_s=10.0)
    yield Mirror(engine, rpc, brand.deployment, SETTINGS)
    rpc.close()


@pytest.fixture
def held(brand: ExpiringBrand, mirror: Mirror) -> str:
    """A hold of 100 points until 60 seconds after the chain's origin; the mirror is at second 20."""
    brand.give(brand.origin + 10, {brand.accounts[0]: 1_000})
    hold_id = brand.hold(brand.origin + 20, brand.accounts[0], 100, brand.origin + 60)
    follow(mirror)
    return hold_id


def looked(engine: Engine, brand: ExpiringBrand, at: int = EARLY) -> Deadlines:
    """A worker's first look, and what it knows."""
    made = Deadlines(engine, lambda: at)
    made.look()
    return made


def again(deadlines: Deadlines) -> bool:
    """Another look, without waiting for its second."""
    deadlines._next = 0.0
    return deadlines.look()


def asked(engine: Engine) -> list[Any]:
    with reading(engine) as connection:
        return [
            tuple(row)
            for row in connection.execute(
                text("SELECT key, kind, state, brand, ordering_key FROM operation ORDER BY id")
            )
        ]


def change(engine: Engine, sql: str, **values: Any) -> None:
    with writing(engine) as connection:
        connection.execute(text(sql), values)


def test_nothing_is_asked_before_the_deadline_nor_while_the_mirror_is_behind(
    brand: ExpiringBrand, mirror: Mirror, engine: Engine, held: str
) -> None:
    """SPEC 7.80"""
    brand.pass_to(brand.origin + 60, count=0)
    follow(mirror)
    # At its last second a till may still capture (3.5); our own clock may be ahead of the chain's.
    looked(engine, brand, brand.origin + 60 + MARGIN_S)
    change(engine, "UPDATE mirror_checkpoint SET state = 'backfilling'")
    looked(engine, brand, brand.origin + 10_000)
    assert asked(engine) == []


def test_a_hold_is_released_when_a_block_is_past_its_deadline_or_the_clock_well_past_it(
    brand: ExpiringBrand, mirror: Mirror, engine: Engine, held: str
) -> None:
    """SPEC 7.80: on a chain that nobody writes to no block would come."""
    right = (f"timeout/{held}", "timeout", "queued", BRAND_ID, brand.accounts[0])
    looked(engine, brand, brand.origin + 60 + MARGIN_S + 1)
    assert asked(engine) == [right]

    change(engine, "DELETE FROM operation")
    brand.pass_to(brand.origin + 61, count=0)
    follow(mirror)
    looked(engine, brand)
    assert asked(engine) == [right]


def test_many_workers_that_look_at_once_ask_once(
    brand: ExpiringBrand, mirror: Mirror, engine: Engine, held: str
) -> None:
    """SPEC 7.81"""
    brand.pass_to(brand.origin + 61, count=0)
    follow(mirror)
    workers = [Deadlines(engine, lambda: EARLY) for _ in range(4)]
    failures: list[BaseException] = []

    def look(worker: Deadlines) -> None:
        try:
            for _ in range(3):
                again(worker)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=look, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert [key for key, *_ in asked(engine)] == [f"timeout/{held}"]


def test_a_hold_that_somebody_is_about_to_end_is_left_to_them(
    brand: ExpiringBrand, mirror: Mirror, engine: Engine, held: str
) -> None:
    """SPEC 7.81"""
    brand.pass_to(brand.origin + 61, count=0)
    follow(mirror)
    with writing(engine) as connection:
        capture = calls.capture(key="c", brand=BRAND_ID, member=brand.accounts[0], hold_id=held, points=1)
        id = operations.enqueue(connection, capture)
    deadlines = looked(engine, brand)
    assert [key for key, *_ in asked(engine)] == ["c"]
    # It came too late and was refused: the hold is still open.
    with writing(engine) as connection:
        assert operations.fail(connection, id, "HoldOver", {})
    assert again(deadlines)
    assert [key for key, *_ in asked(engine)] == ["c", f"timeout/{held}"]


def test_many_holds_that_end_in_one_range_are_each_told_to_their_own_release(
    brand: ExpiringBrand, mirror: Mirror, engine: Engine, held: str
) -> None:
    """SPEC 7.82"""
    other = brand.hold(brand.origin + 61, brand.accounts[0], 50, brand.origin + 62)
    third = brand.hold(brand.origin + 62, brand.accounts[0], 20, brand.origin + 63)
    brand.pass_to(brand.origin + 64, count=0)
    follow(mirror)
    looked(engine, brand)
    ends = [
        brand.end_hold(brand.origin + 70 + points, brand.accounts[0], hold_id, points, timed_out=True)
        for hold_id, points in ((held, 100), (other, 50))
    ]
    follow(mirror)

    with reading(engine) as connection:
        found = {key: operations.get_by_key(connection, f"timeout/{key}") for key in (held, other, third)}
    assert [one and one.state for one in found.values()] == ["confirmed", "confirmed", "queued"]
    assert [one and one.block_hash for one in found.values()] == [*(block.hash for block in ends), None]


@pytest.mark.parametrize("before", ["queued", "failed"])
def test_a_hold_that_another_ended_meanwhile_is_no_failure_and_a_reorg_owes_it_again(
    brand: ExpiringBrand, mirror: Mirror, engine: Engine, held: str, before: str
) -> None:
    """SPEC 7.82: whether the relayer was refused first or the mirror saw it first."""
    brand.pass_to(brand.origin + 61, count=0)
    follow(mirror)
    deadlines = looked(engine, brand)
    if before == "failed":
        change(engine, "UPDATE operation SET state = 'failed', error = 'HoldStateWrong', error_args = '{}'")
    ended = brand.end_hold(brand.origin + 70, brand.accounts[0], held, 100, timed_out=True)
    follow(mirror)

    with reading(engine) as connection:
        operation = operations.get_by_key(connection, f"timeout/{held}")
    assert operation is not None
    assert (operation.state, operation.error, operation.error_args) == ("confirmed", None, None)
    assert (operation.block_number, operation.block_hash) == (ended.number, ended.hash)
    assert operation.result is not None
    assert operation.result["event"] == "HoldReleased"
    assert not again(deadlines)

    brand.take_back(1)
    brand.pass_to(brand.origin + 75, count=0)
    brand.pass_to(brand.origin + 76, count=0)
    follow(mirror)
    assert [row[:3] for row in asked(engine)] == [(f"timeout/{held}", "timeout", "queued")]


def test_a_release_that_failed_while_the_hold_stayed_open_is_asked_for_again_later(
    brand: ExpiringBrand, mirror: Mirror, engine: Engine, held: str
) -> None:
    """SPEC 7.83"""
    brand.pass_to(brand.origin + 61, count=0)
    follow(mirror)
    deadlines = looked(engine, brand)
    change(
        engine, "UPDATE operation SET state = 'failed', error = 'HoldRunning', error_args = '{}', transaction_id = 7"
    )
    assert not again(deadlines)
    assert asked(engine)[0][2] == "failed"
    change(engine, "UPDATE operation SET updated_at_ms = :at", at=int(time.time() * 1000) - AGAIN_MS - 1)

    assert again(deadlines)

    with reading(engine) as connection:
        operation = operations.get_by_key(connection, f"timeout/{held}")
    assert operation is not None
    assert (operation.state, operation.error, operation.transaction_id) == ("queued", None, None)


def test_thousands_are_released_a_few_at_a_time_and_none_is_forgotten(
    brand: ExpiringBrand, mirror: Mirror, engine: Engine, held: str
) -> None:
    """SPEC 7.84: more than two pages of holds; each look finds its rows by the index of open holds."""
    brand.pass_to(brand.origin + 61, count=0)
    follow(mirror)
    count = 2 * PAGE_ROWS + 17
    with writing(engine) as connection:
        (columns,) = {tuple(row._mapping) for row in connection.execute(text("SELECT * FROM hold"))}
        shown = ", ".join(":id" if name == "hold_id" else "'0xlane'" if name == "account" else name for name in columns)
        copy = text(f"INSERT INTO hold ({', '.join(columns)}) SELECT {shown} FROM hold WHERE hold_id = :of")
        connection.execute(copy, [{"id": f"0x{number:064x}", "of": held} for number in range(1_000, 1_000 + count)])
    deadlines = looked(engine, brand)
    done = 0
    for _ in range(count):
        under_way = sum(row[2] == "queued" for row in asked(engine))
        assert under_way <= UNDER_WAY_MAX
        done += under_way
        if done == count + 1:
            break
        # They come to their end on the chain, and the mirror has seen it.
        change(engine, "UPDATE hold SET state = 'timed_out' WHERE 'timeout/' || hold_id IN"
               " (SELECT key FROM operation WHERE state = 'queued')")  # fmt: skip
        change(engine, "UPDATE operation SET state = 'confirmed' WHERE state = 'queued'")
        again(deadlines)

    assert done == count + 1
    assert len({row[0] for row in asked(engine)}) == count + 1


def test_many_that_cannot_be_released_do_not_hide_the_one_that_can(
    brand: ExpiringBrand, mirror: Mirror, engine: Engine, held: str
) -> None:
    """SPEC 7.84"""
    brand.pass_to(brand.origin + 61, count=0)
    follow(mirror)
    with writing(engine) as connection:
        (columns,) = {tuple(row._mapping) for row in connection.execute(text("SELECT * FROM hold"))}
        shown = ", ".join({"hold_id": ":id", "hold_until": "hold_until - 30"}.get(name, name) for name in columns)
        copy = text(f"INSERT INTO hold ({', '.join(columns)}) SELECT {shown} FROM hold WHERE hold_id = :of")
        stuck = [f"0x{number:064x}" for number in range(1_000, 1_000 + 2 * PAGE_ROWS)]
        connection.execute(copy, [{"id": hold_id, "of": held} for hold_id in stuck])
        operations.enqueue_many(
            connection, [calls.timeout(brand=BRAND_ID, member=brand.accounts[0], hold_id=hold_id) for hold_id in stuck]
        )
        connection.execute(text("UPDATE operation SET state = 'failed', error = 'LotOverflow'"))
    deadlines = looked(engine, brand)
    again(deadlines)
    again(deadlines)

    assert [row[0] for row in asked(engine) if row[2] == "queued"] == [f"timeout/{held}"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_look_costs_the_same_however_many_holds_have_ended(
    brand: ExpiringBrand, mirror: Mirror, engine: Engine, held: str
) -> None:
    """SPEC 7.84"""
    brand.pass_to(brand.origin + 61, count=0)
    with planned(engine) as walks:
        follow(mirror)
        deadlines = looked(engine, brand)
        assert not again(deadlines)
        brand.end_hold(brand.origin + 70, brand.accounts[0], held, 100, timed_out=True)
        follow(mirror)

    assert len(asked(engine)) == 1
    assert not walks, "\n".join(walks)
