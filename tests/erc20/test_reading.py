"""A source beside a scripted node that tells one thing wrong: what is believed, what is put right, what is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from chain.base.errors import AnswerInconsistent, RpcError
from chain.erc20.reading import DOUBT_SPANS, SHORT_SPAN_BLOCKS, Source, Span
from chain.erc20.transfers import Transfer
from chain.node import blocks
from tests.erc20.conftest import TOKEN
from tests.support.scripted_node import faults
from tests.support.scripted_node.node import ScriptedNode
from tests.support.scripted_node.pool import GANACHE
from tests.support.scripted_node.tokens import Traffic, address_of, mint

BLOCKS = 9
BLOCK, LOGS, RECEIPTS = "eth_getBlockByNumber", "eth_getLogs", "eth_getBlockReceipts"
Change = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture
def node() -> Iterator[ScriptedNode]:
    """Nine blocks with two transfers each, but for the last one, which has none of our token's."""
    with ScriptedNode(seed=11) as made:
        Traffic(made.chain, TOKEN).mine(blocks=BLOCKS - 1, transfers=2)
        made.chain.mine([mint(address_of("another token"), address_of("ada"), 5)])
        yield made
        assert made.faults.unmet() == []


@pytest.fixture
def source(node: ScriptedNode) -> Iterator[Source]:
    with closing(Source(node.url, TOKEN, 0)) as made:
        yield made


def truth(node: ScriptedNode) -> list[Transfer]:
    return [Transfer(*row) for row in node.truth(TOKEN).transfers]


def read(source: Source, first: int = 0, last: int = BLOCKS) -> Span:
    """These blocks, in one piece."""
    found = source.span(first, last)
    assert found.last == last
    return found


def first_log(change: Change) -> Callable[[Any], Any]:
    """Of all logs that are told, the first one changed."""
    return lambda logs: [change(logs[0]), *logs[1:]] if logs else logs


def test_a_span_is_its_blocks_and_its_transfers_in_order(node: ScriptedNode, source: Source) -> None:
    """SPEC 8.13"""
    found = read(source)

    assert found.rows == truth(node)
    assert (found.first, len(found.known), found.hash) == (0, BLOCKS + 1, node.chain.head.hash)
    assert source._doubt.spans == 0
    assert [row.block_number for row in read(source, 3, 4).rows] == [3, 3, 4, 4]


@pytest.mark.parametrize(
    "change",
    [
        lambda log: {**log, "blockHash": "0x" + "77" * 32},
        lambda log: {**log, "address": address_of("another token")},
        lambda log: {**log, "removed": True},
        lambda log: {**log, "blockNumber": hex(BLOCKS + 7)},
    ],
    ids=["another block's hash", "another address", "removed", "a block that was not asked for"],
)
def test_a_log_that_is_strange_in_one_way_is_not_believed_and_puts_the_node_in_doubt(
    node: ScriptedNode, source: Source, change: Change
) -> None:
    """SPEC 8.33: what it hid is put right from receipts."""
    with node.faults.add(faults.changes("strange", first_log(change), LOGS)):
        assert read(source).rows == truth(node)

    assert source._doubt.spans == DOUBT_SPANS
    read(source, 5, 5)
    assert source._doubt.spans == DOUBT_SPANS - 1


def test_a_log_told_twice_is_one_and_two_of_one_place_are_refused(node: ScriptedNode, source: Source) -> None:
    """SPEC 8.33"""
    with node.faults.add(faults.doubled_logs()):
        assert read(source).rows == truth(node)
    twice: Callable[[Any], Any] = lambda logs: [*logs, {**logs[-1], "data": "0x" + "00" * 32}]  # noqa: E731
    with (
        node.faults.add(faults.changes("two of one place", twice, LOGS)),
        pytest.raises(AnswerInconsistent, match="two logs"),
    ):
        read(source)


def test_an_answer_that_was_cut_short_is_put_right_at_its_end(node: ScriptedNode, source: Source) -> None:
    """SPEC 8.33: the last block that shows any is looked at, and every block that may hold what it does not show."""
    with node.faults.add(faults.changes("cut", lambda logs: logs[:-1], LOGS)):
        assert read(source).rows == truth(node)
    assert source._doubt.spans == DOUBT_SPANS


def test_a_lie_at_the_end_puts_every_other_block_of_its_span_right(node: ScriptedNode, source: Source) -> None:
    """SPEC 8.33"""
    thinner: Callable[[Any], Any] = lambda logs: [*logs[:4], *logs[5:-1]]  # noqa: E731 - one of block 3, one of the last
    with node.faults.add(faults.changes("thinner", thinner, LOGS)):
        assert read(source).rows == truth(node)
    assert source._doubt.spans == DOUBT_SPANS


@pytest.mark.parametrize(("blocks", "asked"), [(SHORT_SPAN_BLOCKS, SHORT_SPAN_BLOCKS), (SHORT_SPAN_BLOCKS + 1, 1)])
def test_every_block_of_a_short_span_is_read_from_receipts_and_of_a_long_one_the_last(
    node: ScriptedNode, source: Source, blocks: int, asked: int
) -> None:
    """SPEC 8.33"""
    seen = node.faults.add(faults.changes("seen", lambda receipts: receipts, RECEIPTS))

    assert len(read(source, 1, blocks).rows) == 2 * blocks

    assert seen.hits == asked


def test_in_doubt_every_block_that_shows_any_is_read_from_receipts(node: ScriptedNode, source: Source) -> None:
    """SPEC 8.33: to the last span of it."""
    source._doubt.spans = 1
    seen = node.faults.add(faults.changes("seen", lambda receipts: receipts, RECEIPTS))

    for asked in (BLOCKS - 1, 1):
        before = seen.hits
        read(source)
        assert (seen.hits - before, source._doubt.spans) == (asked, 0)


def test_a_single_transfer_of_a_block_is_its_own() -> None:
    """SPEC 8.33"""
    with ScriptedNode(seed=11) as node, closing(Source(node.url, TOKEN, 0)) as source:
        Traffic(node.chain, TOKEN).mine(blocks=BLOCKS, transfers=1)
        assert read(source).rows == truth(node)
        assert source._doubt.spans == 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda found: [{**found[0], "blockHash": "0x" + "77" * 32}, *found[1:]], "another block"),
        (lambda found: found[:-1], "not all there"),
        (lambda found: [{**found[0], "logs": [{**found[0]["logs"][0], "removed": True}]}, *found[1:]], "not all there"),
        (lambda found: [{}], "no such shape"),
    ],
    ids=["of another block", "one too few", "a log that is removed", "of no shape"],
)
def test_receipts_that_cannot_be_the_blocks_are_refused(
    node: ScriptedNode, source: Source, change: Callable[[Any], Any], says: str
) -> None:
    """SPEC 8.33"""
    with node.faults.add(faults.changes("receipts", change, RECEIPTS)), pytest.raises(AnswerInconsistent, match=says):
        read(source, 2, 2)


def test_a_node_without_receipts_of_blocks_gives_them_one_by_one() -> None:
    """SPEC 8.33: and is not asked for those again."""
    with ScriptedNode(seed=11, dialect=GANACHE) as node, closing(Source(node.url, TOKEN, 0)) as source:
        Traffic(node.chain, TOKEN).mine(blocks=3, transfers=2)
        assert read(source, 0, 3).rows == truth(node)
        assert not source._whole_blocks
        with node.faults.add(faults.changes("hidden", lambda logs: logs[1:], LOGS)):
            assert read(source, 0, 3).rows == truth(node)


def test_one_refusal_for_a_missing_method_among_answers_is_enough(node: ScriptedNode, source: Source) -> None:
    """SPEC 8.33: a provider's machines differ; the receipts are asked for one by one from then on."""
    absent = faults.error(-32601, "the method eth_getBlockReceipts does not exist")
    node.faults.add(absent, RECEIPTS, times=1)

    assert read(source, 1, 3).rows == [row for row in truth(node) if 1 <= row.block_number <= 3]
    assert not source._whole_blocks


def test_another_refusal_of_receipts_is_a_refusal(node: ScriptedNode, source: Source) -> None:
    """SPEC 8.13"""
    node.faults.add(faults.error(-32000, "header not found"), RECEIPTS)
    with pytest.raises(RpcError):
        read(source, 2, 2)
    assert source._whole_blocks


def test_receipts_that_a_node_does_not_have_matter_only_where_logs_are_in_doubt(
    node: ScriptedNode, source: Source
) -> None:
    """SPEC 8.33"""
    nothing = node.faults.add(faults.answers(None, RECEIPTS))
    assert len(read(source, 2, 3).rows) == 4
    node.faults.add(faults.empty_logs())
    with pytest.raises(AnswerInconsistent, match="does not have the receipts"):
        read(source, 2, 2)
    assert nothing.hits


def test_only_blocks_from_the_tokens_first_on_are_looked_at_for_logs(node: ScriptedNode) -> None:
    """SPEC 8.13"""
    with closing(Source(node.url, TOKEN, 4)) as source:
        found = read(source, 0, 6)
        assert [number for number, _ in found.known] == list(range(7))
        assert {row.block_number for row in found.rows} == {4, 5, 6}
        asked = node.faults.add(faults.changes("asked", lambda logs: logs, LOGS), times=1)
        assert read(source, 0, 3).rows == []
        assert asked.hits == 0
        read(source, 4, 4)


def test_a_head_that_is_known_is_not_asked_for_again(node: ScriptedNode, source: Source) -> None:
    """SPEC 8.33"""
    known = blocks.header(source.rpc.call(BLOCK, hex(5), False))
    assert known is not None
    asked = node.faults.add(faults.changes("asked", lambda block: block, BLOCK))

    def blocks_asked(first: int, last: int) -> int:
        before = asked.hits
        found = source.span(first, last, known)
        assert [number for number, _ in found.known] == list(range(first, last + 1))
        assert len(found.rows) == 2 * (last - first + 1)
        return asked.hits - before

    assert blocks_asked(3, 5) == 2
    assert blocks_asked(3, 4) == 2
    assert blocks_asked(5, 5) == 0


def test_a_block_whose_logs_are_refused_is_read_from_its_receipts_if_it_may_hold_any(
    node: ScriptedNode, source: Source
) -> None:
    """SPEC 8.33"""
    node.faults.add(faults.error(-32005, "query returned more than 10000 results"), LOGS)

    assert [row.block_number for row in read(source, 4, 4).rows] == [4, 4]
    assert source._doubt.spans == DOUBT_SPANS
    with pytest.raises(RpcError):
        source.span(BLOCKS, BLOCKS)
    assert source.span(1, 2).last == 1, "of two blocks one is given up, and then the other's receipts are read"


def test_spans_join_where_one_follows_the_other(source: Source) -> None:
    """SPEC 8.13"""
    first, second, third = read(source, 0, 2), read(source, 3, 4), read(source, 5, 5)
    with pytest.raises(AnswerInconsistent, match="does not follow"):
        first.join(third)
    first.join(second)
    assert (first.last, [number for number, _ in first.known]) == (4, [0, 1, 2, 3, 4])
    assert [row.block_number for row in first.rows] == [1, 1, 2, 2, 3, 3, 4, 4]


def test_with_verify_every_receipt_is_held_against_its_header(node: ScriptedNode) -> None:
    """SPEC 8.33"""
    with closing(Source(node.url, TOKEN, 0, verify=True)) as source:
        assert read(source).rows == truth(node)
        other: Callable[[Any], Any] = lambda found: [{**found[0], "cumulativeGasUsed": "0x7"}, *found[1:]]  # noqa: E731
        with (
            node.faults.add(faults.changes("gas", other, RECEIPTS)),
            pytest.raises(AnswerInconsistent, match="commits to"),
        ):
            read(source)
        node.faults.add(faults.answers(None, RECEIPTS))
        with pytest.raises(AnswerInconsistent, match="does not have the receipts"):
            read(source, 2, 2)
