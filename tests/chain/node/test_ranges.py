"""The width of ranges: what the provider takes, as fast as it likes, as much as we can hold."""

import pytest

from chain.base.errors import AnswerTooLarge, NodeTimeout, NodeUnavailable, ResultTooWide, RpcError
from chain.node.adaptive_range import PROBE_AFTER, PROBE_AFTER_SILENCE, AdaptiveRange, suggestion
from tests.support.scripted_node import limits


def refusal(text: str) -> RpcError:
    return ResultTooWide("eth_getLogs", -32005, text)


def answer(ranges: AdaptiveRange, times: int, *, seconds: float = 0.1, logs: int = 10) -> None:
    for _ in range(times):
        ranges.answered(ranges.width, seconds, logs)


def test_answers_widen_the_range_to_the_widest() -> None:
    """SPEC 8.13"""
    ranges = AdaptiveRange(1000, first=10)
    answer(ranges, 10)
    assert ranges.width == 1000


@pytest.mark.parametrize(
    "error", [refusal("no"), NodeTimeout("late"), NodeUnavailable("502"), AnswerTooLarge(5)], ids=lambda one: one.name
)
def test_whatever_goes_wrong_halves_it_down_to_one_block(error: Exception) -> None:
    """SPEC 8.13"""
    ranges = AdaptiveRange(1000)
    seen = []
    for _ in range(12):
        seen.append(ranges.width)
        ranges.refused(ranges.width, error)
    assert seen[:4] == [1000, 500, 250, 125]
    assert ranges.width == 1


@pytest.mark.parametrize("provider", sorted(limits.RANGE_TEXTS))
def test_a_limit_named_in_words_is_kept_at_once(provider: str) -> None:
    """SPEC 8.13"""
    _, words = limits.RANGE_TEXTS[provider]
    error = refusal(words.format(max=300, begin=1, end=900, wide=900))
    ranges = AdaptiveRange(900)
    ranges.refused(900, error)
    assert ranges.width in (300, 450)
    assert ranges.width == 300 or suggestion(error) in (None, 10_000)


@pytest.mark.parametrize("provider", ["infura", "alchemy"])
def test_a_range_that_is_offered_is_taken(provider: str) -> None:
    """SPEC 8.13"""
    _, words = limits.RESULT_TEXTS[provider]
    ranges = AdaptiveRange(900)
    ranges.refused(900, refusal(words.format(max=10_000, first=hex(100), last=hex(176))))
    assert ranges.width == 77


def test_a_known_limit_is_tried_again_only_now_and_then() -> None:
    """SPEC 8.13"""
    ranges, refusals = AdaptiveRange(1000), 0
    for _ in range(400):
        if ranges.width > 100:
            refusals += 1
            ranges.refused(ranges.width, refusal("block range is too wide"))
        else:
            answer(ranges, 1)
    assert ranges.width > 50
    assert refusals <= 10 + 400 // PROBE_AFTER * 3


def test_an_outage_is_soon_forgotten() -> None:
    """SPEC 8.13"""
    ranges = AdaptiveRange(1000)
    for _ in range(12):
        ranges.refused(ranges.width, NodeTimeout("late"))
    answer(ranges, 14 * PROBE_AFTER_SILENCE)
    assert ranges.width == 1000


def test_dense_blocks_narrow_it_before_memory_is_short() -> None:
    """SPEC 8.13"""
    ranges = AdaptiveRange(1000, logs_aim=10_000)
    for _ in range(20):
        ranges.answered(ranges.width, 0.1, ranges.width * 1000)
    assert 5 <= ranges.width <= 10


def test_slow_answers_narrow_it() -> None:
    """SPEC 8.13"""
    ranges = AdaptiveRange(1000)
    answer(ranges, 1, seconds=6.0)
    assert ranges.width == 500
