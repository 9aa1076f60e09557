"""Safe and final: what is called so, to the block, and the order that tags must have."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

import pytest

from chain.base.errors import AnswerInconsistent
from chain.mirror.finality import Finality
from chain.mirror.settings import DEPTH, TAGS, MirrorSettings
from chain.node import blocks
from chain.node.rpc import Rpc
from tests.support.scripted_node.chain import Chain

HEAD = 9


class Tagging:
    """A node of ten blocks that answers for its tags."""

    def __init__(self, **numbers: int):
        self.chain, self._numbers = Chain(seed=3), numbers
        self.chain.mine_empty(HEAD)

    def batch(self, calls: Sequence[tuple[str, list[Any]]]) -> list[Any]:
        return [self.raw(self._numbers[tag]) for _, (tag, _) in calls]

    def raw(self, number: int) -> Any:
        block = self.chain.block(number)
        assert block is not None
        return json.loads(block.json)


def told(node: Tagging, **settings: Any) -> tuple[int, int, list[int]]:
    """Safe, final, and the blocks that the node named for them."""
    head = blocks.header(node.raw(HEAD))
    assert head is not None
    levels, named = Finality(cast(Rpc, node), MirrorSettings(**settings)).levels(head)
    return levels.safe_number, levels.final_number, [block.number for block in named]


@pytest.mark.parametrize(("safe", "final"), [(9, 9), (9, 0), (5, 5), (5, 4), (0, 0)])
def test_tags_in_their_order_are_believed_equal_ones_too(safe: int, final: int) -> None:
    """SPEC 8.16"""
    assert told(Tagging(safe=safe, finalized=final), finality=TAGS) == (safe, final, [safe, final])


@pytest.mark.parametrize(("safe", "final"), [(4, 5), (0, 1), (8, 9)])
def test_a_final_block_above_the_safe_one_is_no_answer(safe: int, final: int) -> None:
    """SPEC 8.16"""
    with pytest.raises(AnswerInconsistent, match=f"block {safe} safe and {final} final under head {HEAD}"):
        told(Tagging(safe=safe, finalized=final), finality=TAGS)


def test_a_safe_block_above_the_head_is_no_answer() -> None:
    """SPEC 8.16"""
    node = Tagging(safe=HEAD + 1, finalized=3)
    node.chain.mine_empty(1)

    with pytest.raises(AnswerInconsistent, match="safe"):
        told(node, finality=TAGS)


@pytest.mark.parametrize(
    ("safe_depth", "final_depth", "levels"), [(0, 0, (9, 9)), (2, 5, (7, 4)), (9, 9, (0, 0)), (3, 40, (6, 0))]
)
def test_by_depth_nothing_is_asked_and_nothing_lies_below_the_first_block(
    safe_depth: int, final_depth: int, levels: tuple[int, int]
) -> None:
    """SPEC 8.16"""
    depths = {"safe_depth": safe_depth, "final_depth": final_depth}

    assert told(Tagging(), finality=DEPTH, **depths) == (*levels, [])
