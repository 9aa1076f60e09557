"""What wakes a relayer that has nothing to do: something queued, and no sign of life."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, text

from chain.outbox import calls, operations
from chain.outbox.wake import Wake
from chain.relayer.loop import Relayer, RelayerSettings
from chain.storage.database import engine as make_engine
from chain.storage.database import writing
from chain.telemetry import heartbeat

MEMBER = "0x" + "aa" * 20


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def database_url(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'moa.db'}"
    found: str = request.getfixturevalue("postgresql")
    return found


def enqueue(engine: Engine, key: str = "one") -> int:
    other = make_engine(engine.url.render_as_string(hide_password=False))
    with writing(other) as connection:
        id = operations.enqueue(connection, calls.award(key=key, brand=1, member=MEMBER, rule=1, base_amount=1))
    other.dispose()
    return id


def noticed(wake: Wake) -> bool:
    """PostgreSQL delivers a notice after the commit that gave it, not with it."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if wake.changed():
            return True
        time.sleep(0.002)
    return False


def beat(engine: Engine, name: str) -> None:
    heartbeat.beat(engine, name, "working", "as ever")


def test_what_is_queued_is_noticed_once_and_a_sign_of_life_is_not(engine: Engine) -> None:
    """SPEC 7.37"""
    wake = Wake(engine)
    wake.changed()
    assert not wake.changed()
    beat(engine, "mirror")
    assert not wake.changed()
    id = enqueue(engine)
    assert noticed(wake)
    assert not wake.changed()
    with writing(engine) as connection:
        operations.fail(connection, id, "BudgetExceeded", {})
    assert not wake.changed()
    with writing(engine) as connection:
        operations.again(connection, id)
    assert noticed(wake)
    wake.close()


def test_a_database_that_cannot_be_asked_is_looked_at(engine: Engine, tmp_path: Any) -> None:
    """SPEC 7.37: a hint that is missing costs time, never an operation."""
    missing = make_engine(f"sqlite:///{tmp_path / 'no folder' / 'moa.db'}")
    wake = Wake(missing)
    assert wake.changed()
    assert wake.changed()
    missing.dispose()


class Polls:
    """Stands for the announced blocks: none comes, and at some polls something else happens."""

    def __init__(self, acts: dict[int, Callable[[], Any]]):
        self.acts, self.count = acts, 0
        self.subscribed = threading.Event()

    def wait(self, timeout_s: float) -> bool:
        self.count += 1
        assert self.count < 100, "it was never woken"
        self.acts.get(self.count, lambda: None)()
        return False


def test_a_relayer_with_nothing_to_do_sleeps_until_something_is_queued(engine: Engine) -> None:
    """SPEC 7.37"""
    polls = Polls({3: lambda: beat(engine, "relayer"), 6: lambda: enqueue(engine)})
    relayer = Relayer.__new__(Relayer)
    relayer.settings = RelayerSettings(idle_s=1e9)
    relayer._heads, relayer._announced, relayer._wake = polls, False, Wake(engine)
    relayer._idle = True
    relayer._wake.changed()
    relayer._pause(threading.Event())
    assert polls.count == 6

    relayer._idle = False
    relayer._pause(threading.Event())
    assert polls.count == 7, "with something under way it looks at every poll"
    relayer._wake.close()


def test_the_hint_is_not_taken_for_what_was_taken_back(engine: Engine) -> None:
    """SPEC 7.37: what rolled back was never queued."""
    wake = Wake(engine)
    wake.changed()
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        connection.rollback()
    assert not wake.changed()
    wake.close()
