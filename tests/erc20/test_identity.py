"""Which chain a database follows: chain id, genesis and the block below its first one. Rows of it are never traded."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest

from chain.base.errors import AnswerInconsistent, ChainReplaced
from chain.erc20.sqlite import SqliteStore
from tests.erc20.conftest import Books, Running, select, until
from tests.support.scripted_node import faults
from tests.support.scripted_node.chain import Chain
from tests.support.scripted_node.faults import BY_NUMBER
from tests.support.scripted_node.node import ScriptedNode
from tests.support.scripted_node.tokens import Traffic

IDENTITY = "SELECT chain_id, genesis_hash, anchor_hash FROM mirror_checkpoint"


def fork(node: ScriptedNode, *, shared: int, blocks: int, chain_id: int) -> Chain:
    """A chain with the same genesis and the first `shared` blocks of the node's; what comes then is its own."""
    made = Chain(seed=node.chain.seed, chain_id=chain_id)
    assert made.genesis_hash == node.chain.genesis_hash
    made.restore(node.chain.blocks[1 : shared + 1])
    made._salt += 1_000
    made.mine_empty(blocks)
    return made


def everything(books: Books) -> tuple[Any, ...]:
    return books.transfers(), books.balances(), books.checkpoint()[:2]


def test_another_chain_id_with_the_same_genesis_is_refused_and_nothing_is_deleted(
    follower: Any, books: Books, traffic: Traffic, node: ScriptedNode
) -> None:
    """SPEC 8.36: before, this was taken for a reorg, and the rows of the last blocks were taken back in silence."""
    traffic.mine(blocks=30, transfers=2)
    follower().catch_up()
    before = everything(books)
    with ScriptedNode(chain=fork(node, shared=20, blocks=15, chain_id=61)) as other:
        mirror = follower(rpc_url=other.url)
        with pytest.raises(ChainReplaced) as caught:
            mirror.run(threading.Event(), None)
    assert (caught.value.what, caught.value.expected, caught.value.found) == ("chain id", "1337", "61")
    assert (everything(books), books.checkpoint()[2]) == (before, "live")
    assert not mirror.begun


@pytest.mark.parametrize("how", ["a branch of its own", "on top of ours, after a failure"])
def test_a_chain_id_that_changes_while_it_runs_stops_it_and_nothing_is_deleted(
    running: Any, books: Books, traffic: Traffic, node: ScriptedNode, how: str
) -> None:
    """SPEC 8.36"""
    traffic.mine(blocks=30, transfers=2)
    one: Running = running()
    until(lambda: books.checkpoint()[:3] == (30, node.chain.head.hash, "live"))
    before = everything(books)
    node.chain.chain_id = 61
    if how == "a branch of its own":
        traffic.reorg(4, "others")
    else:
        down = node.faults.add(faults.answers("busy", BY_NUMBER))
        until(lambda: down.hits > 0)
        traffic.mine(blocks=1, transfers=2)
        down.clear()
    until(lambda: bool(one.failures))
    assert isinstance(one.failures.pop(), ChainReplaced)
    assert everything(books) == before
    state, reason = books.checkpoint()[2:]
    assert state == "stopped"
    assert "chain id 1337, the node has chain id 61" in (reason or "")


def test_another_chain_of_the_same_id_and_genesis_is_told_by_the_block_below_the_first_one(
    follower: Any, books: Books, traffic: Traffic, node: ScriptedNode
) -> None:
    """SPEC 8.36: also where the token was quiet, so that no row lies below the fork."""
    node.chain.mine_empty(50)
    traffic.mine(blocks=10, transfers=2)
    follower(from_block=20, undo_blocks=15).catch_up()
    before = everything(books)
    with (
        ScriptedNode(chain=fork(node, shared=10, blocks=70, chain_id=1337)) as other,
        pytest.raises(ChainReplaced) as caught,
    ):
        follower(from_block=20, undo_blocks=15, rpc_url=other.url).catch_up()
    assert caught.value.what == "block 19"
    assert everything(books) == before


@pytest.mark.parametrize("from_block", [0, 1, 8, 31])
def test_chain_id_genesis_and_the_block_below_the_first_one_are_kept_through_reorgs(
    follower: Any, books: Books, traffic: Traffic, node: ScriptedNode, from_block: int
) -> None:
    """SPEC 8.36"""
    traffic.mine(blocks=5, transfers=1)
    mirror = follower(from_block=from_block)

    def check() -> None:
        mirror.catch_up()
        block = node.chain.block(from_block - 1)
        anchor = None if block is None else block.hash
        assert select(books.url, IDENTITY) == [("1337", node.chain.genesis_hash, anchor)]

    check()
    traffic.mine(blocks=4, transfers=1)
    check()
    traffic.reorg(4, "others", blocks=6)
    check()
    traffic.mine(blocks=40, transfers=1)
    check()
    traffic.reorg(45, "none")
    check()
    node.chain.rewind(46)
    check()


def test_a_database_of_before_learns_its_chain_id_and_keeps_its_rows(
    follower: Any, books: Books, traffic: Traffic, node: ScriptedNode, database_url: str
) -> None:
    """SPEC 8.36"""
    traffic.mine(blocks=20, transfers=2)
    mirror = follower(from_block=5)
    mirror.catch_up()
    mirror.close()
    without_identity(database_url)
    assert books.digest()

    traffic.mine(blocks=3, transfers=2)
    follower(from_block=5).catch_up()
    books.check(from_block=5)
    assert select(database_url, IDENTITY) == [("1337", node.chain.genesis_hash, node.chain.blocks[4].hash)]


def test_a_database_of_before_can_be_read_as_it_is(
    follower: Any, books: Books, traffic: Traffic, database_url: str
) -> None:
    """SPEC 8.37: to read it changes nothing."""
    from chain.erc20.follower import open_store

    traffic.mine(blocks=5, transfers=2)
    mirror = follower()
    mirror.catch_up()
    mirror.close()
    without_identity(database_url)
    store = open_store(database_url)
    store.open_to_read()
    held = store.checkpoint()
    store.close()
    assert held is not None
    assert (held.block_number, held.chain_id, held.anchor_hash) == (5, None, None)
    with pytest.raises(Exception, match="chain_id"):
        select(database_url, IDENTITY)


def without_identity(database_url: str) -> None:
    """The table as it was made before."""
    statements = [f"ALTER TABLE mirror_checkpoint DROP COLUMN {name}" for name in ("chain_id", "anchor_hash")]
    if database_url.startswith("sqlite"):
        store = SqliteStore(database_url.removeprefix("sqlite:///"))
        store.open()
        for statement in statements:
            store._open_connection().execute(statement)
        store.close()
        return
    with psycopg.connect(database_url, autocommit=True) as session:
        for statement in statements:
            session.execute(statement)


def test_a_node_that_changes_its_head_while_it_is_asked_who_it_is_is_not_believed(
    follower: Any, books: Books, traffic: Traffic, node: ScriptedNode
) -> None:
    """SPEC 8.36: of two nodes behind one address, one told the head and another its chain id."""
    traffic.mine(blocks=10, transfers=1)
    mirror = follower()
    mirror.catch_up()
    before = everything(books)
    traffic.reorg(3, "others")
    with node.faults.add(faults.behind(8), BY_NUMBER, when=lambda request, _: request.params[0] != "latest"):
        with pytest.raises(AnswerInconsistent):
            mirror.step()
        assert everything(books) == before
    mirror.catch_up()
    books.check()
