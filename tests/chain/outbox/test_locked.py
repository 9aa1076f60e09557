"""What is not sent before its second: it stands in no queue until then, and can come back until then."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from chain.base.errors import QueueMoved
from chain.outbox import calls, fair_queue, locked, operations, transactions
from chain.outbox.fair_queue import BULK, PERSON
from chain.outbox.locked import GivenBack
from chain.outbox.operations import Change, Outcome
from chain.outbox.transactions import Plan
from chain.storage.database import writing

ADA = "0x" + "aa" * 20
SIGNER = "0x" + "51" * 20
HOUR_MS = 3_600_000
TRIES = 20


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def database_url(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'moa.db'}"
    found: str = request.getfixturevalue("postgresql")
    return found


def asked(connection: Connection, key: str = "order", due_ms: int | None = None, *, base_amount: int = 900) -> int:
    one = calls.award(key=key, brand=1, member=ADA, rule=1, base_amount=base_amount)
    return operations.enqueue(connection, replace(one, due_at_ms=due_ms))


def soon() -> int:
    return operations.now_ms() + HOUR_MS


def standing(connection: Connection, id: int) -> tuple[str, str]:
    found = operations.get(connection, id)
    assert found is not None
    return found.state, found.payload["base_amount"]


def queued(connection: Connection) -> list[int]:
    brands = [(bulk, fair_queue.brands(connection, bulk)) for bulk in (PERSON, BULK)]
    return [item.id for bulk, names in brands for item in fair_queue.heads(connection, bulk, names, 100)[0]]


def test_an_award_that_is_not_due_stands_in_no_queue_and_one_that_is_goes_at_once(engine: Engine) -> None:
    """SPEC 7.95"""
    with writing(engine) as connection:
        due_ms = soon()
        later = asked(connection, "later", due_ms)
        over = asked(connection, "over", operations.now_ms() - 1)
        plain = asked(connection, "plain")
        assert [standing(connection, id)[0] for id in (later, over, plain)] == ["locked", "queued", "queued"]
        assert queued(connection) == [over, plain]
        assert fair_queue.backlog(connection, 1, PERSON, 100) == 2
        assert locked.next_due_ms(connection) == due_ms
        assert operations.get(connection, later).due_at_ms == due_ms  # type: ignore[union-attr]
        assert locked.queue_due(connection, due_ms - 1, 10) == 0
        assert locked.queue_due(connection, due_ms, 10) == 1
        assert locked.queue_due(connection, due_ms, 10) == 0, "once"
        assert queued(connection) == [later, over, plain]
        assert locked.next_due_ms(connection) is None


def test_so_many_are_queued_in_a_round_the_oldest_second_first(engine: Engine) -> None:
    """SPEC 7.96"""
    due_ms = soon()
    with writing(engine) as connection:
        ids = [asked(connection, f"n {n}", due_ms + 1000 * (3 - n // 2)) for n in range(6)]
        assert locked.queue_due(connection, due_ms + HOUR_MS, 3) == 3
        assert sorted(queued(connection)) == sorted([ids[4], ids[5], ids[2]])


def locked_of(connection: Connection, brand: int, count: int, due_ms: int, *, bulk: bool = False) -> list[int]:
    made = [
        replace(calls.award(key=f"{brand} {bulk} {n}", brand=brand, member=ADA, rule=1, base_amount=9), bulk=bulk)
        for n in range(count)
    ]
    return [operations.enqueue(connection, replace(one, due_at_ms=due_ms)) for one in made]


def send(connection: Connection, id: int) -> None:
    """It leaves the queue."""
    connection.execute(text("UPDATE operation SET state = 'confirmed' WHERE id = :id"), {"id": id})


def test_locks_that_end_together_take_no_brand_past_its_bound_and_hold_up_no_other(engine: Engine) -> None:
    """SPEC 7.96, 9.23"""
    due_ms, bounds = soon(), {PERSON: 5, BULK: 3}
    with writing(engine) as connection:
        before = [asked(connection, "one"), asked(connection, "two")]
        many = locked_of(connection, 1, 9, due_ms)
        lines = locked_of(connection, 1, 4, due_ms, bulk=True)
        other = locked_of(connection, 2, 2, due_ms + 1)
        assert locked.queue_due(connection, due_ms + 1, 100, bounds) == 3 + 3 + 2
        assert sorted(queued(connection)) == sorted([*before, *many[:3], *lines[:3], *other])
        assert locked.queue_due(connection, due_ms + 1, 100, bounds) == 0, "full"
        # What is due and finds no room may come back still.
        assert locked.give_back(connection, many[3], 9) == GivenBack(9, 0, True)
        left = {*many[4:], lines[3]}
        while left:
            send(connection, min(set(queued(connection)) & {*before, *many}))
            send(connection, min(set(queued(connection)) & {*lines}, default=0))
            assert locked.queue_due(connection, due_ms + 1, 100, bounds) > 0
            left -= set(queued(connection))
            assert fair_queue.backlog(connection, 1, PERSON, 100) == bounds[PERSON]
            assert fair_queue.backlog(connection, 1, BULK, 100) <= bounds[BULK]


@pytest.mark.parametrize("seed", range(3))
def test_however_brands_fill_and_empty_no_bound_is_passed_and_everything_goes(engine: Engine, seed: int) -> None:
    """SPEC 7.96, 9.23"""
    print(f"seed {seed}")
    rng, due_ms = random.Random(seed), soon()
    bounds = {PERSON: rng.randint(1, 4), BULK: rng.randint(1, 4)}
    with writing(engine) as connection:
        ids = [
            id
            for brand in range(1, 5)
            for bulk in (False, True)
            for id in locked_of(connection, brand, rng.randint(0, 9), due_ms + rng.randrange(3), bulk=bulk)
        ]
        rounds = 0
        while {standing(connection, id)[0] for id in ids} != {"confirmed"}:
            assert (rounds := rounds + 1) < 500, "something never goes"
            locked.queue_due(connection, due_ms + 3, rng.randint(1, 6), bounds)
            for brand in range(1, 5):
                for bulk in (PERSON, BULK):
                    assert fair_queue.backlog(connection, brand, bulk, 100) <= bounds[bulk]
            for id in queued(connection):
                if rng.random() < 0.4:
                    send(connection, id)


@pytest.mark.parametrize("seed", range(4))
def test_over_any_times_nothing_is_queued_before_its_second_and_everything_at_the_first_look_after_it(
    engine: Engine, seed: int
) -> None:
    """SPEC 7.95, 7.96"""
    print(f"seed {seed}")
    rng = random.Random(seed)
    start_ms = soon()
    with writing(engine) as connection:
        dues = {asked(connection, f"n {n}", start_ms + rng.randrange(2_000)): 0 for n in range(60)}
        for id in dues:
            dues[id] = operations.get(connection, id).due_at_ms  # type: ignore[union-attr]
    at_ms = start_ms
    while at_ms < start_ms + 2_000:
        edge = rng.choice([*dues.values()]) + rng.choice((-1, 0))
        at_ms = max(at_ms, edge) if rng.random() < 0.5 else at_ms + rng.randrange(300)
        with writing(engine) as connection:
            while locked.queue_due(connection, at_ms, 7):
                pass
            assert sorted(queued(connection)) == sorted(id for id, due_ms in dues.items() if due_ms <= at_ms)


def test_goods_that_come_back_before_are_never_awarded(engine: Engine) -> None:
    """SPEC 7.97"""
    with writing(engine) as connection:
        due_ms = soon()
        id = asked(connection, due_ms=due_ms)
        assert locked.give_back(connection, id, 901) == GivenBack(900, 900, False)
        assert locked.give_back(connection, id, 0) == GivenBack(900, 900, False)
        assert locked.give_back(connection, id, -1) == GivenBack(900, 900, False)
        assert standing(connection, id) == ("locked", "900"), "what is refused changes nothing"
        assert locked.give_back(connection, id, 300) == GivenBack(900, 600, False)
        assert standing(connection, id) == ("locked", "600")
        assert locked.give_back(connection, id, 600) == GivenBack(600, 0, True)
        assert standing(connection, id) == ("cancelled", "600")
        assert locked.give_back(connection, id, 0) is None
        assert locked.queue_due(connection, due_ms, 10) == 0
        assert not operations.again(connection, id, Change(due_at_ms=due_ms)), "what is cancelled is not asked again"
        assert queued(connection) == []
        assert operations.get(connection, id).finished  # type: ignore[union-attr]


def test_an_award_of_nothing_comes_back_once_as_a_whole(engine: Engine) -> None:
    """SPEC 7.97, 2.23"""
    with writing(engine) as connection:
        id = asked(connection, due_ms=soon(), base_amount=0)
        assert locked.give_back(connection, id, 1) == GivenBack(0, 0, False)
        assert standing(connection, id)[0] == "locked"
        assert locked.give_back(connection, id, 0) == GivenBack(0, 0, True)
        assert standing(connection, id)[0] == "cancelled"


def test_what_is_queued_on_its_way_or_decided_is_the_contracts_to_take_back(engine: Engine) -> None:
    """SPEC 7.97"""
    with writing(engine) as connection:
        id = asked(connection)
        assert locked.give_back(connection, id, 900) is None
        assert locked.give_back(connection, id + 1, 900) is None, "there is none"
        for state in ("assigned", "sent", "mined", "confirmed"):
            connection.execute(text("UPDATE operation SET state = :s"), {"s": state})
            assert locked.give_back(connection, id, 900) is None
            assert standing(connection, id) == (state, "900")


def at_once(engine: Engine, acts: list[Callable[[Connection], Any]]) -> list[Any]:
    def run(act: Callable[[Connection], Any]) -> Any:
        with writing(engine) as connection:
            return act(connection)

    with ThreadPoolExecutor(len(acts)) as pool:
        return [one.result() for one in [pool.submit(run, act) for act in acts]]


@pytest.mark.parametrize("seed", range(3))
def test_of_twenty_returns_and_the_sender_at_once_the_database_decides(engine: Engine, seed: int) -> None:
    """SPEC 7.98: what was taken off before it was queued is not awarded; what comes later changes nothing."""
    print(f"seed {seed}")
    rng = random.Random(seed)
    due_ms = soon()
    with writing(engine) as connection:
        id = asked(connection, due_ms=due_ms)
    parts = [rng.randint(1, 90) for _ in range(TRIES)]
    acts: list[Callable[[Connection], Any]] = [
        lambda connection, part=part: locked.give_back(connection, id, part)  # type: ignore[misc]
        for part in parts
    ]
    acts.insert(rng.randrange(TRIES), lambda connection: locked.queue_due(connection, due_ms, 10))
    told = at_once(engine, acts)

    taken = [one for one in told if isinstance(one, GivenBack) and one.kept < one.left]
    with writing(engine) as connection:
        locked.queue_due(connection, due_ms, 10)
        state, base_amount = standing(connection, id)
    left = min((one.kept for one in taken), default=900)
    assert sum(one.left - one.kept for one in taken) == 900 - left, "each saw what those before it had left"
    assert len({one.kept for one in taken}) == len(taken)
    assert (state, int(base_amount)) == (("cancelled", taken[0].left) if left == 0 else ("queued", left))


def test_of_twenty_whole_returns_at_once_one_counts(engine: Engine) -> None:
    """SPEC 7.98"""
    with writing(engine) as connection:
        id = asked(connection, due_ms=soon())
    told = at_once(engine, [lambda connection: locked.give_back(connection, id, 900)] * TRIES)
    assert sorted(told, key=str) == sorted([GivenBack(900, 0, True), *[None] * (TRIES - 1)], key=str)


def test_twenty_workers_queue_once_and_nothing_that_was_cancelled_is_ever_given_a_nonce(engine: Engine) -> None:
    """SPEC 7.96, 7.98"""
    due_ms = soon()
    with writing(engine) as connection:
        ids = [asked(connection, f"n {n}", due_ms) for n in range(TRIES)]
        locked.give_back(connection, ids[0], 900)
        transactions.provision(connection, address=SIGNER, ref="signer/0", count=1)
    told = at_once(engine, [lambda connection: locked.queue_due(connection, due_ms, 100)] * TRIES)
    assert sum(told) == TRIES - 1
    with pytest.raises(QueueMoved), writing(engine) as connection:
        transactions.assign(connection, SIGNER, [Plan("batch", SIGNER, b"", 21_000, (ids[0],))])


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_what_somebody_is_about_to_take_back_holds_up_nothing_else(engine: Engine) -> None:
    """SPEC 7.98: it is looked at again in the next round. SQLite has one writer at a time anyway."""
    due_ms = soon()
    with writing(engine) as connection:
        taken, other = (asked(connection, key, due_ms) for key in ("taken", "other"))
    with engine.connect() as taking, taking.begin():
        assert locked.give_back(taking, taken, 1) == GivenBack(900, 899, False)
        with writing(engine) as connection:
            connection.execute(text("SET LOCAL lock_timeout = '1s'"))
            assert locked.queue_due(connection, due_ms, 10) == 1
            assert queued(connection) == [other]
    with writing(engine) as connection:
        assert locked.queue_due(connection, due_ms, 10) == 1
        assert standing(connection, taken) == ("queued", "899")


def test_what_somebody_else_awarded_before_its_second_counts_and_a_reorg_locks_it_again(engine: Engine) -> None:
    """SPEC 7.10, 7.12, 7.99"""
    stranger = Outcome("0xstranger", 5, "0xb", 0, brand=1, operation_id="1", ordering_key=ADA, result={"points": "1"})
    with writing(engine) as connection:
        id = asked(connection, due_ms=soon())
        operations.record_outcomes(connection, [stranger], "confirmed")
        assert standing(connection, id)[0] == "confirmed"
        operations.take_back(connection, 4)
        assert standing(connection, id)[0] == "locked"
        connection.execute(text("UPDATE operation SET due_at_ms = 1"))
        operations.record_outcomes(connection, [stranger], "mined")
        operations.take_back(connection, 4)
        assert standing(connection, id)[0] == "queued"


def test_a_refused_award_that_is_corrected_to_a_later_fact_is_locked_again(engine: Engine) -> None:
    """SPEC 7.34, 7.99"""
    with writing(engine) as connection:
        due_ms = soon()
        id = asked(connection)
        operations.fail(connection, id, "BudgetExceeded", {})
        assert operations.again(connection, id, Change(due_at_ms=due_ms))
        assert standing(connection, id)[0] == "locked"
        assert locked.queue_due(connection, due_ms, 10) == 1
