"""A plain ERC-20, followed: rows, balances and checkpoint are of one block, and of the right one."""

import time
from typing import Any

import pytest

from chain.base.errors import ArgumentInvalid, ChainReplaced, DatabaseUnusable, LeaderElsewhere, MirrorMismatch
from chain.erc20.follower import FollowerSettings, open_store
from tests.erc20.conftest import TOKEN, UNTIL_S, Books, select, until
from tests.support.scripted_node.chain import Chain
from tests.support.scripted_node.node import ScriptedNode
from tests.support.scripted_node.tokens import Traffic, address_of

CHECKSUM = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
# Who heard nothing of a new block looks after POLL_S; who was told is there well before, on a slow machine too.
POLL_S = 5.0
TOLD_S = 4.0
STEPS = 40


@pytest.mark.parametrize(
    "token", ["", "0x", "0x12", "token", "0x" + "g" * 40, "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD", 7]
)
def test_what_is_no_address_is_refused(token: Any) -> None:
    """SPEC 8.34"""
    with pytest.raises(ArgumentInvalid):
        FollowerSettings("http://127.0.0.1:1", "sqlite:///x", token, 0)


@pytest.mark.parametrize("token", [CHECKSUM, CHECKSUM.lower(), "0x" + CHECKSUM[2:].upper()])
def test_an_address_counts_in_any_case(token: str) -> None:
    """SPEC 8.34"""
    assert FollowerSettings("http://127.0.0.1:1", "sqlite:///x", token, 0).token == CHECKSUM.lower()


@pytest.mark.parametrize(
    "url", ["", "sqlite://", "sqlite:///", "sqlite:///:memory:", "mysql://host/db", "mirror.db", "postgresql:db"]
)
def test_what_is_no_database_is_refused(url: str) -> None:
    """SPEC 8.34"""
    with pytest.raises(ArgumentInvalid):
        open_store(url)


def test_a_token_is_followed_from_its_first_block_to_the_head(follower: Any, books: Books, traffic: Traffic) -> None:
    """SPEC 8.34, 8.35"""
    traffic.mine(blocks=40, transfers=7)
    mirror = follower()
    mirror.catch_up()
    books.check()

    for _ in range(5):
        traffic.mine(blocks=1, transfers=3)
        mirror.catch_up()
        books.check()


def test_blocks_below_the_first_one_do_not_count(follower: Any, books: Books, traffic: Traffic) -> None:
    """SPEC 8.34"""
    traffic.mine(blocks=40, transfers=2)
    follower(from_block=21).catch_up()
    books.check(from_block=21)


@pytest.mark.parametrize("from_block", [0, 1, 500])
def test_an_empty_chain_and_a_chain_that_is_still_short_are_followed(
    follower: Any, books: Books, node: ScriptedNode, traffic: Traffic, from_block: int
) -> None:
    """SPEC 8.36"""
    mirror = follower(from_block=from_block)
    mirror.catch_up()
    assert books.checkpoint()[:3] == (0, node.chain.genesis_hash, "live")

    traffic.mine(blocks=30, transfers=2)
    mirror.catch_up()
    books.check(from_block=from_block)
    assert len(books.transfers()) == (0 if from_block == 500 else 60)


def test_a_first_block_above_the_head_is_waited_for(follower: Any, books: Books, traffic: Traffic) -> None:
    """SPEC 8.36"""
    traffic.mine(blocks=5, transfers=2)
    mirror = follower(from_block=20)
    mirror.catch_up()
    traffic.reorg(3, "others", transfers=2)
    mirror.catch_up()
    traffic.mine(blocks=30, transfers=2)
    mirror.catch_up()
    books.check(from_block=20)
    assert len(books.transfers()) > 0


def test_a_contract_without_code_has_no_rows(follower: Any, books: Books, traffic: Traffic) -> None:
    """SPEC 8.14"""
    traffic.mine(blocks=20, transfers=2)
    follower(token=address_of("nobody")).catch_up()
    assert books.transfers() == []
    assert books.checkpoint()[2] == "live"


def test_zero_balances_and_the_zero_address_are_not_kept(follower: Any, books: Books, traffic: Traffic) -> None:
    """SPEC 8.35"""
    traffic.mine(blocks=60, transfers=5)
    follower().catch_up()
    held = books.balances()
    assert "0x" + "00" * 20 not in held
    assert all(int(balance) > 0 for balance in held.values())
    assert sum(map(int, held.values())) == books.node.truth(TOKEN).supplies[TOKEN]


def test_a_rebuilt_mirror_is_the_same_to_the_byte(
    follower: Any, books: Books, traffic: Traffic, tmp_path: Any, node: ScriptedNode
) -> None:
    """SPEC 8.37"""
    traffic.mine(blocks=20, transfers=4)
    mirror = follower()
    mirror.catch_up()
    for replacement in ("others", "none", "moved"):
        traffic.reorg(4, replacement)
        mirror.catch_up()
    mirror.close()
    first = books.digest()

    again = Books(f"sqlite:///{tmp_path / 'again.db'}", node)
    other = follower(database_url=again.url)
    other.catch_up()
    other.close()
    assert again.digest() == first


def test_it_goes_on_where_it_was(follower: Any, books: Books, traffic: Traffic, node: ScriptedNode) -> None:
    """SPEC 8.35"""
    traffic.mine(blocks=50, transfers=2)
    follower().catch_up()
    traffic.mine(blocks=3, transfers=2)
    mirror = follower()
    node.log.clear()
    mirror.catch_up()
    books.check()
    assert all(int(call[0]["fromBlock"], 16) > 50 for call in node.log.calls("eth_getLogs"))


@pytest.mark.parametrize("changes", [{"token": address_of("another")}, {"from_block": 3}])
def test_a_database_of_something_else_is_refused_and_left_alone(
    follower: Any, books: Books, traffic: Traffic, changes: dict[str, Any]
) -> None:
    """SPEC 8.36"""
    traffic.mine(blocks=5, transfers=2)
    follower().catch_up()
    with pytest.raises(MirrorMismatch):
        follower(**changes).catch_up()
    books.check()


def test_a_database_of_another_chain_is_refused_and_left_alone(follower: Any, books: Books, traffic: Traffic) -> None:
    """SPEC 8.36"""
    traffic.mine(blocks=5, transfers=2)
    follower().catch_up()
    with ScriptedNode(chain=Chain(seed=99)) as other, pytest.raises(ChainReplaced):
        follower(rpc_url=other.url).catch_up()
    books.check()


def test_tables_of_another_program_are_refused(follower: Any, database_url: str, traffic: Traffic) -> None:
    """SPEC 8.36"""
    if database_url.startswith("sqlite"):
        import sqlite3

        with sqlite3.connect(database_url.removeprefix("sqlite:///")) as connection:
            connection.execute("CREATE TABLE mirror_checkpoint (id INTEGER, block INTEGER)")
        connection.close()
    else:
        import psycopg

        with psycopg.connect(database_url, autocommit=True) as session:
            session.execute("CREATE TABLE mirror_checkpoint (id INTEGER, block INTEGER)")
    with pytest.raises(DatabaseUnusable):
        follower().catch_up()


def test_a_file_that_is_no_database_is_refused(follower: Any, tmp_path: Any, traffic: Traffic) -> None:
    """SPEC 8.36"""
    (tmp_path / "notes.txt").write_text("shopping list\n" * 500)
    for url in (f"sqlite:///{tmp_path}/notes.txt", f"sqlite:///{tmp_path}/no/such/folder.db", f"sqlite:///{tmp_path}"):
        with pytest.raises(DatabaseUnusable):
            follower(database_url=url).catch_up()


@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_was_removed_is_noticed_and_made_again(
    running: Any, traffic: Traffic, node: ScriptedNode, tmp_path: Any, replaced: bool
) -> None:
    """SPEC 8.39"""
    books = Books(f"sqlite:///{tmp_path / 'here.db'}", node)
    traffic.mine(blocks=25, transfers=2)
    running(database_url=books.url)
    until(books.at_head)
    (tmp_path / "here.db").unlink()
    if replaced:
        (tmp_path / "here.db").touch()
    # No new block is needed for it to be noticed.
    until(books.at_head)
    traffic.mine(blocks=2, transfers=2)
    until(books.at_head)
    books.check()


def test_of_two_mirrors_one_leads(
    follower: Any, database_url: str, books: Books, traffic: Traffic, node: ScriptedNode, running: Any
) -> None:
    """SPEC 8.38"""
    traffic.mine(blocks=5, transfers=2)
    first = running()
    until(books.at_head)

    second = open_store(database_url)
    with pytest.raises(LeaderElsewhere):
        second.open()
    first.end()
    second.open()
    second.close()


def test_new_blocks_are_live_within_a_moment(running: Any, books: Books, traffic: Traffic, node: ScriptedNode) -> None:
    """SPEC 8.31"""
    traffic.mine(blocks=5, transfers=2)
    running(poll_s=POLL_S, subscribed_poll_s=POLL_S)
    until(lambda: books.at_head() and node.subscribers == 1)
    for _ in range(3):
        traffic.mine(blocks=1, transfers=3)
        until(books.at_head, TOLD_S)
        books.check()


@pytest.mark.parametrize("push", ["none", "last", "doubled"])
def test_announcements_that_are_missing_or_doubled_cost_time_only(
    running: Any, books: Books, traffic: Traffic, node: ScriptedNode, push: str
) -> None:
    """SPEC 8.31"""
    node.push = push
    running()
    for _ in range(4):
        traffic.mine(blocks=3, transfers=3)
        until(books.at_head)
    books.check()


def test_a_node_with_nothing_but_a_websocket_is_followed(
    running: Any, books: Books, traffic: Traffic, node: ScriptedNode
) -> None:
    """SPEC 8.30"""
    traffic.mine(blocks=40, transfers=2)
    running(rpc_url=node.ws_url)
    until(books.at_head)
    traffic.mine(blocks=2, transfers=2)
    until(books.at_head)
    books.check()
    assert {one.transport for one in node.log.exchanges()} == {"ws"}


def test_others_may_read_while_it_writes(running: Any, books: Books, traffic: Traffic, database_url: str) -> None:
    """SPEC 8.35"""
    traffic.mine(blocks=10, transfers=5)
    running()
    until(books.at_head)
    query = "SELECT (SELECT count(*) FROM erc20_transfers), (SELECT block_number FROM mirror_checkpoint)"
    for _ in range(STEPS):
        head, end = traffic.mine(blocks=1, transfers=5)[0].number, time.monotonic() + UNTIL_S
        number = head - 1
        # Without a pause: from before the block is written until it is.
        while number < head:
            assert time.monotonic() < end, "it did not follow in time"
            ((rows, number),) = select(database_url, query)
            assert rows == number * 5
