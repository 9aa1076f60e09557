"""When the log's sequencer has something to do, to the millisecond."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, cast

import orjson
import pytest

from api.audit_log import loop, sequencer
from api.audit_log.loop import GRACE_MS, due, sequencer_of
from api.audit_log.recording import record
from api.audit_log.sequencer import Sequencer, Step, close_windows
from api.kit.database import Snapshot
from tests.api.conftest import World, Worlds

WINDOW_MS, EVERY_MS, REFRESH_MS, NOW_MS = 60_000, 1_000, 3_600_000, 10_000_000


class Hours:
    """A sequencer's own times."""

    window_ms, every_ms, refresh_ms = WINDOW_MS, EVERY_MS, REFRESH_MS


@pytest.fixture
def quiet(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Nothing is recorded, counted or old: the newest checkpoint is of this moment and of the whole tree."""
    monkeypatch.setattr(loop, "now_ms", lambda: NOW_MS)
    for table in ("act_pending", "act_tally", "log_checkpoint", "log_entry"):
        world.run(f"DELETE FROM {table}")
    return world


def is_due(world: World) -> bool:
    found: list[bool] = []

    class Look:
        def row(self, sql: str, *values: Any) -> Any:
            rows = world.rows(sql.replace("?", ":v"), **({"v": values[0]} if values else {}))
            return rows[0] if rows else None

    found.append(due(cast(Snapshot, Look()), cast(Sequencer, Hours())))
    return found[0]


@pytest.mark.parametrize(("after_ms", "is_over"), [(-1, False), (0, False), (1, True)])
def test_a_window_of_counts_is_due_when_it_and_the_grace_are_over(quiet: World, after_ms: int, is_over: bool) -> None:
    """SPEC 14.9"""
    began = NOW_MS - WINDOW_MS - GRACE_MS - after_ms
    quiet.run(
        "INSERT INTO act_tally (window_ms, digest, act, actor, subject, detail, count, first_at_ms, last_at_ms)"
        " VALUES (:w, 'd', 'request.refused', 'nobody', '', '{}', 1, 1, 1)",
        w=began,
    )
    assert is_due(quiet) is is_over


def test_an_act_that_was_recorded_is_due_at_once(quiet: World) -> None:
    """SPEC 14.8"""
    assert not is_due(quiet)
    quiet.run("INSERT INTO act_pending (leaf) VALUES ('{}')")
    assert is_due(quiet)


@dataclass
class Signing:
    """A sequencer whose clock is set by hand, on a log without checkpoints."""

    world: World
    made: Sequencer
    monkeypatch: pytest.MonkeyPatch

    def at(self, at_ms: int) -> Step:
        self.monkeypatch.setattr(sequencer, "now_ms", lambda: at_ms)
        return self.made.step()

    def act(self) -> None:
        with self.world.database.write() as session:
            record(session.connection(), "export.made", actor="gateway", what="entries", rows=1)

    def checkpoints(self) -> list[Any]:
        return self.world.rows("SELECT size, block_number, at_ms FROM log_checkpoint ORDER BY id")


@pytest.fixture
def signing(make_world: Worlds, monkeypatch: pytest.MonkeyPatch) -> Signing:
    # The gateway's own loop signs its start, and then nothing for an hour.
    world = make_world(checkpoint_every=timedelta(hours=1), refusal_window=timedelta(hours=1))
    made = replace(sequencer_of(world.app.state.moa), every_ms=EVERY_MS, refresh_ms=REFRESH_MS)
    made.step()
    world.run("DELETE FROM log_checkpoint")
    return Signing(world, made, monkeypatch)


def test_a_grown_log_is_signed_at_most_so_often_to_the_millisecond(signing: Signing) -> None:
    """SPEC 14.8"""
    assert signing.at(NOW_MS) == Step(0, True), "nothing was signed before: at once"
    signing.act()
    assert signing.at(NOW_MS + EVERY_MS - 1) == Step(1, False)
    assert signing.at(NOW_MS + EVERY_MS) == Step(0, True)
    assert signing.at(NOW_MS + 2 * EVERY_MS) == Step(0, False), "nothing is new"
    (first, _, _), (second, block, at_ms) = signing.checkpoints()
    assert (second - first, block, at_ms) == (1, -1, NOW_MS + EVERY_MS)


def test_a_log_that_did_not_grow_is_bound_to_a_later_block_when_its_checkpoint_is_old(signing: Signing) -> None:
    """SPEC 14.8"""
    signing.world.mirror(10)
    for number in (7, 8):
        signing.world.run(f"INSERT INTO mirror_block (number, hash, time) VALUES ({number}, '0x{number:064x}', 1)")
    assert signing.at(NOW_MS).signed
    assert not signing.at(NOW_MS + REFRESH_MS + 1).signed, "the same block"
    signing.world.mirror(11)
    assert not signing.at(NOW_MS + REFRESH_MS).signed
    assert signing.at(NOW_MS + REFRESH_MS + 1).signed
    signing.world.mirror(10)
    assert not signing.at(NOW_MS + 9 * REFRESH_MS).signed, "an earlier block is none to go on to"
    assert [block for _, block, _ in signing.checkpoints()] == [7, 8]


def test_old_checkpoints_are_forgotten_with_what_witnesses_said_of_them(signing: Signing) -> None:
    """SPEC 14.8"""
    signing.monkeypatch.setattr(sequencer, "CHECKPOINTS_KEPT", 2)
    for number in range(5):
        signing.act()
        assert signing.at(NOW_MS + number * EVERY_MS) == Step(1, True)
        [(newest,)] = signing.world.rows("SELECT MAX(id) FROM log_checkpoint")
        signing.world.run(
            "INSERT INTO log_cosignature (checkpoint_id, witness, line, time_s) VALUES (:i, 'w', 'l', 1)", i=newest
        )

    kept = [id for (id,) in signing.world.rows("SELECT id FROM log_checkpoint ORDER BY id")]
    assert kept == [newest - 2, newest - 1, newest]
    assert [id for (id,) in signing.world.rows("SELECT checkpoint_id FROM log_cosignature ORDER BY 1")] == kept


def test_an_empty_log_is_not_signed(signing: Signing) -> None:
    """SPEC 14.8"""
    for table in ("log_entry", "log_tile", "log_state"):
        signing.world.run(f"DELETE FROM {table}")

    assert signing.at(NOW_MS) == Step(0, False)
    signing.act()
    assert signing.at(NOW_MS) == Step(1, True)
    assert signing.checkpoints() == [(1, -1, NOW_MS)]


def test_a_window_is_closed_when_it_and_the_grace_are_over(signing: Signing) -> None:
    """SPEC 14.9"""
    signing.at(NOW_MS)
    signing.world.run("DELETE FROM act_tally")
    over = NOW_MS + signing.made.window_ms + GRACE_MS
    signing.world.run(
        "INSERT INTO act_tally (window_ms, digest, act, actor, subject, detail, count, first_at_ms, last_at_ms)"
        " VALUES (:w, 'd', 'request.refused', 'nobody', '', '{}', 1, 1, 1)",
        w=NOW_MS,
    )

    assert signing.at(over).integrated == 0
    assert signing.at(over + 1).integrated == 1


def test_windows_are_closed_in_their_order_and_no_younger_one(signing: Signing) -> None:
    """SPEC 14.9"""
    world = signing.world
    world.run("DELETE FROM act_tally")
    for window, first in ((60, 5), (60, 4), (0, 9), (61, 1)):
        world.run(
            "INSERT INTO act_tally (window_ms, digest, act, actor, subject, detail, count, first_at_ms, last_at_ms)"
            " VALUES (:w, :d, 'request.refused', 'nobody', :d, '{}', 3, :f, :f)",
            w=window,
            d=f"{window}.{first}",
            f=first,
        )
    with world.database.write() as session:
        assert close_windows(session.connection(), before_ms=61) == 3
        assert close_windows(session.connection(), before_ms=61) == 0
    told = [orjson.loads(leaf) for (leaf,) in world.rows("SELECT leaf FROM act_pending ORDER BY id")]
    assert [(one["subject"], one["detail"]["count"]) for one in told] == [("0.9", 3), ("60.4", 3), ("60.5", 3)]
    assert world.rows("SELECT window_ms FROM act_tally") == [(61,)]
