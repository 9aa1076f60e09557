"""Months of statements: to the second, in every zone, none missing and none doubled (SPEC 24.1, 24.2, 24.3)."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from typing import cast
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from chain.mirror import history
from chain.reports.errors import MonthInvalid, PeriodInvalid, PeriodUnclear
from chain.reports.income import income
from chain.reports.months import month_of
from scripts.cli.reporting import Period

UNASKED = cast(Connection, None)


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("month", "zone", "begins", "ends"),
    [
        ("2026-11", "Asia/Seoul", "2026-10-31T15:00:00", "2026-11-30T15:00:00"),
        ("2026-03", "Europe/Berlin", "2026-02-28T23:00:00", "2026-03-31T22:00:00"),
        ("2026-10", "Europe/Berlin", "2026-09-30T22:00:00", "2026-10-31T23:00:00"),
        ("2028-02", "UTC", "2028-02-01T00:00:00", "2028-03-01T00:00:00"),
        ("2026-12", "Asia/Kathmandu", "2026-11-30T18:15:00", "2026-12-31T18:15:00"),
        # Clocks went back at 00:01 of the first day: its midnight came twice, and the earlier begins the month.
        ("2009-11", "America/St_Johns", "2009-11-01T02:30:00", "2009-12-01T03:30:00"),
        # Clocks went forward at midnight of the first day, which was left out.
        ("2016-04", "Asia/Amman", "2016-03-31T22:00:00", "2016-04-30T21:00:00"),
    ],
)
def test_a_month_is_told_to_the_second_on_both_changes_of_the_clock(
    month: str, zone: str, begins: str, ends: str
) -> None:
    found = month_of(month, zone)
    assert (found.begins, found.ends) == (utc(begins), utc(ends))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(available_timezones())), st.integers(2000, 2098), st.integers(1, 12))
def test_no_second_is_in_two_months_or_in_none(zone: str, year: int, month: int) -> None:
    found = month_of(f"{year}-{month:02}", zone)
    after = month_of(f"{year + month // 12}-{month % 12 + 1:02}", zone)
    assert (found.ends, found.last) == (after.begins, after.before), "a closing is the next opening"
    clock = ZoneInfo(zone)
    for second in (found.begins, found.last):
        local = datetime.fromtimestamp(second, clock)
        assert (local.year, local.month) == (year, month)


@pytest.mark.parametrize("month", ["", "2026", "2026-00", "2026-13", "2026-3", "1999-12", "2026-03\n", "٢٠٢٦-03"])
def test_what_is_no_month_is_refused(month: str) -> None:
    with pytest.raises(MonthInvalid):
        month_of(month, "UTC")


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../../etc/passwd", "/etc/localtime", "asia/seoul", "UTC\0"])
def test_what_is_no_zone_is_refused_and_no_file_is_looked_for(zone: str) -> None:
    with pytest.raises(MonthInvalid):
        month_of("2026-03", zone)


@pytest.mark.parametrize(
    "period",
    [
        Period(None, None, None, None), Period("1", None, None, None), Period(None, "2", None, None),
        Period(None, None, "2026-03", None), Period(None, None, None, "UTC"), Period("1", "2", "2026-03", "UTC"),
    ],
)  # fmt: skip
def test_a_period_twice_or_by_half_is_refused(period: Period) -> None:
    """SPEC 24.2"""
    with pytest.raises(PeriodUnclear):
        period.places(UNASKED)


def test_a_month_opens_in_the_second_before_it_and_closes_in_its_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "block_at", lambda _connection, time: history.Moment(time, "0x", time))
    opening, closing = Period(None, None, "2026-11", "Asia/Seoul").places(UNASKED)
    assert (opening.time, closing.time) == (utc("2026-10-31T14:59:59"), utc("2026-11-30T14:59:59"))


def test_a_month_without_a_block_has_no_roll_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC 24.3"""
    monkeypatch.setattr(history, "block_at", lambda _connection, _time: history.Moment(37, "0x", 1))
    opening, closing = Period(None, None, "2026-11", "Asia/Seoul").places(UNASKED)
    with pytest.raises(PeriodInvalid):
        income(UNASKED, brand_id=1, from_block=opening.number, to_block=closing.number, price=Fraction(1))
