"""The purchases that the demo replays: the CDNOW sample, and those of the invented partner.

A CDNOW purchase is named by its line number, because nineteen lines stand twice and are two purchases each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CDNOW_SAMPLE = Path(__file__).resolve().parent.parent / "data" / "cdnow" / "CDNOW_sample.txt"
CDNOW_PURCHASES = 6_919
CDNOW_MEMBERS = 2_357

_LINE = re.compile(
    r"^ *(?P<master>\d+) +(?P<sample>\d+) +(?P<date>\d{8}) +(?P<count>\d+) +(?P<dollars>\d+)\.(?P<cents>\d\d)\s*$"
)


@dataclass(frozen=True)
class Purchase:
    """One purchase as a shop knows it. `amount` is in the currency's minor unit (US cents; won have none)."""

    id: str
    member: str
    amount: int
    currency: str
    occurred_at: str

    def as_json(self) -> dict[str, object]:
        """The body that POST /v1/purchases takes; an order of value nothing says that it means it."""
        body: dict[str, object] = {
            "id": self.id,
            "member": {"identifier": self.member},
            "amount": str(self.amount),
            "currency": self.currency,
            "occurred_at": self.occurred_at,
        }
        return body if self.amount else {**body, "free": True}


def cdnow(path: Path = CDNOW_SAMPLE) -> Iterator[Purchase]:
    """The purchases of the sample in the order of the file. Raises ValueError for a line of another shape."""
    with path.open(encoding="ascii") as lines:
        for number, line in enumerate(lines, start=1):
            found = _LINE.match(line)
            if found is None:
                raise ValueError(f"{path.name}, line {number}: not a purchase: {line!r}")
            date = found["date"]
            yield Purchase(
                id=f"cdnow-{number:05d}",
                member=f"cdnow-{found['sample']}",
                amount=int(found["dollars"]) * 100 + int(found["cents"]),
                currency="USD",
                occurred_at=f"{date[:4]}-{date[4:6]}-{date[6:]}T12:00:00Z",
            )


HANOK_GUESTS = 40
HANOK_VISITS = 5


def hanok() -> Iterator[Purchase]:
    """Visits to the invented tea house: 40 guests, five visits each, in won, by a fixed formula."""
    for visit in range(HANOK_VISITS):
        for guest in range(HANOK_GUESTS):
            yield Purchase(
                id=f"hanok-{visit + 1}-{guest + 1:03d}",
                member=f"hanok-{guest + 1:03d}",
                amount=4_500 + 700 * ((guest * 7 + visit * 3) % 19),
                currency="KRW",
                occurred_at=f"2026-0{visit + 3}-{guest % 28 + 1:02d}T03:00:00Z",
            )
