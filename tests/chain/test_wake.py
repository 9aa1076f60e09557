"""What wakes a relayer that has nothing to do: something queued, and no sign of life."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine, Integer, insert, text
from sqlmodel import SQLModel

from chain.base.clock import now_ms
from chain.mirror.models import Hold
from chain.outbox import calls, operations
from chain.outbox.wake import Wake
from chain.relayer.deadlines import MARGIN_S, Deadlines
from chain.relayer.loop import Relayer, RelayerSettings
from chain.storage import doorbell
from chain.storage.columns import table_of
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


def a_hold(number: int, until: int, state: str) -> dict[str, Any]:
    columns = table_of(Hold).columns
    empty: dict[str, Any] = {column.name: 0 if isinstance(column.type, Integer) else "0" for column in columns}
    return {**empty, "hold_id": f"0x{number:064x}", "hold_until": until, "state": state}


class Quiet:
    """Stands for the announced blocks: none comes, or one at each of some looks."""

    def __init__(self, at: frozenset[int] = frozenset()):
        self.at, self.count = at, 0
        self.subscribed = threading.Event()

    def wait(self, timeout_s: float) -> bool:
        self.count += 1
        return self.count in self.at


class Waits(Wake):
    """The real one; before some of its waits something else happens, and what it was asked to wait is kept."""

    def __init__(self, engine: Engine, acts: dict[int, Callable[[], Any]]):
        super().__init__(engine)
        self.acts, self.asked_s = acts, list[float]()

    def wait(self, timeout_s: float) -> bool:
        self.asked_s.append(timeout_s)
        assert len(self.asked_s) < 100, "it was never woken"
        self.acts.get(len(self.asked_s), lambda: None)()
        # A wait that is woken ends long before this.
        return super().wait(20.0 if len(self.asked_s) in self.acts else 0.0)


def idle_relayer(engine: Engine, heads: Quiet, wake: Wake, settings: RelayerSettings) -> Relayer:
    relayer = Relayer.__new__(Relayer)
    relayer.engine, relayer.settings = engine, settings
    relayer._heads, relayer._announced, relayer._wake = heads, False, wake
    relayer._idle, relayer._idle_s = True, 0.0
    relayer.deadlines = Deadlines(engine, SimpleNamespace())
    wake.changed()
    return relayer


def test_a_relayer_with_nothing_to_do_sleeps_until_something_is_queued(engine: Engine) -> None:
    """SPEC 7.37"""
    wake = Waits(engine, {3: lambda: enqueue(engine)})
    settings = RelayerSettings(idle_s=1e9, idle_s_max=1e9)
    heads = Quiet()
    relayer = idle_relayer(engine, heads, wake, settings)
    relayer._sleep(heads, threading.Event())
    assert wake.asked_s == [settings.idle_look_s] * 3

    relayer._idle = False
    relayer._pause(threading.Event())
    assert len(wake.asked_s) == 3, "with something under way it looks at every poll"
    assert heads.count == 3
    wake.close()


def test_the_longer_nothing_comes_the_longer_it_sleeps_up_to_a_bound(engine: Engine) -> None:
    """SPEC 7.37"""
    wake = Waits(engine, {})
    settings = RelayerSettings(idle_s=1e-6, idle_s_max=4e-6)
    relayer = idle_relayer(engine, Quiet(), wake, settings)
    slept = []
    for _ in range(4):
        relayer._pause(threading.Event())
        slept.append(relayer._idle_s)
    assert slept == [1e-6, 2e-6, 4e-6, 4e-6]

    relayer._idle = False
    relayer._pause(threading.Event())
    assert relayer._idle_s == 0.0, "after work it begins anew"
    wake.close()


def test_a_block_of_others_shortens_the_sleep(engine: Engine) -> None:
    """SPEC 7.37: a hold may have come with it whose deadline is soon."""
    wake = Waits(engine, {})
    heads = Quiet(frozenset({1}))
    relayer = idle_relayer(engine, heads, wake, RelayerSettings(idle_s=1e-6, idle_s_max=1e9))
    relayer._idle_s = 1e9
    relayer._pause(threading.Event())
    assert heads.count == 1
    assert relayer._announced
    assert relayer._idle_s == 0.0
    wake.close()


def test_nobody_sleeps_past_what_time_brings(engine: Engine) -> None:
    """SPEC 7.35, 7.37, 7.80, 7.96: the soonest of a deadline, another try and the end of a lock."""
    relayer = idle_relayer(engine, Quiet(), Wake(engine), RelayerSettings())
    assert relayer._next_due_s() == float("inf")
    id = enqueue(engine)
    with writing(engine) as connection:
        connection.execute(
            text("UPDATE operation SET state = 'waiting', retry_at_ms = :at WHERE id = :id"),
            {"at": now_ms() + 3_600_000, "id": id},
        )
    assert 3_500 < relayer._next_due_s() <= 3_600
    one = calls.award(key="locked", brand=1, member=MEMBER, rule=1, base_amount=1)
    with writing(engine) as connection:
        operations.enqueue(connection, replace(one, due_at_ms=now_ms() + 1_800_000))
    assert 1_700 < relayer._next_due_s() <= 1_800
    relayer.deadlines = Deadlines(engine, lambda: 1_000.0)
    for hold, until, state in ((1, 1_060, "held"), (2, 1_050, "held"), (3, 1_001, "captured")):
        with writing(engine) as connection:
            connection.execute(insert(table_of(Hold)).values(a_hold(hold, until, state)))
    assert relayer._next_due_s() == 50 + MARGIN_S
    relayer._wake.close()


def test_a_bell_that_nobody_hears_or_that_is_no_bell_costs_nothing(tmp_path: Any) -> None:
    """SPEC 7.37"""
    database = str(tmp_path / "moa.db")
    path = doorbell.path_of(database)
    assert not doorbell.ring(path), "there is none"
    bell = doorbell.Doorbell(database)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert not bell.heard()
    for _ in range(3):
        assert doorbell.ring(path)
    assert bell.heard()
    assert not bell.heard(), "one look hears all that rang before"
    bell.close()
    assert not doorbell.ring(path), "the pipe is there and nobody listens"
    os.unlink(path)
    (tmp_path / "moa.db.bell").write_text("a file of somebody's")
    assert not doorbell.ring(path)
    assert (tmp_path / "moa.db.bell").read_text() == "a file of somebody's"
    with pytest.raises(FileExistsError):
        doorbell.Doorbell(database)


def test_the_bell_rings_for_what_is_queued_once_it_is_committed(tmp_path: Any) -> None:
    """SPEC 7.37: not before, and for no sign of life."""
    engine = make_engine(f"sqlite:///{tmp_path / 'moa.db'}")
    with writing(engine) as connection:
        SQLModel.metadata.create_all(connection)
    bell = doorbell.Doorbell(str(tmp_path / "moa.db"))
    beat(engine, "mirror")
    assert not bell.heard()
    wanted = calls.award(key="one", brand="cafe", member=MEMBER, rule=1, base_amount=1)
    with writing(engine) as connection:
        id = operations.enqueue(connection, wanted)
        assert not bell.heard(), "nobody could see it yet"
    assert bell.heard()
    with writing(engine) as connection:
        assert operations.enqueue(connection, wanted) == id
    assert not bell.heard(), "the second time nothing is queued"
    with writing(engine) as connection:
        operations.take_back(connection, 0)
    assert bell.heard()
    bell.close()
    engine.dispose()


def test_without_a_bell_commits_are_looked_for(tmp_path: Any) -> None:
    """SPEC 7.37: what is no pipe leaves the look at the commits."""
    (tmp_path / "moa.db.bell").write_text("")
    engine = make_engine(f"sqlite:///{tmp_path / 'moa.db'}")
    with writing(engine) as connection:
        SQLModel.metadata.create_all(connection)
    wake = Wake(engine)
    wake.changed()
    assert not wake.wait(0.0)
    enqueue(engine)
    assert wake.wait(0.0)
    wake.close()
    engine.dispose()


def test_the_hint_is_not_taken_for_what_was_taken_back(engine: Engine) -> None:
    """SPEC 7.37: what rolled back was never queued."""
    wake = Wake(engine)
    wake.changed()
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        connection.rollback()
    assert not wake.changed()
    wake.close()
