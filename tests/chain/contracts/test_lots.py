"""Packed lots as rows keep them: four words, and what two rows differ by."""

from hypothesis import given, settings
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


@settings(max_examples=30)
@given(words())
def test_lots_of_a_row_are_told_and_packed_again(row: tuple[str, dict[int, int]]) -> None:
    """SPEC 8.9"""
    text, by_expiry = row

    assert lots.lots_of(text) == by_expiry
    assert list(lots.lots_of(text)) == sorted(by_expiry)
    assert lots.packed({**by_expiry, 999: 0}) == text
    assert {expiry: lots.points_of(text, expiry) for expiry in by_expiry} == by_expiry
    # Five expiry epochs of one word, sixteen groups: each that is not there holds nothing.
    assert sum(lots.points_of(text, expiry) for expiry in range(lots.SLOTS * 32)) == sum(by_expiry.values())


@settings(max_examples=30)
@given(words(), st.integers(0, 90), st.integers(1, 1_000), st.integers(-6, 16))
def test_a_mint_adds_to_its_lot_and_drops_what_has_expired_of_its_word(
    row: tuple[str, dict[int, int]], expiry: int, count: int, ago: int
) -> None:
    """SPEC 2.16: what a batch's one event leaves to be calculated."""
    _, by_expiry = row
    epoch, group = max(0, expiry - ago), expiry // lots.SLOTS
    held = {each: points % (lots.SLOT_MASK // 2) for each, points in by_expiry.items()}
    before = lots.packed(held)
    others = {each: points for each, points in held.items() if each // lots.SLOTS % lots.WORDS != group % lots.WORDS}
    own = {each: points for each, points in held.items() if each // lots.SLOTS == group and each > epoch}

    after = lots.added(before, expiry, count, epoch)

    wanted = {**others, **own}
    if expiry > epoch:
        wanted[expiry] = wanted.get(expiry, 0) + count
        assert lots.lots_of(after) == {each: points for each, points in sorted(wanted.items()) if points}


@settings(max_examples=30)
@given(words(), st.integers(0, 2**50))
def test_the_oldest_lots_are_taken_first_as_far_as_they_go(row: tuple[str, dict[int, int]], count: int) -> None:
    """SPEC 1.8"""
    _, by_expiry = row

    taken = lots.oldest(by_expiry, count)

    assert sum(taken.values()) == min(count, sum(by_expiry.values()))
    assert all(0 < points <= by_expiry[expiry] for expiry, points in taken.items())
    whole = [expiry for expiry in by_expiry if expiry < max(taken, default=0)]
    assert all(taken.get(expiry) == by_expiry[expiry] for expiry in whole)


def test_a_clock_counts_from_its_origin_and_stands_without_a_lifetime() -> None:
    """SPEC 1.3, 1.5"""
    clock, standing = lots.Clock(1_000, 10, 3), lots.Clock(1_000, 10, 0)

    assert [clock.epoch(at) for at in (0, 999, 1_000, 1_009, 1_010)] == [0, 0, 0, 0, 1]
    assert clock.expires_at(2) == 1_020
    assert (standing.epoch(5_000), standing.expires_at(2)) == (0, None)
