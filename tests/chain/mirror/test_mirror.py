"""The mirror is always of one block, and of the node's chain."""

from typing import Any

import pytest

from chain.base.errors import AnswerInconsistent, ReorgTooDeep
from chain.contracts import lots
from chain.mirror.models import MIRROR_TABLES
from chain.mirror.rebuild import forget
from chain.node import blocks
from chain.node.rpc import Rpc
from chain.storage.columns import table_of

pytestmark = pytest.mark.slow


@pytest.fixture(params=["ganache", "anvil"])
def chain(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def tables(world: Any) -> dict[str, list[Any]]:
    """Every row of the mirror, but for the moment it was written, and the numbers that a rollback leaves out."""
    found = {}
    for model in MIRROR_TABLES:
        table = table_of(model)
        skipped = {"updated_at_ms", "seq", "generation"}
        columns = ", ".join(column.name for column in table.columns if column.name not in skipped)
        found[table.name] = sorted(map(str, world.rows(f"SELECT {columns} FROM {table.name}")))
    return found


def history(world: Any) -> None:
    """A bit of everything."""
    asked, _ = world.hold("ada", 700)
    world.enqueue(world.award("ada", 1000), world.award("bob", 0), asked, world.exchange("ada", 300))
    world.drain()


def test_an_empty_answer_for_a_block_whose_bloom_says_otherwise_is_not_believed(world, monkeypatch):
    """SPEC 8.5"""
    world.mirror.catch_up()
    history(world)
    before = tables(world)
    forget(world.engine)
    world.restart()
    real = Rpc.call
    monkeypatch.setattr(
        Rpc,
        "call",
        lambda self, method, *params, **options: (
            [] if method == "eth_getLogs" else real(self, method, *params, **options)
        ),
    )
    world.mirror.catch_up()

    assert tables(world) == before


def test_logs_of_another_block_of_the_same_number_are_not_believed(world, monkeypatch):
    """SPEC 8.5"""
    world.mirror.catch_up()
    (id,) = world.enqueue(world.award("ada", 100))
    world.drain(mirrored=False)
    entries = world.count("entry")
    real = Rpc.call

    def lying(self: Rpc, method: str, *params: Any, **options: Any) -> Any:
        answer = real(self, method, *params, **options)
        if method == "eth_getLogs":
            return [{**log, "blockHash": "0x" + "ab" * 32} for log in answer]
        return answer

    with monkeypatch.context() as lie:
        lie.setattr(Rpc, "call", lying)
        with pytest.raises(AnswerInconsistent):
            world.mirror.step()
    assert world.count("entry") == entries
    world.mirror.catch_up()
    assert world.count("entry") == entries + 1
    assert world.operation(id).state == "confirmed"


def test_a_block_that_changes_while_its_logs_are_read_is_not_kept(world, monkeypatch):
    """SPEC 8.5"""
    world.mirror.catch_up()
    snapshot = world.snapshot()
    world.enqueue(world.award("ada", 100))
    world.drain(mirrored=False)
    tip = world.mirror._tip
    real = blocks._logs

    def replaced(*args: Any) -> Any:
        found = real(*args)
        world.revert(snapshot)
        world.mine(3)
        return found

    with monkeypatch.context() as change:
        change.setattr(blocks, "_logs", replaced)
        with pytest.raises(AnswerInconsistent):
            world.mirror.step()
    assert world.mirror._tip == tip
    world.mirror.catch_up()
    assert world.balance_in_mirror("ada") == 0


def test_a_reorg_takes_everything_back_to_the_common_block(world):
    """SPEC 8.3"""
    history(world)
    before, snapshot = tables(world), world.snapshot()
    asked, _ = world.hold("bob", 1)
    world.enqueue(world.award("ada", 5), world.award("bob", 70), world.award("eve", 9), asked)
    world.drain()
    assert tables(world) != before

    world.revert(snapshot)
    world.mirror.catch_up()

    assert tables(world) == before
    assert world.count("mirror_reorg") == 1


def test_a_reorg_while_the_mirror_was_off_is_noticed_at_its_start(world):
    """SPEC 8.4"""
    history(world)
    snapshot = world.snapshot()
    world.enqueue(world.award("ada", 500))
    world.drain()
    assert world.balance_in_mirror("ada") == 1500 - 700 - 300 + 750

    world.restart()
    world.revert(snapshot)
    world.mine(4)
    world.mirror.catch_up()

    assert world.balance_in_mirror("ada") == world.balance_on_chain("ada") == 500
    assert world.rows("SELECT block_number FROM mirror_checkpoint")[0][0] == int(world.rpc.call("eth_blockNumber"), 16)


def test_a_reorg_to_the_same_height_is_noticed(world):
    """SPEC 8.3"""
    world.mirror.catch_up()
    snapshot = world.snapshot()
    world.enqueue(world.award("ada", 500))
    world.drain()
    head = int(world.rpc.call("eth_blockNumber"), 16)

    world.revert(snapshot)
    world.mine(head - int(world.rpc.call("eth_blockNumber"), 16))
    world.mirror.catch_up()

    assert world.balance_in_mirror("ada") == 0
    assert world.count("entry", "kind = 'award'") == 0


def test_three_reorgs_in_quick_succession(world):
    """SPEC 8.3"""
    world.mirror.catch_up()
    for amount in (100, 200, 300):
        snapshot = world.snapshot()
        world.enqueue(world.award("ada", amount))
        world.drain()
        world.revert(snapshot)
        world.mine()
        world.mirror.step()
    world.drain()

    assert world.balance_in_mirror("ada") == world.balance_on_chain("ada") == 900
    assert sorted(world.awarded_on_chain()) == ["1", "2", "3"]


def test_a_reorg_deeper_than_the_horizon_stops_the_mirror_and_says_so(world):
    """SPEC 8.6"""
    world.mirror.catch_up()
    snapshot = world.snapshot()
    shallow = world.new_mirror(undo_blocks_max=2)
    world.mine(6)
    shallow.catch_up()
    before = tables(world)
    world.revert(snapshot)
    # Empty blocks of the same second would have the same hashes as the ones that are gone.
    world.rpc.call("evm_increaseTime", 7)
    world.mine(8)

    with pytest.raises(ReorgTooDeep):
        shallow.step()

    assert world.rows("SELECT state FROM mirror_checkpoint") == [("stopped",)]
    assert {**tables(world), "mirror_checkpoint": 0} == {**before, "mirror_checkpoint": 0}


def test_a_rebuilt_mirror_has_the_same_rows(world):
    """SPEC 8.2, 9.30: and its entries are numbered in a generation of their own, which nothing else begins."""
    world.mirror.catch_up()
    history(world)
    before = tables(world)
    generation = world.rows("SELECT generation FROM mirror_checkpoint")
    world.restart()
    world.mirror.catch_up()
    assert world.rows("SELECT generation FROM mirror_checkpoint") == generation

    forget(world.engine)
    world.restart()
    world.mirror.catch_up()

    assert tables(world) == before
    assert world.rows("SELECT generation FROM mirror_checkpoint") != generation


def test_a_balance_is_what_the_token_holds_lot_by_lot(world):
    """SPEC 8.9"""
    history(world)
    codec, token = world.deployment.codec, world.brands["cdnow"].token
    (row,) = world.rows("SELECT * FROM brand_token WHERE token = :t", t=token)
    (balance,) = world.rows(
        "SELECT lots FROM balance WHERE token = :t AND account = :a", t=token, a=world.member("ada")
    )
    data = "0x" + codec.calldata("LoyaltyToken", "lotsOf", world.member("ada")).hex()
    on_chain = codec.result("LoyaltyToken", "lotsOf", world.rpc.call("eth_call", {"to": token, "data": data}, "latest"))
    at = int(world.rpc.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    in_mirror = lots.expiring(balance.lots, lots.clock_of(row), at)
    assert in_mirror == [(int(lot["points"]), int(lot["expiresAt"])) for lot in on_chain]
    assert in_mirror


def test_points_that_expired_are_not_spendable(world):
    """SPEC 8.9"""
    history(world)
    token = world.brands["cdnow"].token
    (row,) = world.rows("SELECT * FROM brand_token WHERE token = :t", t=token)
    (balance,) = world.rows(
        "SELECT lots FROM balance WHERE token = :t AND account = :a", t=token, a=world.member("ada")
    )
    clock = lots.clock_of(row)
    ((points, expires_at),) = lots.expiring(balance.lots, clock, row.origin)
    world.rpc.call(
        "evm_increaseTime", expires_at - int(world.rpc.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
    )
    world.mine()
    at = int(world.rpc.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    assert at >= expires_at
    assert lots.spendable(balance.lots, clock, expires_at - 1) == points
    assert lots.spendable(balance.lots, clock, at) == world.balance_on_chain("ada") == 0


def test_an_award_of_nothing_has_an_entry(world):
    """SPEC 8.10"""
    (id,) = world.enqueue(world.award("ada", 0))
    world.drain()

    assert world.operation(id).state == "confirmed"
    assert world.rows("SELECT points, operation_id FROM entry WHERE kind = 'award'") == [("0", "1")]


def test_confirmed_waits_for_the_depth_that_is_asked_for(world):
    """SPEC 8.11"""
    deep = world.new_mirror(confirmed_depth=2, safe_depth=1, final_depth=2)
    deep.catch_up()
    (id,) = world.enqueue(world.award("ada", 100))
    world.drain(mirrored=False)
    deep.catch_up()
    assert world.operation(id).state == "mined"
    world.mine(2)
    deep.catch_up()

    assert world.operation(id).state == "confirmed"
    ((block, safe, final),) = world.rows("SELECT block_number, safe_number, final_number FROM mirror_checkpoint")
    assert (safe, final) == (block - 1, block - 2)
