"""The width of ranges: what the provider takes, as fast as it likes, as much as we can hold."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.base.errors import AnswerTooLarge, ChainError, NodeTimeout, NodeUnavailable, ResultTooWide, RpcError
from chain.node.adaptive_range import AdaptiveRange, suggestion
from tests.support.scripted_node import limits

WIDEST = 1000
# The words of these five name no limit, or one of their own that is none of ours.
WORDLESS = {"ankr", "base", "optimism", "chainstack", "merkle"}
# A limit that stays costs at most a refusal in forty answers, beyond those by which it was found.
FOUND_BY_MAX = 15
ANSWERS_A_REFUSAL_MIN = 40
BACK_WITHIN_ANSWERS = 64 + 8


def refusal(text: str) -> RpcError:
    return ResultTooWide("eth_getLogs", -32005, text)


def in_words_of(provider: str, limit: int, wide: int) -> RpcError:
    code, words = limits.RANGE_TEXTS[provider]
    return ResultTooWide("eth_getLogs", code, words.format(max=limit, begin=1, end=wide, wide=wide))


def answer(ranges: AdaptiveRange, times: int, *, seconds: float = 0.1, logs: int = 10) -> None:
    for _ in range(times):
        ranges.answered(ranges.width, seconds, logs)


@dataclass
class Provider:
    """Takes ranges of `limit` blocks and none wider; `refuse` is what it says then."""

    limit: int
    refuse: Callable[[int, int], ChainError]
    widths: list[int] = field(default_factory=list)
    refusals: int = 0
    answers: int = 0
    blocks: int = 0

    def ask(self, ranges: AdaptiveRange) -> bool:
        """One range; whether it came."""
        wide = ranges.width
        assert 1 <= wide <= ranges.widest, f"{wide} blocks were asked for"
        self.widths.append(wide)
        if wide > self.limit:
            self.refusals += 1
            ranges.refused(wide, self.refuse(self.limit, wide))
            return False
        self.answers += 1
        self.blocks += wide
        ranges.answered(wide, 0.1, 10)
        return True

    def serve(self, ranges: AdaptiveRange, answers: int) -> None:
        """Until so many ranges came."""
        until = self.answers + answers
        while self.answers < until:
            self.ask(ranges)


def worded(provider: str) -> Callable[[int, int], ChainError]:
    return lambda limit, wide: in_words_of(provider, limit, wide)


def silent(limit: int, wide: int) -> ChainError:
    return NodeTimeout("late")


def test_there_are_twenty_providers_and_fifteen_of_them_name_their_limit() -> None:
    """The table itself: whose text has a place for the limit is read from the text, not from our own parser."""
    named = {provider for provider, (_, words) in limits.RANGE_TEXTS.items() if "{max}" in words}
    assert (len(limits.RANGE_TEXTS), set(limits.RANGE_TEXTS) - named) == (20, WORDLESS)


def test_answers_widen_the_range_to_the_widest() -> None:
    """SPEC 8.13"""
    ranges = AdaptiveRange(WIDEST, first=10)
    answer(ranges, 10)
    assert ranges.width == WIDEST


@pytest.mark.parametrize(
    "error", [refusal("no"), NodeTimeout("late"), NodeUnavailable("502"), AnswerTooLarge(5)], ids=lambda one: one.name
)
def test_whatever_goes_wrong_halves_it_down_to_one_block(error: ChainError) -> None:
    """SPEC 8.13"""
    ranges = AdaptiveRange(WIDEST)
    seen = []
    for _ in range(12):
        seen.append(ranges.width)
        ranges.refused(ranges.width, error)
    assert seen[:4] == [1000, 500, 250, 125]
    assert ranges.width == 1


@pytest.mark.parametrize("provider", sorted(limits.RANGE_TEXTS))
def test_a_limit_named_in_words_is_kept_at_once_and_any_other_refusal_halves(provider: str) -> None:
    """SPEC 8.13"""
    ranges = AdaptiveRange(900)
    ranges.refused(900, in_words_of(provider, 300, 900))
    assert ranges.width == (450 if provider in WORDLESS else 300)


@pytest.mark.parametrize(
    "words",
    [
        *(text.format(max=77, first="0x1", last="0x0") for _, text in limits.RESULT_TEXTS.values() if "{max}" in text),
        "response is greater than 77 bytes",
        "this query matches at most 77 logs",
    ],
)
def test_a_number_of_results_or_bytes_is_not_taken_for_blocks(words: str) -> None:
    """SPEC 8.13"""
    assert suggestion(refusal(words)) is None


@pytest.mark.parametrize("provider", ["infura", "alchemy"])
def test_a_range_that_is_offered_is_taken(provider: str) -> None:
    """SPEC 8.13"""
    _, words = limits.RESULT_TEXTS[provider]
    ranges = AdaptiveRange(900)
    ranges.refused(900, refusal(words.format(max=10_000, first=hex(100), last=hex(176))))
    assert ranges.width == 77


@pytest.mark.parametrize("limit", [1, 7, 100, 300, 800, 999])
@pytest.mark.parametrize("provider", sorted(limits.RANGE_TEXTS))
def test_a_limit_that_stays_is_used_to_the_full_and_seldom_tried(provider: str, limit: int) -> None:
    """SPEC 8.13"""
    ranges, node = AdaptiveRange(WIDEST), Provider(limit, worded(provider))
    node.serve(ranges, 2_000)
    assert node.refusals <= FOUND_BY_MAX + 2 * node.answers // ANSWERS_A_REFUSAL_MIN
    # From the hundredth answer on it asks for four fifths of what it may have, and more.
    assert node.blocks >= 1_900 * limit * 4 // 5


def test_a_provider_that_hangs_on_wide_ranges_is_tried_ever_less_often() -> None:
    """SPEC 8.13: each try costs a whole timeout."""
    ranges, node = AdaptiveRange(WIDEST), Provider(100, silent)
    node.serve(ranges, 5_000)
    assert node.refusals <= 25
    assert node.blocks >= 4_800 * 80


@pytest.mark.parametrize("narrowed_for", [1, 30, 300, 5_000])
@pytest.mark.parametrize("limit", [1, 7, 77, 400])
@pytest.mark.parametrize("provider", [*sorted(limits.RANGE_TEXTS), "silence"])
def test_a_limit_that_has_gone_is_noticed_in_some_answers_and_the_range_comes_back(
    provider: str, limit: int, narrowed_for: int
) -> None:
    """SPEC 8.13: before, 25 % came with every 32 answers, and 1,000 blocks at once after 130,000."""
    ranges, node = AdaptiveRange(WIDEST), Provider(limit, silent if provider == "silence" else worded(provider))
    node.serve(ranges, narrowed_for)
    node.limit, node.blocks, node.answers = WIDEST, 0, 0
    refused_before = node.refusals
    # Silence is tried the more seldom the longer it lasted; a limit in words at least every 64 answers.
    within = max(16, 2 * narrowed_for) if provider == "silence" else min(BACK_WITHIN_ANSWERS, 2 * narrowed_for + 16)
    while ranges.width < WIDEST:
        assert node.answers < within, f"{ranges.width} blocks after {node.answers} answers"
        assert node.ask(ranges)
    assert node.refusals == refused_before
    assert node.blocks <= within * limit + 2 * WIDEST


def test_what_was_asked_before_the_range_was_narrowed_says_nothing_new() -> None:
    """SPEC 8.13: two readers share one range."""
    ranges = AdaptiveRange(WIDEST)
    ranges.refused(WIDEST, in_words_of("cloudflare", 77, WIDEST))
    ranges.refused(WIDEST, refusal("no"))
    assert ranges.width == 77
    answer(ranges, 3)
    assert ranges.width == 77


def test_dense_blocks_narrow_it_before_memory_is_short_and_thin_ones_bring_it_back() -> None:
    """SPEC 8.13"""
    ranges = AdaptiveRange(WIDEST, logs_aim=10_000)
    for _ in range(20):
        ranges.answered(ranges.width, 0.1, ranges.width * 1000)
    assert 5 <= ranges.width <= 10
    answer(ranges, 9)
    assert ranges.width == WIDEST


def test_slow_answers_narrow_it() -> None:
    """SPEC 8.13"""
    ranges = AdaptiveRange(WIDEST)
    answer(ranges, 1, seconds=6.0)
    assert ranges.width == 500


def weather(seed: int) -> Iterator[tuple[int, Callable[[int, int], ChainError]]]:
    """(limit, words) of one stretch of the chain after the other."""
    dice = random.Random(seed)
    words = [*map(worded, sorted(limits.RANGE_TEXTS)), silent, lambda limit, wide: NodeUnavailable("502")]
    while True:
        yield dice.choice([1, 3, 50, 400, WIDEST, WIDEST]), dice.choice(words)


@given(seed=st.integers(0, 1 << 32), lengths=st.lists(st.integers(1, 400), min_size=1, max_size=12))
def test_whatever_limits_come_and_go_it_stays_bounded_and_comes_back(seed: int, lengths: list[int]) -> None:
    """SPEC 8.13"""
    ranges = AdaptiveRange(WIDEST, first=16)
    stretches = weather(seed)
    for length in lengths:
        node = Provider(*next(stretches))
        for _ in range(length):
            node.ask(ranges)
        assert node.refusals <= 2 * FOUND_BY_MAX + length // 8
    calm = Provider(WIDEST, silent)
    calm.serve(ranges, 1024 + 16)
    assert ranges.width == WIDEST
