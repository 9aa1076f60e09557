"""Rows whose numbers appear out of order: told once each, whatever commits when (SPEC 9.31).

A model of PostgreSQL's snapshots for every order of events, and PostgreSQL itself with two real transactions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from api import migrate
from api.kit.database import Database, Row
from api.kit.following import Followed, Gap, Position
from chain.outbox import operations
from chain.outbox.operations import NewOperation

ROWS_MAX = 3


@dataclass
class Postgres:
    """Transactions, their numbers and those of rows, as PostgreSQL gives and shows them."""

    xid: int = 10
    id: int = 0
    # Open transactions by name: (their number, the rows they wrote).
    open: dict[int, tuple[int, list[int]]] = field(default_factory=dict)
    shown: set[int] = field(default_factory=set)
    completed: int = 9

    def take_xid(self) -> int:
        self.xid += 1
        return self.xid - 1

    def begin(self, name: int) -> None:
        if name not in self.open:
            self.open[name] = (self.take_xid(), [])

    def write(self, name: int) -> None:
        if name in self.open:
            self.id += 1
            self.open[name][1].append(self.id)

    def end(self, name: int, *, commits: bool) -> None:
        if name in self.open:
            xid, rows = self.open.pop(name)
            self.completed = max(self.completed, xid)
            self.shown |= set(rows) if commits else set()


class Look:
    """A REPEATABLE READ snapshot of the model."""

    several_writers = True

    def __init__(self, server: Postgres) -> None:
        self._server = server
        self._shown = sorted(server.shown)
        beyond = server.completed + 1
        self._horizon = min([beyond, *(xid for xid, _ in server.open.values() if xid < beyond)])

    def rows(self, sql: str, *parameters: Any) -> Sequence[Row]:
        first, last = (parameters[0], parameters[1]) if "BETWEEN" in sql else (parameters[0] + 1, 2**63)
        return [(id, f"ordering_key {id}") for id in self._shown if first <= id <= last][: parameters[-1]]

    def row(self, sql: str, *parameters: Any) -> Row | None:
        return (max(self._shown, default=0),)

    def horizon(self) -> int:
        return self._horizon

    def mark(self) -> int:
        xid = self._server.take_xid()
        self._server.completed = max(self._server.completed, xid)
        return xid


STEPS = st.lists(
    st.tuples(st.sampled_from(["begin", "write", "write", "commit", "roll back", "look", "look"]), st.integers(0, 3)),
    max_size=60,
)


@settings(max_examples=400)
@given(before=STEPS, after=STEPS, gaps_max=st.sampled_from([1, 256]))
def test_every_row_is_told_once_whatever_commits_when(before: Any, after: Any, gaps_max: int) -> None:
    """SPEC 9.31"""
    server, followed = Postgres(), Followed("operation", "id, ordering_key")
    told: list[int] = []
    blind: set[int] = set()
    position: Position | None = None

    def look() -> None:
        nonlocal position
        seen = followed.look(Look(server), position, ROWS_MAX)
        told.extend(row[0] for row in seen.rows)
        if seen.everyone:
            # What the look did not name, it said to concern anybody.
            blind.update(server.shown)
        position = seen.position

    def play(steps: Any, *, looking: bool) -> None:
        for what, name in steps:
            if what == "begin":
                server.begin(name)
            elif what == "write":
                server.write(name)
            elif what == "look":
                if looking:
                    look()
            else:
                server.end(name, commits=what == "commit")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("api.kit.following.GAPS_MAX", gaps_max)
        play(before, looking=False)
        look()
        play(after, looking=True)
        for name in list(server.open):
            server.end(name, commits=name % 2 == 0)
        for _ in range(server.id + 4):
            look()

    assert set(told) | blind >= server.shown
    assert len(told) == len(set(told)), "nothing is told twice"
    assert position is not None
    assert (position.gaps, position.blind_until) == ((), None), "what is decided is forgotten"


def test_a_gap_is_looked_at_until_its_writers_have_ended() -> None:
    """SPEC 9.31: the order of events by which the highest number seen would be a trap."""
    server, followed = Postgres(), Followed("operation", "id, ordering_key")
    position = followed.look(Look(server), None, ROWS_MAX).position
    position = followed.look(Look(server), position, ROWS_MAX).position
    server.begin(1)
    server.begin(2)
    server.write(1)
    server.write(2)
    server.end(2, commits=True)

    first = followed.look(Look(server), position, ROWS_MAX)
    again = followed.look(Look(server), first.position, ROWS_MAX)
    server.end(1, commits=True)
    late = followed.look(Look(server), again.position, ROWS_MAX)

    assert [[row[0] for row in seen.rows] for seen in (first, again, late)] == [[2], [], [1]]
    assert [one.position.last for one in (first, again, late)] == [2, 2, 2]
    assert isinstance(again.position.gaps[0], Gap)
    assert late.position.gaps == ()


# PostgreSQL itself

POSTGRES = [pytest.mark.slow, pytest.mark.parametrize("url", ["postgres"], indirect=True)]


def asked(number: int, kind: str = "hold", ordering_key: str = "0xaa") -> NewOperation:
    return NewOperation(f"{kind}/{number}", kind, 1, ordering_key, {})


@pytest.fixture
def database(url: str) -> Any:
    migrate.run(url)
    made = Database(url)
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.parametrize("url", ["postgres"], indirect=True)
@pytest.mark.parametrize("ends", ["commits", "rolls back"])
@pytest.mark.parametrize("kind", ["hold", "award"])
def test_a_lower_number_that_commits_later_is_not_missed(database: Database, ends: str, kind: str) -> None:
    """SPEC 9.31: two transactions on PostgreSQL; the one with the lower number is the last to commit."""
    followed = Followed("operation", "id, ordering_key")
    with ExitStack() as late:
        position = database.reads(lambda read: followed.look(read, None, 10)).position
        slow = late.enter_context(database.engine.connect())
        lower = operations.enqueue(slow, asked(1, kind, "0xaa"))
        with database.write() as session:
            # Of another brand: awards of one brand queue for their dense ids.
            other = NewOperation("2", kind, 2, "0xbb", {})
            higher = operations.enqueue(session, other)
        assert lower < higher

        first = database.reads(lambda read: followed.look(read, position, 10))
        between = database.reads(lambda read: followed.look(read, first.position, 10))
        if ends == "commits":
            slow.commit()
        else:
            slow.rollback()
        last = database.reads(lambda read: followed.look(read, between.position, 10))
        after = database.reads(lambda read: followed.look(read, last.position, 10))

    assert [row[1] for row in first.rows] == ["0xbb"]
    assert between.rows == []
    assert [row[1] for row in last.rows] == (["0xaa"] if ends == "commits" else [])
    assert (after.rows, after.position.gaps, after.position.blind_until) == ([], (), None)


@pytest.mark.slow
@pytest.mark.parametrize("url", ["postgres"], indirect=True)
def test_what_was_under_way_at_the_first_look_concerns_anybody(database: Database) -> None:
    """SPEC 9.31"""
    followed = Followed("operation", "id, ordering_key")
    with database.engine.connect() as slow:
        operations.enqueue(slow, asked(1))
        with database.write() as session:
            operations.enqueue(session, asked(2))
        first = database.reads(lambda read: followed.look(read, None, 10))
        second = database.reads(lambda read: followed.look(read, first.position, 10))
        slow.commit()
    third = database.reads(lambda read: followed.look(read, second.position, 10))
    fourth = database.reads(lambda read: followed.look(read, third.position, 10))

    assert [one.everyone for one in (first, second, third, fourth)] == [True, True, True, False]


@pytest.mark.slow
@pytest.mark.parametrize("url", ["postgres"], indirect=True)
def test_what_is_settled_is_waited_for(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC 9.31"""
    followed = Followed("operation", "id")
    with database.write() as session:
        operations.enqueue(session, asked(1))
    assert asyncio.run(followed.settled(database.reads)) == 1

    monkeypatch.setattr("api.kit.following.LOOKS_MAX", 2)
    with database.engine.connect() as slow:
        operations.enqueue(slow, asked(2))
        assert asyncio.run(followed.settled(database.reads)) is None
        slow.commit()
    assert asyncio.run(followed.settled(database.reads)) == 2


def test_one_writer_at_a_time_needs_no_gaps(tmp_path: Any) -> None:
    """SPEC 9.31: on SQLite a writer has its turn before it numbers anything."""
    url = f"sqlite:///{tmp_path}/moa.db"
    migrate.run(url)
    database, followed = Database(url), Followed("operation", "id, ordering_key")
    position = database.reads(lambda read: followed.look(read, None, 10)).position
    for number in range(3):
        with database.write() as session:
            operations.enqueue(session, asked(number))
        with database.write() as session:
            operations.enqueue(session, asked(number))
            session.execute(text("DELETE FROM operation WHERE id = 2"))
    seen = database.reads(lambda read: followed.look(read, position, 10))

    assert [row[0] for row in seen.rows] == [1, 3]
    assert seen.position == Position(3)
    assert asyncio.run(followed.settled(database.reads)) == 3
    database.close()
