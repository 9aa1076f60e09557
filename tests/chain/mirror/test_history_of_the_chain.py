"""What the mirror says of a block is what the contracts answer at that block, on Ganache and on Anvil."""

from __future__ import annotations

from typing import Any

import pytest

from chain.mirror import history
from chain.mirror.digest import digest
from chain.mirror.rebuild import forget
from chain.storage.database import snapshot

pytestmark = pytest.mark.slow


@pytest.fixture(params=["ganache", "anvil"])
def chain(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def ask(world: Any, contract: str, address: str, block: int, function: str, *arguments: Any) -> Any:
    codec = world.deployment.codec
    data = "0x" + codec.calldata(contract, function, *arguments).hex()
    return codec.result(contract, function, world.rpc.call("eth_call", {"to": address, "data": data}, hex(block)))


def busy(world: Any) -> None:
    """A bit of everything, over several blocks, with lots of more than one expiry."""
    asked, _ = world.hold("ada", 700)
    world.enqueue(world.award("ada", 1000), world.award("bob", 333), asked)
    world.drain()
    world.rpc.call("evm_increaseTime", 40 * 24 * 3600)
    world.mine()
    world.enqueue(world.award("ada", 500), world.exchange("ada", 300), world.award("eve", 0))
    world.drain()
    world.mine(2)
    world.enqueue(world.award("bob", 50, brand="hanok"))
    world.drain()


def check(world: Any, first: int) -> int:
    """Compares every block from `first` to the tip; gives how many values were compared."""
    compared = 0
    desk, house = world.deployment.address("RedemptionDesk"), world.deployment.address("ClearingHouse")
    with snapshot(world.engine) as connection:
        last = history.span(connection).last.number
        for block in range(first, last + 1):
            header = world.rpc.call("eth_getBlockByNumber", hex(block), False)
            at = history.moment(connection, block)
            assert (at.hash, at.time) == (header["hash"], int(header["timestamp"], 16))
            for brand in world.brands.values():
                token = brand.token
                supply = history.supply(connection, token, block)
                assert supply.live == int(ask(world, "LoyaltyToken", token, block, "totalSupply"))
                lots = ask(world, "LoyaltyToken", token, block, "supplyByExpiry")
                assert [(lot.points, lot.expires_at) for lot in supply.by_expiry] == [
                    (int(lot["points"]), int(lot["expiresAt"])) for lot in lots if int(lot["points"])
                ]
                for account in (*map(world.member, ("ada", "bob", "eve")), desk):
                    words = ask(world, "LoyaltyToken", token, block, "packedLotsOf", account)
                    ours = history.words_of(connection, token, account, block)
                    # A word whose points were all spent keeps its tag in storage; it holds nothing.
                    empty = (1 << 240) - 1
                    assert list(ours) == [int(word) if int(word) & empty else 0 for word in words]
                    points = history.points_of(connection, token, account, block)
                    assert points == int(ask(world, "LoyaltyToken", token, block, "balanceOf", account))
                    compared += 2
            for row in history.obligations(connection, block):
                debtor, creditor = int(row["debtor_id"]), int(row["creditor_id"])
                on_chain = ask(world, "ClearingHouse", house, block, "obligationOf", debtor, creditor)
                assert row["outstanding"] == on_chain
                compared += 1
            for row in history.rules_in_force(connection, block):
                known = ask(
                    world, "RewardRules", world.deployment.address("RewardRules"), block, "ruleOf",
                    int(row["brand_id"]), int(row["rule_id"]),
                )  # fmt: skip
                assert int(known[1]) == row["version"]
                compared += 1
    return compared


def test_every_block_is_answered_as_the_contracts_answered_then(world: Any) -> None:
    """SPEC 8.17"""
    world.mirror.catch_up()
    first = int(world.rows("SELECT block_number FROM mirror_checkpoint")[0][0])
    busy(world)

    assert check(world, first) > 100
    # What the contracts say of each other is whole: no doubt ever costs a request (SPEC 8.24).
    assert world.mirror._reader.doubted == 0


def test_a_reorg_and_a_rebuild_leave_the_same_history(world: Any) -> None:
    """SPEC 8.2, 8.17"""
    world.mirror.catch_up()
    first = int(world.rows("SELECT block_number FROM mirror_checkpoint")[0][0])
    world.enqueue(world.award("ada", 1000))
    world.drain()
    before = world.snapshot()
    world.enqueue(world.award("ada", 70), world.award("bob", 70))
    world.drain()
    world.revert(before)
    world.mine()
    world.drain()
    world.enqueue(world.award("eve", 5))
    world.drain()
    with snapshot(world.engine) as connection:
        known = digest(connection)
    assert check(world, first) > 0

    forget(world.engine)
    world.restart()
    world.mirror.catch_up()

    with snapshot(world.engine) as connection:
        assert digest(connection) == known
    assert check(world, first) > 0
