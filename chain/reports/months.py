"""A calendar month of a time zone, to the second: what its statement is of."""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from chain.reports.errors import MonthInvalid

_month: Final = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Month:
    """From second `begins` to before second `ends`, unix seconds: a month's end is the next one's beginning."""

    begins: int
    ends: int

    @property
    def before(self) -> int:
        """The last second before the month: what held then is its opening."""
        return self.begins - 1

    @property
    def last(self) -> int:
        """The last second of the month: what held then is its closing."""
        return self.ends - 1


def month_of(text: str, zone: str) -> Month:
    """The month written 2026-03 of a zone written Asia/Seoul, in the years 2000 to 2099. Raises MonthInvalid."""
    found = _month.match(text)
    if found is None or zone not in _zones():
        raise MonthInvalid(text, zone)
    year, month = int(found[1]), int(found[2])
    clock = ZoneInfo(zone)
    return Month(_first_second(year, month, clock), _first_second(year + month // 12, month % 12 + 1, clock))


def _first_second(year: int, month: int, clock: ZoneInfo) -> int:
    """Midnight of the month's first day: the earlier where it comes twice, the second of the change where it is
    left out."""
    return int(datetime(year, month, 1, tzinfo=clock).timestamp())


@cache
def _zones() -> frozenset[str]:
    """The names of IANA: nothing else is ever looked for among the files of this machine."""
    return frozenset(available_timezones())
