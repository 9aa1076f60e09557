"""What is counted together, in which window, and how many different things at most: without a database."""

from __future__ import annotations

import pytest

from api.audit_log import names, tallies
from api.audit_log.tallies import SEVERAL, Count, Counts, Group, Tallies, counted

PERIOD_MS = 60


def of(actor: str, subject: str = "") -> Group:
    return Group("request.refused", actor, subject, (("error", "NotYours"),))


def put(*groups: Group, at_ms: int = 119) -> Counts:
    made = Tallies()
    for group in groups:
        made.put(group, at_ms, PERIOD_MS)
    return made.counts


@pytest.mark.parametrize(("at_ms", "window_ms"), [(0, 0), (59, 0), (60, 60), (119, 60), (120, 120)])
def test_a_count_is_of_the_window_in_which_it_lies(at_ms: int, window_ms: int) -> None:
    """SPEC 14.9"""
    assert put(of("brand/a"), at_ms=at_ms) == {(window_ms, of("brand/a")): Count(1, at_ms, at_ms)}


def test_equal_things_of_a_window_are_one_count_with_its_first_and_last_time() -> None:
    """SPEC 14.9"""
    made = Tallies()
    for at_ms in (70, 65, 119, 120):
        made.put(of("brand/a"), at_ms, PERIOD_MS)

    assert made.counts == {(60, of("brand/a")): Count(3, 65, 119), (120, of("brand/a")): Count(1, 120, 120)}


def test_beyond_its_bound_what_differs_is_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC 14.9: known callers and nobody have a bound each, anew in each window."""
    monkeypatch.setattr(tallies, "GROUPS_MAX", 2)
    monkeypatch.setattr(tallies, "NOBODY_GROUPS_MAX", 1)
    known, nobody = [of(f"brand/{name}") for name in "abc"], [of(names.NOBODY, name) for name in "xy"]
    several = Group("request.refused", SEVERAL, SEVERAL, (("error", SEVERAL),))
    made = Tallies()
    for group in (*nobody, *known, known[0], nobody[0], known[2]):
        made.put(group, 60, PERIOD_MS)

    assert {group: count.count for (_, group), count in made.counts.items()} == {
        nobody[0]: 2,
        Group("request.refused", names.NOBODY, SEVERAL, (("error", SEVERAL),)): 1,
        known[0]: 2,
        known[1]: 1,
        several: 2,
    }

    made.counts.clear()
    for group in (nobody[1], known[2]):
        made.put(group, 120, PERIOD_MS)
    assert set(made.counts) == {(120, nobody[1]), (120, known[2])}


def test_lines_that_were_refused_are_one_count_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC 14.9"""
    monkeypatch.setattr(tallies, "now_ms", lambda: 119)

    made = counted("request.refused", actor="brand/a", count=7, period_ms=PERIOD_MS, detail=(("error", "NotYours"),))

    assert made == {(60, of("brand/a")): Count(7, 119, 119)}
