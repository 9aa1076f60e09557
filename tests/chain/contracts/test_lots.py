"""Packed lots as rows keep them: four words, and what two rows differ by."""

from hypothesis import given
from hypothesis import strategies as st

from chain.contracts import lots

# By word: nothing, or a group whose number puts it in this word, and five lots of it.
points = st.integers(0, lots.SLOT_MASK)


@st.composite
def words(draw: st.DrawFn) -> tuple[str, dict[int, int]]:
    """A row, and its points by expiry epoch."""
    packed, by_expiry = [], {}
    for place in range(lots.WORDS):
        group = 4 * draw(st.integers(0, 3)) + place
        held = draw(st.lists(points, min_size=lots.SLOTS, max_size=lots.SLOTS))
        by_expiry |= {lots.SLOTS * group + slot: count for slot, count in enumerate(held) if count}
        word = sum(count << (lots.SLOT_BITS * slot) for slot, count in enumerate(held))
        packed.append(word | group << lots.TAG_SHIFT if word else 0)
    return lots.pack(packed), by_expiry


@given(words(), words())
def test_two_rows_differ_by_what_came_and_went_in_every_word(
    before: tuple[str, dict[int, int]], after: tuple[str, dict[int, int]]
) -> None:
    """SPEC 8.9"""
    (old, had), (new, has) = before, after
    moved = {expiry: has.get(expiry, 0) - had.get(expiry, 0) for expiry in had | has}

    assert lots.difference(old, new) == {expiry: by for expiry, by in moved.items() if by}
    assert lots.difference(old, old) == {}


@given(words())
def test_a_row_says_the_same_packed_unpacked_short_and_long(row: tuple[str, dict[int, int]]) -> None:
    """SPEC 8.9"""
    text, by_expiry = row

    assert lots.pack(lots.unpack(text)) == text
    assert lots.lengthen(lots.shorten(text)) == text
    assert lots.stored(text) == sum(by_expiry.values())
    assert lots.difference(lots.EMPTY, text) == by_expiry


@given(words(), st.integers(0, 80))
def test_only_lots_beyond_the_epoch_and_within_the_window_live(row: tuple[str, dict[int, int]], epoch: int) -> None:
    """SPEC 1.5, 1.7"""
    text, by_expiry = row
    # A word is looked at as a whole; contracts write no lot beyond the window, so only whole groups can be there.
    last = (epoch + lots.WINDOW_EPOCHS) // lots.SLOTS * lots.SLOTS + lots.SLOTS - 1
    living = sorted((expiry, count) for expiry, count in by_expiry.items() if epoch < expiry <= last)

    assert lots.live(text, epoch) == living
    clock = lots.Clock(origin=1_000, epoch_s=10, lifetime_epochs=3)
    at = 1_000 + 10 * epoch
    assert lots.spendable(text, clock, at) == lots.spendable(text, clock, at + 9) == sum(count for _, count in living)
    assert lots.expiring(text, clock, at) == [(count, 1_000 + 10 * expiry) for expiry, count in living]


@given(words(), words())
def test_a_change_of_words_touches_the_words_it_names_and_no_other(
    before: tuple[str, dict[int, int]], after: tuple[str, dict[int, int]]
) -> None:
    """SPEC 1.11, 8.9"""
    old, new = lots.unpack(before[0]), lots.unpack(after[0])
    for place in range(lots.WORDS):
        # A word that was emptied is told by its group alone.
        told = new[place] or (4 + place) << lots.TAG_SHIFT
        wanted = [*old[:place], new[place], *old[place + 1 :]]

        assert lots.changed(before[0], [str(told)]) == lots.pack(wanted)
