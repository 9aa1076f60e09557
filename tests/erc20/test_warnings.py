"""What is worth knowing before one trusts the balances is said once, when the mirror begins."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from chain.erc20.token import IS_ERC721
from tests.erc20.conftest import TOKEN, Books
from tests.support.scripted_node import faults
from tests.support.scripted_node.node import ScriptedNode
from tests.support.scripted_node.tokens import Traffic, address_of, transfer

ADA, BOB = address_of("ada"), address_of("bob")
WORDS = {
    "no contract": "there is no contract at",
    "ERC-721": "says it is an ERC-721",
    "older": "The token is older than block",
    "unknown": "The node keeps no state of block",
    "below zero": "below zero now",
}


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """SQLite: nothing here depends on the database."""
    return f"sqlite:///{tmp_path / 'mirror.db'}"


def warned(caplog: Any) -> list[str]:
    """Which warnings were given, by the words above."""
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    return [name for text in said for name, words in WORDS.items() if words in text]


@pytest.mark.parametrize("from_block", [0, 1, 3])
def test_a_token_that_is_made_in_the_first_block_is_no_ground_to_warn(
    follower: Any, books: Books, traffic: Traffic, node: ScriptedNode, caplog: Any, from_block: int
) -> None:
    """SPEC 8.41"""
    node.chain.mine_empty(2)
    traffic.mine(blocks=10, transfers=2)
    node.methods.created[TOKEN] = 3
    follower(from_block=from_block).catch_up()
    assert warned(caplog) == []


def test_an_address_without_a_contract_is_told_once(follower: Any, books: Books, traffic: Traffic, caplog: Any) -> None:
    """SPEC 8.41"""
    mirror = follower(token=address_of("nobody"))
    for _ in range(3):
        traffic.mine(blocks=3, transfers=1)
        mirror.catch_up()
    assert warned(caplog) == ["no contract"]
    assert books.checkpoint()[2] == "live"


@pytest.mark.parametrize(("answer", "expected"), [(1, ["ERC-721"]), (0, [])])
def test_a_contract_that_says_it_is_an_erc_721_is_told(
    follower: Any, traffic: Traffic, node: ScriptedNode, caplog: Any, answer: int, expected: list[str]
) -> None:
    """SPEC 8.41"""
    traffic.mine(blocks=3, transfers=1)
    asked = []

    def supports(data: str, block: Any) -> str:
        asked.append(data)
        return f"0x{answer:064x}"

    node.methods.calls[TOKEN, IS_ERC721[:10]] = supports
    follower().catch_up()
    assert asked == ["0x01ffc9a7" + "80ac58cd" + "00" * 28]
    assert warned(caplog) == expected


def test_a_start_after_the_tokens_creation_is_told_and_so_is_the_first_sum_below_zero(
    follower: Any, traffic: Traffic, caplog: Any
) -> None:
    """SPEC 8.41"""
    traffic.mine(blocks=40, transfers=3)
    follower(from_block=21).catch_up()
    assert warned(caplog) == ["older", "below zero"]


def test_a_node_that_keeps_no_old_state_leaves_it_unknown(
    follower: Any, traffic: Traffic, node: ScriptedNode, caplog: Any
) -> None:
    """SPEC 8.41"""
    traffic.mine(blocks=10, transfers=1)

    def old(request: Any, methods: Any) -> bool:
        return bool(request.params[1] == hex(4))

    pruned = node.faults.add(faults.error(-32000, "missing trie node"), "eth_getCode", when=old)
    follower(from_block=5).catch_up()
    assert (warned(caplog)[0], pruned.hits) == ("unknown", 1)


def test_a_first_block_that_is_not_there_yet_is_no_ground_to_warn(follower: Any, traffic: Traffic, caplog: Any) -> None:
    """SPEC 8.36, 8.41"""
    traffic.mine(blocks=5, transfers=1)
    follower(from_block=500).catch_up()
    assert warned(caplog) == []


def test_balances_that_fall_below_zero_are_told_once_with_an_address(
    follower: Any, books: Books, node: ScriptedNode, caplog: Any
) -> None:
    """SPEC 8.41"""
    node.chain.mine([transfer(TOKEN, ADA, BOB, 70)])
    mirror = follower()
    mirror.catch_up()
    assert ADA in caplog.text
    node.chain.mine([transfer(TOKEN, address_of("carol"), BOB, 70)])
    mirror.catch_up()
    assert warned(caplog) == ["below zero"]
    assert books.balances()[ADA] == "-70"


def test_a_node_that_tells_nothing_of_the_token_is_followed_all_the_same(
    follower: Any, books: Books, traffic: Traffic, node: ScriptedNode, caplog: Any
) -> None:
    """SPEC 8.41"""
    traffic.mine(blocks=5, transfers=2)
    planted = node.faults.add(faults.answers({"no": "code"}, "eth_getCode"))
    refused = node.faults.add(faults.error(-32601, "the method eth_call does not exist"), "eth_call")
    follower().catch_up()
    books.check()
    assert planted.hits
    assert refused.hits
    assert warned(caplog) == []
