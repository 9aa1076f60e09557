"""Packed lots, as the token keeps them: the twin of contracts/libraries/Lots.sol for reading.

An account has four words. A word holds five expiry epochs, 5g..5g+4, of group g: 48 bits of points each from bit 0 up,
and the tag g in bits 240..255. The word of group g is number g % 4. Points of epoch x are gone at
origin + x * epoch_s; with lifetime 0 the clock stands at epoch 0 and nothing expires.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

WORDS: Final = 4
SLOTS: Final = 5
SLOT_BITS: Final = 48
SLOT_MASK: Final = (1 << SLOT_BITS) - 1
TAG_SHIFT: Final = 240
POINTS_MASK: Final = (1 << TAG_SHIFT) - 1
WINDOW_EPOCHS: Final = 16
EMPTY: Final = "0" * 64 * WORDS


@dataclass(frozen=True, slots=True)
class Clock:
    """A token's calendar: seconds of its origin and of its epochs; lifetime_epochs 0 never expires."""

    origin: int
    epoch_s: int
    lifetime_epochs: int

    def epoch(self, at: int) -> int:
        """The epoch of second `at`."""
        return 0 if self.lifetime_epochs == 0 else max(0, at - self.origin) // self.epoch_s

    def expires_at(self, expiry_epoch: int) -> int | None:
        """The second at which points of this expiry are gone; None: never."""
        return None if self.lifetime_epochs == 0 else self.origin + expiry_epoch * self.epoch_s


def pack(words: Sequence[int]) -> str:
    """Four words as the balance table keeps them: 64 hex digits each."""
    return "".join(f"{word:064x}" for word in words)


def unpack(text: str) -> list[int]:
    """The four words of a balance row."""
    return [int(text[start : start + 64], 16) for start in range(0, 64 * WORDS, 64)]


def changed(text: str, words: Sequence[str]) -> str:
    """The row after a LotsChanged event: each word names its own place, a bare tag empties it. No arithmetic."""
    parts = [text[start : start + 64] for start in range(0, 64 * WORDS, 64)]
    for decimal in words:
        word = int(decimal)
        parts[(word >> TAG_SHIFT) % WORDS] = f"{word if word & POINTS_MASK else 0:064x}"
    return "".join(parts)


def added(text: str, expiry_epoch: int, points: int, epoch: int) -> str:
    """The row after a mint into one lot in `epoch`: of the lot's word, what has expired by then is gone."""
    group, slot = divmod(expiry_epoch, SLOTS)
    start = 64 * (group % WORDS)
    word = int(text[start : start + 64], 16)
    kept = 0
    if word >> TAG_SHIFT == group:
        for place in range(SLOTS):
            if SLOTS * group + place > epoch:
                kept |= word & SLOT_MASK << SLOT_BITS * place
    word = group << TAG_SHIFT | kept + (points << SLOT_BITS * slot)
    return text[:start] + f"{word:064x}" + text[start + 64 :]


def difference(before: str, after: str) -> dict[int, int]:
    """Points by expiry epoch that came (above 0) or went (below 0) between two balance rows."""
    found: dict[int, int] = {}
    for start in range(0, 64 * WORDS, 64):
        if before[start : start + 64] == after[start : start + 64]:
            continue
        for sign, text in ((-1, before), (1, after)):
            word = int(text[start : start + 64], 16)
            first = SLOTS * (word >> TAG_SHIFT)
            for slot in range(SLOTS):
                points = word >> (SLOT_BITS * slot) & SLOT_MASK
                if points:
                    found[first + slot] = found.get(first + slot, 0) + sign * points
    return {expiry: points for expiry, points in found.items() if points}


def of_word(word: int) -> Iterator[tuple[int, int]]:
    """(expiry epoch, points) of the lots of one word that are not empty, the oldest first."""
    first = SLOTS * (word >> TAG_SHIFT)
    for slot in range(SLOTS):
        points = word >> (SLOT_BITS * slot) & SLOT_MASK
        if points:
            yield first + slot, points


def lots_of(text: str) -> dict[int, int]:
    """Points by expiry epoch, expired or not, oldest first."""
    return dict(sorted(lot for word in unpack(text) for lot in of_word(word)))


def packed(found: Mapping[int, int]) -> str:
    """The row in which these lots lie; the opposite of `lots_of`."""
    words = [0] * WORDS
    for expiry, points in found.items():
        group, slot = divmod(expiry, SLOTS)
        if points:
            words[group % WORDS] |= group << TAG_SHIFT | points << SLOT_BITS * slot
    return pack(words)


def oldest(found: Mapping[int, int], points: int) -> dict[int, int]:
    """So many points of the lots, oldest first; all, when there are fewer."""
    taken: dict[int, int] = {}
    for expiry in sorted(found):
        part = min(points, found[expiry])
        if part:
            taken[expiry] = part
            points -= part
    return taken


def points_of(text: str, expiry_epoch: int) -> int:
    """Points of one lot of a balance row, expired or not."""
    group, slot = divmod(expiry_epoch, SLOTS)
    start = 64 * (group % WORDS)
    word = int(text[start : start + 64], 16)
    return word >> (SLOT_BITS * slot) & SLOT_MASK if word >> TAG_SHIFT == group else 0


def shorten(text: str) -> str:
    """A balance row's words without their leading zeros, joined by dots: as versions keep them."""
    return ".".join(text[start : start + 64].lstrip("0") for start in range(0, 64 * WORDS, 64))


def lengthen(short: str) -> str:
    """The opposite of `shorten`."""
    return "".join(part.rjust(64, "0") for part in short.split("."))


def live(text: str, epoch: int) -> list[tuple[int, int]]:
    """(expiry epoch, points) of what is not expired in `epoch`, oldest first, without empty lots."""
    first, last = (epoch + 1) // SLOTS, (epoch + WINDOW_EPOCHS) // SLOTS
    found = []
    for word in unpack(text):
        tag = word >> TAG_SHIFT
        if word & POINTS_MASK and first <= tag <= last:
            for slot in range(SLOTS):
                points = word >> (SLOT_BITS * slot) & SLOT_MASK
                if points and SLOTS * tag + slot > epoch:
                    found.append((SLOTS * tag + slot, points))
    return sorted(found)


def spendable(text: str, clock: Clock, at: int) -> int:
    """Points of a balance row that live at second `at`: what balanceOf answers in a block of that time."""
    return sum(points for _, points in live(text, clock.epoch(at)))


def expiring(text: str, clock: Clock, at: int) -> list[tuple[int, int | None]]:
    """(points, second of expiry or None) of each live lot, oldest first."""
    return [(points, clock.expires_at(expiry)) for expiry, points in live(text, clock.epoch(at))]


def stored(text: str) -> int:
    """Sum of all points in the words, expired or not."""
    return sum(word >> (SLOT_BITS * slot) & SLOT_MASK for word in unpack(text) for slot in range(SLOTS))


def clock_of(row: Any) -> Clock:
    """The clock of a row of the `token` table."""
    return Clock(origin=row.origin, epoch_s=row.epoch_s, lifetime_epochs=row.lifetime_epochs)
