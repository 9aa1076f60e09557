"""A database that goes away under a mirror: waited for, ever less often, and the state is right when it is back."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from chain.base.errors import ChainReplaced, DatabaseAway, DatabaseUnusable, LeaderElsewhere, MirrorMismatch
from chain.erc20 import follower as follower_module
from chain.erc20 import waiting as waiting_module
from chain.erc20.follower import Follower
from chain.erc20.waiting import Waiting
from scripts.cli.mirror import _verdict
from tests.erc20.conftest import Books, Running, given_back, until
from tests.erc20.test_behind import Clock
from tests.support.scripted_node.node import ScriptedNode
from tests.support.scripted_node.tokens import Traffic


class Place:
    """A database that can be taken away, so that it is not there at all, and given back."""

    def __init__(self, url: str, take: Callable[[], None], give: Callable[[], None]):
        self.url = url
        self.take = take
        self.give = give


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A folder that is moved, as a mount that leaves; a database that is renamed, as while a backup is restored."""
    if request.param == "sqlite":
        folder, elsewhere = tmp_path / "mount", tmp_path / "elsewhere"
        folder.mkdir()
        yield Place(f"sqlite:///{folder}/mirror.db", lambda: _move(folder, elsewhere), lambda: _move(elsewhere, folder))
        return
    server: str = request.getfixturevalue("server")
    with closing(psycopg.connect(server, autocommit=True)) as session:
        session.execute("CREATE DATABASE moa_away")

        def take() -> None:
            session.execute("ALTER DATABASE moa_away ALLOW_CONNECTIONS false")
            session.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'moa_away'")
            until(lambda: not session.execute("SELECT 1 FROM pg_stat_activity WHERE datname = 'moa_away'").fetchall())
            session.execute("ALTER DATABASE moa_away RENAME TO moa_elsewhere")

        def give() -> None:
            session.execute("ALTER DATABASE moa_elsewhere RENAME TO moa_away")
            session.execute("ALTER DATABASE moa_away ALLOW_CONNECTIONS true")

        yield Place(server.replace("/postgres?", "/moa_away?"), take, give)
        given_back(server)
        session.execute("DROP DATABASE IF EXISTS moa_away WITH (FORCE)")
        session.execute("DROP DATABASE IF EXISTS moa_elsewhere WITH (FORCE)")


def _move(source: Path, target: Path) -> None:
    source.rename(target)


@pytest.fixture
def database_url(place: Place) -> str:
    return place.url


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second is a fiftieth."""
    monkeypatch.setattr(follower_module, "DATABASE_POLL_S", 0.01)
    monkeypatch.setattr(follower_module, "DATABASE_POLL_S_MAX", 0.1)


def test_a_database_that_is_gone_while_it_runs_is_waited_for_and_the_state_is_right_when_it_is_back(
    running: Any, place: Place, traffic: Traffic, node: ScriptedNode, quick: None, caplog: Any
) -> None:
    """SPEC 8.39: before, this ended the mirror with exit code 2, and the row said `live` for ever."""
    caplog.set_level(logging.INFO)
    books = Books(place.url, node)
    traffic.mine(blocks=5, transfers=2)
    one: Running = running()
    until(lambda: books.at_head() and books.checkpoint()[2] == "live")
    place.take()
    # A session that was ended says so at its next statement.
    traffic.mine(blocks=1, transfers=2)
    until(lambda: "cannot be used" in caplog.text or "There is no folder" in caplog.text)
    assert one.failures == []
    # It comes back while the node is away: nobody knows whether it is at the head, and it does not say so.
    node.down()
    traffic.mine(blocks=3, transfers=2)
    place.give()
    until(lambda: books.checkpoint()[2] != "live")
    assert books.checkpoint()[2:] in [("backfilling", None), ("waiting", books.checkpoint()[3])]
    node.up()
    until(lambda: books.at_head() and books.checkpoint()[2] == "live")
    books.check()
    assert "the database is there again after" in caplog.text
    assert one.failures == []


def test_a_database_that_stays_unusable_ends_it_after_a_time_that_is_stated(
    running: Any, place: Place, traffic: Traffic, node: ScriptedNode, quick: None
) -> None:
    """SPEC 8.39"""
    books = Books(place.url, node)
    traffic.mine(blocks=5, transfers=2)
    one: Running = running(database_patience_s=0.3)
    until(lambda: books.at_head() and books.checkpoint()[2] == "live")
    place.take()
    traffic.mine(blocks=1, transfers=2)
    until(lambda: bool(one.failures))
    (error,) = one.failures
    one.failures.clear()
    assert isinstance(error, DatabaseUnusable)
    assert one.follower.begun
    place.give()


def test_five_minutes_are_what_is_stated() -> None:
    """SPEC 8.39"""
    assert follower_module.DATABASE_PATIENCE_S == 300.0
    assert (follower_module.DATABASE_POLL_S, follower_module.DATABASE_POLL_S_MAX) == (0.5, 5.0)


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize(
    "error", [DatabaseUnusable("gone"), MirrorMismatch("token", "a", "b"), ChainReplaced("1", "61", "chain id")]
)
def test_2_is_for_what_never_began_and_1_for_what_stopped(error: Exception, begun: bool, capsys: Any) -> None:
    """SPEC 8.36"""
    assert _verdict([error], begun=begun) == (1 if begun else 2)
    assert capsys.readouterr().err == f"{type(error).__name__}: {error}\n"


# What it says while it waits


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(waiting_module, "time", made)
    return made


class Stop(threading.Event):
    """A wait that takes no time and is told to the clock."""

    def __init__(self, clock: Clock):
        super().__init__()
        self.clock = clock
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.waits.append(timeout)
        self.clock.now += timeout
        return False


def said(caplog: Any) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_a_standby_says_so_once_a_minute_and_that_it_leads(clock: Clock, caplog: Any) -> None:
    """SPEC 8.38: before, it warned once a second."""
    caplog.set_level(logging.INFO)
    stop, lead = Stop(clock), Waiting("this mirror leads", 1.0, 1.0, logging.INFO)
    for _ in range(150):
        lead.wait(stop, LeaderElsewhere("Another mirror leads this database."))
    assert said(caplog) == ["waiting: Another mirror leads this database."] * 3
    assert {record.levelno for record in caplog.records} == {logging.INFO}
    assert lead.lasts_s == 150.0
    lead.over()
    lead.over()
    assert said(caplog)[3:] == ["this mirror leads after 150.0 s"]
    assert lead.lasts_s == 0.0


def test_it_waits_ever_longer_and_from_the_beginning_next_time(clock: Clock, caplog: Any) -> None:
    """SPEC 8.39"""
    stop, database = Stop(clock), Waiting("the database is there again", 0.5, 5.0)
    for _ in range(6):
        database.wait(stop, DatabaseAway("gone"))
    assert stop.waits == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    database.over()
    database.wait(stop, DatabaseAway("gone"))
    assert stop.waits[-1] == 0.5
    assert said(caplog).count("waiting: gone") == 2


def test_another_kind_of_trouble_is_said_at_once(clock: Clock, caplog: Any) -> None:
    """SPEC 8.38: by its kind, for the words may differ each time."""
    stop, database = Stop(clock), Waiting("the database is there again", 0.5, 0.5)
    for second in range(20):
        database.wait(stop, DatabaseAway(f"for {second} s"))
        database.wait(stop, DatabaseUnusable(f"for {second} s"))
    assert said(caplog) == ["waiting: for 0 s", "waiting: for 0 s"]


def test_of_two_in_one_process_the_standby_says_it_once(
    running: Any, place: Place, traffic: Traffic, node: ScriptedNode, caplog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SPEC 8.38"""
    monkeypatch.setattr(follower_module, "LEADER_POLL_S", 0.01)
    caplog.set_level(logging.INFO)
    books = Books(place.url, node)
    traffic.mine(blocks=5, transfers=2)
    first: Running = running()
    until(books.at_head)
    tries: list[int] = []
    standby = Running(Follower(first.follower.settings), first.heads.__class__(node.url))
    opened = standby.follower.store.open

    def open_() -> None:
        tries.append(1)
        opened()

    monkeypatch.setattr(standby.follower.store, "open", open_)
    standby.start()
    try:
        until(lambda: len(tries) > 20)
        assert said(caplog).count("waiting: Another mirror leads this database.") == 1
        first.end(succeeded=True)
        traffic.mine(blocks=1, transfers=2)
        until(books.at_head)
    finally:
        # One that is left running would lead the database of every later test.
        standby.end()
    assert any(text.startswith("this mirror leads after") for text in said(caplog))
