"""Refusals that only wait: what time or a brand's own switch takes away. An operation may be asked again by itself.

BrandNotIssuing     a brand is paused         after a minute, then two, at most five
MemberCapExceeded   a member's day is full    at the beginning of the next day
DailyCapExceeded    an agreement's day is full
"""

from typing import Final

# The longest time for which anything is asked again by itself.
RETRY_S_MAX: Final = 3 * 86_400
PAUSE_S: Final = 60
PAUSES_MAX: Final = 5
DAY_S: Final = 86_400
# A day's end is the chain's: its blocks may tell a second more or less.
DAY_SPARE_S: Final = 2

PAUSED: Final = "BrandNotIssuing"
DAYS_FULL: Final = ("MemberCapExceeded", "DailyCapExceeded")
WAITS: Final = (PAUSED, *DAYS_FULL)


def next_try(error: str, at_ms: int) -> tuple[int | None, int]:
    """(base, step) in milliseconds: base + step × (the refusals so far, at most PAUSES_MAX) is when to ask again.

    The base is None where asking again would not help.
    """
    if error == PAUSED:
        return at_ms, PAUSE_S * 1000
    if error in DAYS_FULL:
        return (at_ms // 1000 // DAY_S + 1) * DAY_S * 1000 + DAY_SPARE_S * 1000, 0
    return None, 0
