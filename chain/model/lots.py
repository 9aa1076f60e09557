"""Lots: points by expiry epoch, oldest first, and how they lie packed in four words (SPEC 1)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

Lots = dict[int, int]

LOT_POINTS_MAX: Final = 2**48 - 1
WORDS: Final = 4
SLOTS: Final = 5
SLOT_BITS: Final = 48
TAG_SHIFT: Final = 240


def total(lots: Mapping[int, int]) -> int:
    """All points of the lots, live or not."""
    return sum(lots.values())


def live(lots: Mapping[int, int], epoch: int) -> Lots:
    """The lots that are not gone in `epoch`, oldest first, without empty ones."""
    return {expiry: lots[expiry] for expiry in sorted(lots) if expiry > epoch and lots[expiry]}


def gone(lots: Mapping[int, int], epoch: int) -> Lots:
    """The lots that have expired by `epoch`."""
    return {expiry: lots[expiry] for expiry in sorted(lots) if expiry <= epoch and lots[expiry]}


def oldest(lots: Mapping[int, int], points: int) -> Lots:
    """`points` of the lots, oldest first; the lots hold at least as many."""
    return _take(lots, sorted(lots), points)


def newest(lots: Mapping[int, int], points: int) -> Lots:
    """`points` of the lots, newest first; the lots hold at least as many."""
    return _take(lots, sorted(lots, reverse=True), points)


def latest(lots: Mapping[int, int], points: int, first: int) -> Lots:
    """`points` of the lots: of the lot `first`, then the latest expiry first; the lots hold at least as many."""
    return _take(lots, sorted(lots, key=lambda expiry: (expiry != first, -expiry)), points)


def _take(lots: Mapping[int, int], order: Iterable[int], points: int) -> Lots:
    taken: Lots = {}
    for expiry in order:
        part = min(points, lots[expiry])
        if part:
            taken[expiry] = part
            points -= part
    assert points == 0, "more was asked for than the lots hold"
    return dict(sorted(taken.items()))


def plus(lots: Mapping[int, int], more: Mapping[int, int]) -> Lots:
    """Both together."""
    return {expiry: lots.get(expiry, 0) + more.get(expiry, 0) for expiry in sorted({*lots, *more})}


def minus(lots: Mapping[int, int], less: Mapping[int, int]) -> Lots:
    """What remains of `lots` without `less`, empty lots left out."""
    rest = {expiry: points - less.get(expiry, 0) for expiry, points in sorted(lots.items())}
    assert all(points >= 0 for points in rest.values())
    assert not set(less) - set(lots)
    return {expiry: points for expiry, points in rest.items() if points}


def packed(lots: Mapping[int, int]) -> tuple[int, ...]:
    """The four words in which these lots lie; a word without points is 0."""
    words = [0] * WORDS
    for expiry, points in lots.items():
        group, slot = divmod(expiry, SLOTS)
        place = group % WORDS
        if points:
            assert words[place] == 0 or words[place] >> TAG_SHIFT == group, "two groups in one word"
            words[place] |= group << TAG_SHIFT | points << SLOT_BITS * slot
    return tuple(words)


def unpacked(words: Sequence[int]) -> Lots:
    """The lots of four words, each as its own tag says."""
    lots: Lots = {}
    for word in words:
        for slot in range(SLOTS):
            points = word >> SLOT_BITS * slot & LOT_POINTS_MAX
            if points:
                lots[SLOTS * (word >> TAG_SHIFT) + slot] = points
    return dict(sorted(lots.items()))
