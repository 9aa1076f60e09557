"""When the log's sequencer has something to do, to the millisecond."""

from __future__ import annotations

from typing import Any, cast

import pytest

from api.audit_log import loop
from api.audit_log.loop import GRACE_MS, due
from api.audit_log.sequencer import Sequencer
from api.kit.database import Snapshot
from tests.api.conftest import World

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
