"""`moa mirror --check-balances`: sums of events beside what the token itself says, at the mirror's own block."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from scripts.cli.app import app
from tests.erc20.conftest import TOKEN, Books, Running, until
from tests.support.scripted_node import faults
from tests.support.scripted_node.blocks import ZERO_ADDRESS
from tests.support.scripted_node.methods import BALANCE_OF, TOTAL_SUPPLY
from tests.support.scripted_node.node import ScriptedNode
from tests.support.scripted_node.tokens import Traffic, address_of, transfer

CALL = "eth_call"


def command(books: Books, how: str, *more: str, rpc: str | None = None) -> Result:
    words = ["mirror", "--rpc", rpc or books.node.url, "--db", books.url, "--token", TOKEN]
    return CliRunner().invoke(app, [*words, "--check-balances", how, *more])


def told(books: Books, how: str, *more: str) -> dict[str, Any]:
    done = command(books, how, "--json", *more)
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.exit_code == (0 if found["agrees"] else 1)
    return found


@pytest.fixture
def filled(follower: Any, books: Books, traffic: Traffic) -> Books:
    """A mirror of 40 blocks that does not run."""
    traffic.mine(blocks=40, transfers=3)
    mirror = follower()
    mirror.catch_up()
    mirror.close()
    return books


def parties(node: ScriptedNode) -> set[str]:
    rows = node.truth(TOKEN).transfers
    return {address for row in rows for address in (row.sender, row.recipient)} - {ZERO_ADDRESS}


def test_all_balances_of_an_honest_token_agree_and_so_does_their_sum(filled: Books, node: ScriptedNode) -> None:
    """SPEC 8.42"""
    found = told(filled, "all")
    supply = str(node.truth(TOKEN).supplies[TOKEN])
    assert found["agrees"]
    assert (found["compared"], found["differ"], found["below_zero"]) == (len(parties(node)), 0, 0)
    assert found["supply"] == {"sum": supply, "total_supply": supply}
    assert (found["block_number"], found["block_hash"]) == (40, node.chain.head.hash)
    assert "all agree" in command(filled, "all").stdout


@pytest.mark.parametrize("seed", ["1", "2"])
def test_a_sample_is_as_large_as_asked_for_and_the_same_for_the_same_seed(
    filled: Books, node: ScriptedNode, seed: str
) -> None:
    """SPEC 8.42"""
    node.log.clear()
    assert told(filled, "7", "--seed", seed)["compared"] == 7
    first = {call[0]["data"][-40:] for call in node.log.calls(CALL)}
    node.log.clear()
    assert told(filled, "7", "--seed", seed)["compared"] == 7
    assert {call[0]["data"][-40:] for call in node.log.calls(CALL)} == first
    assert len(first) == 7
    assert {"0x" + digits for digits in first} <= parties(node)


def test_it_is_asked_at_the_mirrors_block_not_at_the_head(filled: Books, node: ScriptedNode, traffic: Traffic) -> None:
    """SPEC 8.42"""
    traffic.mine(blocks=20, transfers=5)
    node.log.clear()
    assert told(filled, "all")["agrees"]
    assert {call[1] for call in node.log.calls(CALL)} == {hex(40)}


def test_balances_of_a_start_after_the_tokens_creation_differ_and_are_told(
    follower: Any, books: Books, traffic: Traffic, node: ScriptedNode
) -> None:
    """SPEC 8.41, 8.42"""
    traffic.mine(blocks=40, transfers=3)
    mirror = follower(from_block=21)
    mirror.catch_up()
    mirror.close()
    held = books.balances()
    differing = {one for one in parties_since(node, 21) if held.get(one, "0") != truth_of(node, one)}
    found = told(books, "all", "--from-block", "21")
    assert (found["differ"], found["below_zero"]) == (len(differing), sum(int(one) < 0 for one in held.values()))
    assert found["below_zero"] > 0
    for one in found["differences"]:
        address = one["address"]
        assert (one["mirrored"], one["token_says"]) == (held.get(address, "0"), truth_of(node, address))
    said = command(books, "all", "--from-block", "21")
    assert said.exit_code == 1
    assert "is older than block 21" in said.stdout


def parties_since(node: ScriptedNode, block: int) -> set[str]:
    rows = [row for row in node.truth(TOKEN).transfers if row.block_number >= block]
    return {address for row in rows for address in (row.sender, row.recipient)} - {ZERO_ADDRESS}


def truth_of(node: ScriptedNode, address: str) -> str:
    return str(node.truth(TOKEN).balances(TOKEN).get(address, 0))


def test_one_balance_that_moved_without_an_event_is_found_among_all(filled: Books, node: ScriptedNode) -> None:
    """SPEC 8.42"""
    robbed = sorted(parties(node))[7]

    def balance_of(data: str, block: Any) -> str:
        address = "0x" + data[34:74]
        balance = node.truth(TOKEN, at=block.number).balances(TOKEN).get(address, 0)
        return f"0x{balance + (1 if address == robbed else 0):064x}"

    node.methods.calls[TOKEN, BALANCE_OF] = balance_of
    found = told(filled, "all")
    had = node.truth(TOKEN).balances(TOKEN).get(robbed, 0)
    assert found["differences"] == [{"address": robbed, "mirrored": str(had), "token_says": str(had + 1)}]
    assert found["differ"] == 1


def test_a_supply_that_is_not_the_sum_differs(filled: Books, node: ScriptedNode) -> None:
    """SPEC 8.42"""
    supply = node.truth(TOKEN).supplies[TOKEN]
    node.methods.calls[TOKEN, TOTAL_SUPPLY] = lambda data, block: f"0x{supply + 5:064x}"
    found = told(filled, "all")
    assert (found["agrees"], found["differ"]) == (False, 0)
    assert found["supply"] == {"sum": str(supply), "total_supply": str(supply + 5)}


def test_a_contract_that_does_not_answer_is_a_difference(filled: Books, node: ScriptedNode) -> None:
    """SPEC 8.42"""
    node.methods.codes[TOKEN] = "0x"
    found = told(filled, "3")
    assert found["differ"] == 3
    assert [one["token_says"] for one in found["differences"]] == [None] * 3


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (faults.error(-32000, "missing trie node 5f4f (path )"), "missing trie node"),
        (faults.error(-32601, "the method eth_call does not exist/is not available"), "eth_call"),
        (faults.answers("0x12", CALL), "less than one word"),
        (faults.answers("0x" + "zz" * 32, CALL), "no such shape"),
    ],
    ids=["no state", "no method", "half a word", "no hex"],
)
def test_a_node_that_cannot_tell_is_an_end_of_its_own(
    filled: Books, node: ScriptedNode, fault: Any, words: str
) -> None:
    """SPEC 8.42"""
    planted = node.faults.add(fault, CALL)
    done = command(filled, "3")
    assert done.exit_code == 3
    assert words in done.output
    assert planted.hits


def test_another_branch_and_a_shorter_chain_are_no_ground_to_compare_on(
    filled: Books, node: ScriptedNode, traffic: Traffic
) -> None:
    """SPEC 8.42"""
    traffic.reorg(2, "others")
    done = command(filled, "3")
    assert (done.exit_code, "another block 40" in done.output) == (3, True)
    node.chain.rewind(10)
    done = command(filled, "3")
    assert (done.exit_code, "only at block 31" in done.output) == (3, True)


def test_another_chain_is_refused(filled: Books, node: ScriptedNode) -> None:
    """SPEC 8.36, 8.42"""
    with ScriptedNode(seed=99) as other:
        done = command(filled, "3", rpc=other.url)
    assert (done.exit_code, "ChainReplaced" in done.output) == (2, True)


def test_it_changes_nothing_and_a_mirror_may_run_meanwhile(
    running: Any, books: Books, traffic: Traffic, node: ScriptedNode
) -> None:
    """SPEC 8.37, 8.42"""
    traffic.mine(blocks=20, transfers=2)
    one: Running = running()
    until(books.at_head)
    before = (books.transfers(), books.balances(), books.checkpoint()[:2])
    assert told(books, "all")["agrees"]
    assert (books.transfers(), books.balances(), books.checkpoint()[:2]) == before
    traffic.mine(blocks=2, transfers=2)
    until(books.at_head)
    assert one.failures == []


def test_a_mirror_without_rows_has_nothing_to_compare(follower: Any, books: Books, node: ScriptedNode) -> None:
    """SPEC 8.42"""
    node.chain.mine_empty(5)
    mirror = follower()
    mirror.catch_up()
    mirror.close()
    assert (told(books, "all")["compared"], told(books, "9")["compared"]) == (0, 0)
    node.chain.mine([transfer(TOKEN, ZERO_ADDRESS, address_of("ada"), 5)])


@pytest.mark.parametrize("how", ["", "0", "-1", "some", "1.5", "1_0", "٣", "100001", "9" * 30])
def test_what_is_no_number_of_balances_is_refused(tmp_path: Any, how: str) -> None:
    """SPEC 8.36"""
    words = ["mirror", "--rpc", "http://127.0.0.1:9", "--db", f"sqlite:///{tmp_path}/x.db", "--token", TOKEN]
    done = CliRunner().invoke(app, [*words, "--check-balances", how])
    assert (done.exit_code, "a number from 1 to" in done.output.replace("\n", " ")) == (2, True)
    assert list(tmp_path.iterdir()) == []
