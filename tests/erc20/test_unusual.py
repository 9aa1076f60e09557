"""Unusual but legal: never fatal, and counted right."""

from typing import Any

import pytest

from chain.erc20.transfers import TRANSFER
from tests.erc20.conftest import TOKEN, Books
from tests.support.scripted_node.blocks import Log
from tests.support.scripted_node.node import ScriptedNode
from tests.support.scripted_node.tokens import (
    WORD_MAX,
    Traffic,
    address_of,
    address_topic,
    burn,
    event,
    mint,
    transfer,
    word,
)

ADA, BOB = address_of("ada"), address_of("bob")


def test_values_near_two_to_the_256_and_sums_beyond(follower: Any, books: Books, node: ScriptedNode) -> None:
    """SPEC 8.14"""
    node.chain.mine([mint(TOKEN, ADA, WORD_MAX), mint(TOKEN, ADA, WORD_MAX), transfer(TOKEN, ADA, BOB, WORD_MAX - 1)])
    follower().catch_up()
    books.check()
    assert books.balances() == {ADA: str(WORD_MAX + 1), BOB: str(WORD_MAX - 1)}


def test_a_token_that_gives_what_no_event_brought_ends_below_zero(
    follower: Any, books: Books, node: ScriptedNode
) -> None:
    """SPEC 8.35"""
    node.chain.mine([transfer(TOKEN, ADA, BOB, 70)])
    mirror = follower()
    mirror.catch_up()
    assert books.balances() == {ADA: "-70", BOB: "70"}
    node.chain.mine([transfer(TOKEN, BOB, ADA, 70)])
    mirror.catch_up()
    books.check()
    assert books.balances() == {}


def test_transfers_of_nothing_to_oneself_and_to_nobody(follower: Any, books: Books, node: ScriptedNode) -> None:
    """SPEC 8.14"""
    zero = "0x" + "00" * 20
    node.chain.mine(
        [mint(TOKEN, ADA, 10), transfer(TOKEN, ADA, ADA, 4), transfer(TOKEN, ADA, BOB, 0), mint(TOKEN, zero, 3)],
        [burn(TOKEN, ADA, 10)],
    )
    follower().catch_up()
    books.check()
    assert len(books.transfers()) == 5
    assert books.balances() == {}


def test_log_indexes_near_two_to_the_32(follower: Any, books: Books, node: ScriptedNode) -> None:
    """SPEC 8.14"""
    node.chain.mine([mint(TOKEN, ADA, 1)] * 3, first_log_index=(1 << 32) - 3)
    follower().catch_up()
    books.check()
    assert books.transfers()[-1][3] == (1 << 32) - 1


def test_blocks_whose_times_go_backwards(follower: Any, books: Books, node: ScriptedNode) -> None:
    """SPEC 8.14"""
    for time in (2_000_000_000, 5, 1_700_000_000, 0):
        node.chain.mine([mint(TOKEN, ADA, 1)], time=time)
    follower().catch_up()
    books.check()


@pytest.mark.parametrize("per_transaction", [1, 500])
def test_ten_thousand_logs_in_one_block(
    follower: Any, books: Books, node: ScriptedNode, traffic: Traffic, per_transaction: int
) -> None:
    """SPEC 8.14"""
    traffic.mine(blocks=30, transfers=1)
    traffic.mine(blocks=1, transfers=10_000, per_transaction=per_transaction)
    traffic.mine(blocks=30, transfers=1)
    mirror = follower(timeout_s=10.0)
    mirror.catch_up()
    books.check()
    traffic.mine(blocks=1, transfers=10_000, per_transaction=per_transaction)
    mirror.catch_up()
    traffic.reorg(1, "none")
    mirror.catch_up()
    books.check()


def test_what_only_looks_like_a_transfer_is_none(follower: Any, books: Books, node: ScriptedNode) -> None:
    """SPEC 8.34"""
    rubbish = [
        # ERC-721: the id is indexed, there is no data.
        Log(TOKEN, (TRANSFER, address_topic(ADA), address_topic(BOB), "0x" + word(7))),
        # Nothing indexed.
        event(TOKEN, "Transfer(address,address,uint256)", (), (ADA, BOB, 5)),
        event(TOKEN, "Transfer(address,address,uint256)", (ADA,), (BOB, 5)),
        # Anonymous, and no data at all; and more than one word.
        Log(TOKEN, (), "0x1234"),
        Log(TOKEN, ("0x" + "12" * 32,), "0x"),
        Log(TOKEN, (TRANSFER, address_topic(ADA), address_topic(BOB)), "0x"),
        Log(TOKEN, (TRANSFER, address_topic(ADA), address_topic(BOB)), "0x" + word(5) + word(6)),
        event(TOKEN, "Approval(address,address,uint256)", (ADA, BOB), (5,)),
    ]
    node.chain.mine([*rubbish, mint(TOKEN, ADA, 9), *rubbish], [*rubbish])
    for _ in range(25):
        node.chain.mine(rubbish)
    follower().catch_up()
    books.check()
    assert books.balances() == {ADA: "9"}


def test_the_same_transaction_in_another_block(follower: Any, books: Books, traffic: Traffic) -> None:
    """SPEC 8.3"""
    traffic.mine(blocks=10, transfers=3)
    mirror = follower()
    mirror.catch_up()
    traffic.reorg(3, "moved")
    mirror.catch_up()
    books.check()


def test_a_block_of_other_contracts_with_a_full_bloom(follower: Any, books: Books, node: ScriptedNode) -> None:
    """SPEC 8.5"""
    others = [mint(address_of(f"token {number}"), address_of(f"holder {number}"), 5) for number in range(600)]
    for _ in range(20):
        node.chain.mine(others)
    node.chain.mine([*others, mint(TOKEN, ADA, 5)])
    follower().catch_up()
    books.check()
