"""The queue as it is read: brands in turns, persons before lines, a member's order kept, and never by a walk."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text

from chain.outbox import calls, fair_queue, locked, operations
from chain.outbox.batching import Choice, choose
from chain.outbox.fair_queue import BULK, PERSON
from chain.outbox.operations import NewOperation
from chain.storage.database import reading, writing

LANES = [f"0x{number:040x}" for number in range(6)]
BRANDS = ANT, BEE, CAT, DOG = 1, 2, 3, 4
ROWS = 100_000


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def database_url(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'moa.db'}"
    found: str = request.getfixturevalue("postgresql")
    return found


def award(key: str, brand: int = ANT, ordering_key: str = LANES[0], *, bulk: bool = False) -> NewOperation:
    return calls.award(key=key, brand=brand, member=ordering_key, rule=1, base_amount=5, bulk=bulk)


def release(key: str, brand: int = ANT, ordering_key: str = LANES[0]) -> NewOperation:
    return calls.release(key=key, brand=brand, member=ordering_key, hold_id="0x" + "11" * 32)


def picked(items: Any, *, busy_awards: Any = (), busy_singles: Any = (), items_max: int = 3) -> Choice:
    return choose(
        items, busy_awards=frozenset(busy_awards), busy_singles=frozenset(busy_singles), items_max=items_max,
        delay_ms=0, singles_max=4, at_ms=2**60,
    )  # fmt: skip


def taken(choice: Choice) -> list[int]:
    return [item.id for item in choice.singles] + [item.id for batch in choice.batches for item in batch]


def test_the_brands_have_their_turn_one_after_the_other(engine: Engine) -> None:
    """SPEC 7.30"""
    with writing(engine) as connection:
        operations.enqueue_many(connection, [award(f"ant {n}", ANT, f"0x{n:040x}", bulk=True) for n in range(300)])
        operations.enqueue_many(connection, [award(f"bee {n}", BEE, f"0x{n:040x}", bulk=True) for n in range(5)])
        operations.enqueue(connection, award("cat", CAT, bulk=True))
    with reading(engine) as connection:
        assert fair_queue.brands(connection, BULK) == [ANT, BEE, CAT]
        assert fair_queue.brands(connection, BULK, ANT) == [BEE, CAT, ANT]
        assert fair_queue.brands(connection, BULK, ANT, 2) == [BEE, CAT]
        assert fair_queue.brands(connection, PERSON) == []
        found, full = fair_queue.heads(connection, BULK, [BEE, CAT, ANT], 60)
    assert full
    assert [item.brand for item in found[:5]] == [BEE, CAT, ANT, BEE, ANT]
    assert Counter(item.brand for item in found) == {ANT: 32, BEE: 5, CAT: 1}
    batches = picked(found).batches
    assert [batch[0].brand for batch in batches[:5]] == [BEE, ANT, CAT, BEE, ANT]


def test_what_a_person_waits_for_stands_apart_and_draws_what_its_member_asked_for_before(engine: Engine) -> None:
    """SPEC 7.4, 7.31: the lines of that member go first, the lines of others do not."""
    with writing(engine) as connection:
        lines = [award(f"line {n}", ANT, LANES[n % 3], bulk=True) for n in range(9)]
        ids = operations.enqueue_many(connection, lines)
        hold = operations.enqueue(connection, release("hold", BEE, LANES[1]))
    with reading(engine) as connection:
        found, _ = fair_queue.heads(connection, PERSON, fair_queue.brands(connection, PERSON), 100)
        assert [(item.id, item.held) for item in found] == [(hold, True)]
        drawn = fair_queue.drawn(connection, [LANES[1]])
    assert [item.id for item in drawn] == [ids[1], ids[4], ids[7], hold]
    assert sorted(taken(picked([*drawn[:3], *found]))) == [ids[1], ids[4], ids[7]]


def test_a_single_purchase_goes_past_the_lines_of_its_own_member_and_never_past_a_hold(engine: Engine) -> None:
    """SPEC 7.4"""
    with writing(engine) as connection:
        operations.enqueue(connection, award("line", bulk=True))
        till = operations.enqueue(connection, award("till"))
        operations.enqueue(connection, release("hold"))
        later = operations.enqueue(connection, award("later"))
    with reading(engine) as connection:
        found, _ = fair_queue.heads(connection, PERSON, [ANT], 100)
    assert taken(picked(found)) == [till]
    assert next(item for item in found if item.id == later).held


def test_the_backlog_is_counted_by_brand_and_kind_up_to_its_bound(engine: Engine) -> None:
    """SPEC 7.32"""
    with writing(engine) as connection:
        operations.enqueue_many(connection, [award(f"n {n}", bulk=True) for n in range(7)])
        operations.enqueue(connection, award("one"))
    with reading(engine) as connection:
        found = [fair_queue.backlog(connection, ANT, BULK, most) for most in (3, 7, 100)]
        assert found == [3, 7, 7]
        assert fair_queue.backlog(connection, ANT, PERSON, 100) == 1
        assert fair_queue.backlog(connection, BEE, BULK, 100) == 0


def _round(connection: Connection, moving: set[int], turns: dict[int, Any], rng: random.Random) -> list[int]:
    """One look as the relayer makes it; what is taken is under way until the walk says otherwise."""
    busy = connection.execute(text("SELECT id, ordering_key, kind FROM operation WHERE state = 'assigned'")).all()
    awards = {ordering_key for _, ordering_key, kind in busy if kind == "award"}
    singles = {ordering_key for _, ordering_key, kind in busy if kind != "award"}
    chosen: list[int] = []
    for bulk in (PERSON, BULK):
        names = fair_queue.brands(connection, bulk, turns[bulk])
        found, _ = fair_queue.heads(connection, bulk, names, rng.randint(1, 12))
        if bulk == PERSON and any(item.held for item in found):
            drawn = fair_queue.drawn(connection, [item.ordering_key for item in found if item.held])
            found = list({item.id: item for item in [*drawn, *found]}.values())
        choice = picked(found, busy_awards=awards, busy_singles=singles, items_max=rng.randint(1, 3))
        some = taken(choice)
        for item in found:
            if item.id in some:
                (awards if item.kind == "award" else singles).add(item.ordering_key)
        chosen += some
        for id in some:
            connection.execute(text("UPDATE operation SET state = 'assigned' WHERE id = :id"), {"id": id})
        turns[bulk] = names[0] if names else turns[bulk]
    moving |= set(chosen)
    return chosen


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_asked_nothing_overtakes_what_it_must_follow_and_everything_goes(engine: Engine, seed: int) -> None:
    """SPEC 7.4, 7.30, 7.31: a hold follows all of its member; an award follows its member's holds and, within one
    brand's lines or requests, its member's awards."""
    print(f"seed {seed}")
    rng = random.Random(seed)
    asked: dict[int, NewOperation] = {}
    moving: set[int] = set()
    done: set[int] = set()
    turns: dict[int, Any] = {PERSON: None, BULK: None}
    for number in range(400):
        with writing(engine) as connection:
            if number < 120 and rng.random() < 0.7:
                kind = rng.choice(["line", "line", "line", "till", "hold"])
                brand, ordering_key = rng.choice(BRANDS), rng.choice(LANES)
                one = release(f"{number}", brand, ordering_key) if kind == "hold" else award(
                    f"{number}", brand, ordering_key, bulk=kind == "line"
                )  # fmt: skip
                asked[operations.enqueue(connection, one)] = one
            before = set(moving)
            order = _round(connection, moving, turns, rng)
            for place, id in enumerate(order):
                mine = asked[id]
                ahead = before | done | set(order[:place])
                for earlier, other in asked.items():
                    if earlier >= id or other.ordering_key != mine.ordering_key or earlier in ahead:
                        continue
                    same = (other.brand, other.bulk) == (mine.brand, mine.bulk)
                    must = mine.kind != "award" or other.kind != "award" or same
                    assert not must, f"seed {seed}: {id} {mine} overtook {earlier} {other}"
                if mine.kind != "award":
                    assert all(asked[one].ordering_key != mine.ordering_key for one in before - done), (
                        f"seed {seed}: not clear"
                    )
            for id in [one for one in sorted(moving - done) if rng.random() < 0.5]:
                connection.execute(text("UPDATE operation SET state = 'mined' WHERE id = :id"), {"id": id})
                done.add(id)
        if number >= 120 and done == set(asked):
            break
    assert done == set(asked), f"seed {seed}: {len(asked) - len(done)} never went"


def test_no_look_into_the_queue_walks_through_what_is_queued_or_done(engine: Engine) -> None:
    """SPEC 7.33"""
    sqlite = engine.dialect.name == "sqlite"
    numbers = (
        f"(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {ROWS}) SELECT n FROM s)"
        if sqlite
        else f"(SELECT n FROM generate_series(1, {ROWS}) AS s(n))"
    )
    insert = (
        "INSERT INTO operation (key, kind, brand, ordering_key, payload, state, bulk, refusals, retry_at_ms, due_at_ms,"
        " created_at_ms, updated_at_ms) SELECT 'n' || n, CASE WHEN n % 50 = 0 THEN 'release' ELSE 'award' END,"
        " 1 + n / 8 % 4, '0x' || n / 3, '{}',"
        " CASE WHEN n % 8 = 1 THEN 'locked' ELSE 'queued' END,"
        f" CASE WHEN n % 9 = 0 THEN 0 ELSE 1 END, 0, n, n, 0, 0 FROM {numbers} AS numbers"
    )
    # Half of it queued by four brands, the rest done, locked, refused or waiting.
    decided = (
        "UPDATE operation SET state = CASE id % 8 WHEN 0 THEN 'confirmed' WHEN 2 THEN 'failed'"
        " ELSE 'waiting' END WHERE id % 8 IN (0, 2, 3)"
    )
    with writing(engine) as connection:
        connection.execute(text(insert))
        connection.execute(text(decided))
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("ANALYZE operation")
    walks: list[str] = []

    def plan(_: Any, cursor: Any, statement: str, values: Any, context: Any, many: bool) -> None:
        if statement.startswith(("SELECT", "WITH")):
            asking = cursor.connection.cursor()
            words = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
            asking.execute(f"{words} {statement}", values)
            steps = "\n".join(str(row[-1]) for row in asking.fetchall())
            asking.close()
            walked = "SCAN operation" in steps or "SCAN o\n" in steps or "SCAN e" in steps or "TEMP B-TREE" in steps
            # An index of all states leads past everything that is queued.
            wide = "operation_state_id" in steps or "operation_brand_state_kind" in steps
            if walked or wide or "Seq Scan on operation" in steps or "Sort" in steps:
                walks.append(f"{statement}\n{steps}")

    event.listen(engine, "before_cursor_execute", plan)
    with reading(engine) as connection:
        for bulk in (PERSON, BULK):
            names = fair_queue.brands(connection, bulk, BEE)
            fair_queue.heads(connection, bulk, names, 100)
            fair_queue.heads(connection, bulk, names, 100, {LANES[0]})
            fair_queue.backlog(connection, ANT, bulk, 100)
        fair_queue.drawn(connection, LANES)
        operations.any_due(connection, 5)
        locked.next_due_ms(connection)
        locked.queue_due(connection, 0, 10)
        of_a_member = "SELECT id FROM operation WHERE ordering_key = '0x7' AND state = 'locked'"
        connection.exec_driver_sql(f"{of_a_member} ORDER BY ordering_key, due_at_ms, id LIMIT 10")
        operations.refused_ids(connection, ANT, ("failed", "waiting"), 100, 10)
    with writing(engine) as connection:
        # One brand has room for what is due.
        connection.execute(text("UPDATE operation SET state = 'confirmed' WHERE state = 'queued' AND brand = 4"))
        assert locked.queue_due(connection, ROWS, 10, {PERSON: 100, BULK: 100}) == 10
    event.remove(engine, "before_cursor_execute", plan)
    assert not walks, "\n\n".join(walks)
