"""Returns go to the chain through a till, with the award's words and proof rebuilt from the mirror."""

from dataclasses import replace
from typing import Any

import pytest

from chain.outbox import calls, locked, operations
from chain.outbox.operations import NewOperation
from chain.storage.database import writing
from tests.chain.conftest import CDNOW, OnChain

pytestmark = pytest.mark.slow

DAY_S = 24 * 3600
# The plan's: thirty days, and what is spent by then is owed.
WINDOW_S = 30 * DAY_S


@pytest.fixture(params=["ganache", "anvil"])
def chain(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def returned(world: OnChain, award: int, base_amount: int, *, key: str, member: str = "ada") -> NewOperation:
    given = world.operation(award)
    assert given.operation_id is not None
    return calls.goods_return(
        key=key, brand=CDNOW, member=world.member(member), award=given.operation_id, base_amount=base_amount
    )


def entries(world: OnChain, member: str = "ada") -> list[tuple[str, int]]:
    rows = world.rows(
        "SELECT kind, points FROM entry WHERE account = :account ORDER BY seq", account=world.member(member)
    )
    return [(kind, int(points)) for kind, points in rows]


def debt(world: OnChain, member: str = "ada") -> int:
    data = world.deployment.codec.calldata("LoyaltyToken", "debtOf", world.member(member))
    call = {"to": world.brands["cdnow"].token, "data": "0x" + data.hex()}
    return int(world.rpc.call("eth_call", call, "latest"), 16)


def test_a_return_takes_back_what_an_award_of_a_batch_gave_for_the_goods(world: OnChain) -> None:
    """SPEC 2.24, 7.86, 7.87"""
    batch = [world.award("bob", 999), world.award("ada", 0), world.award("eve", 5, rule=99), world.award("ada", 1001)]
    ids = world.enqueue(*batch, world.award("bob", 77), world.award("eve", 3))
    world.drain()
    assert world.count("chain_transaction", "kind = 'batch'") == 1

    # 1,001 cents earned 1,501; 400 cents fewer, 601 × 3 / 2 = 901.
    part, rest = world.enqueue(returned(world, ids[3], 400, key="part"), returned(world, ids[3], 601, key="rest"))
    world.drain()

    assert [world.operation(id).state for id in (part, rest)] == ["confirmed", "confirmed"]
    assert [kind for kind, _ in entries(world)] == ["award", "award", "return", "return"]
    assert [points for _, points in entries(world)] == [0, 1501, -600, -901]
    assert world.operation(part).result is not None
    assert world.operation(part).result["standing"] == "901"
    assert world.balance_on_chain("ada") == world.balance_in_mirror("ada") == 0
    # One row of ids for awards and returns: dense, and each counts once.
    assert [int(world.operation(id).operation_id or 0) for id in (*ids, part, rest)] == list(range(1, 9))
    # Through a till's key, which is not that of awards.
    [batch_signer] = world.rows("SELECT DISTINCT signer FROM chain_transaction WHERE kind = 'batch'")
    [return_signer] = world.rows("SELECT DISTINCT signer FROM chain_transaction WHERE kind = 'return'")
    assert batch_signer != return_signer


def test_a_return_asked_for_with_its_award_waits_for_it(world: OnChain) -> None:
    """SPEC 7.87"""
    (award,) = world.enqueue(world.award("ada", 1000))
    (back,) = world.enqueue(returned(world, award, 1000, key="back"))
    for _ in range(40):
        world.relayer.step()
    assert world.operation(award).state == "mined", "the receipts told"
    assert world.operation(back).state == "queued", "the mirror has no award yet"

    world.drain()

    assert world.operation(back).state == "confirmed"
    assert entries(world) == [("award", 1500), ("return", -1500)]


def test_what_is_spent_is_owed_and_the_next_award_pays_it(world: OnChain) -> None:
    """SPEC 1.24, 1.25, 7.86"""
    (award,) = world.enqueue(world.award("ada", 1000))
    world.drain()
    hold, _ = world.hold("ada", 1200)
    world.enqueue(hold)
    world.drain()

    (back,) = world.enqueue(returned(world, award, 1000, key="back"))
    world.drain()
    assert world.operation(back).result["missing"] == "1200", world.operation(back)
    assert debt(world) == 1200

    world.enqueue(world.award("ada", 1000))
    world.drain()
    assert debt(world) == 0
    assert entries(world)[2:] == [("return", -300), ("award", 1500), ("debt_paid", -1200)]


def test_a_return_that_cannot_be_fails_with_the_contracts_error_and_spends_no_nonce(world: OnChain) -> None:
    """SPEC 2.22, 2.23, 7.6, 7.87"""
    award, free, refused = world.enqueue(
        world.award("ada", 1000), world.award("ada", 0), world.award("ada", 10, rule=99)
    )
    world.drain()
    wanted = world.enqueue(
        returned(world, award, 1001, key="too much"),
        returned(world, free, 1, key="of nothing"),
        returned(world, refused, 10, key="of a refused one"),
        returned(world, award, 0, key="no goods"),
        returned(world, award, 1000, key="all"),
        returned(world, award, 1, key="once more"),
    )
    world.drain()
    errors = [world.operation(id).error for id in wanted]
    assert errors == [
        "ReturnExceedsAward", "AwardUnknown", "AwardUnknown", "BaseAmountMissing", None, "ReturnExceedsAward",
    ]  # fmt: skip
    assert world.count("chain_transaction", "kind = 'return'") == 1

    (later,) = world.enqueue(world.award("ada", 1000))
    world.drain()
    world.rpc.call("evm_increaseTime", WINDOW_S + 60)
    world.mine()
    (late,) = world.enqueue(returned(world, later, 1000, key="late"))
    world.drain()
    assert world.operation(late).error == "ReturnTooLate"
    assert world.balance_on_chain("ada") == 1500


def test_what_is_no_award_or_was_cancelled_is_unknown_at_once_and_holds_up_nobody(world: OnChain) -> None:
    """SPEC 7.87: an id that a return has, even its own, and an award whose goods came back before its second."""
    due_ms = operations.now_ms() + 1000 * DAY_S
    award, cancelled = world.enqueue(world.award("ada", 1000), replace(world.award("ada", 10), due_at_ms=due_ms))
    with writing(world.engine) as connection:
        assert locked.give_back(connection, cancelled, 10) is not None
    (part,) = world.enqueue(returned(world, award, 400, key="part"))
    world.drain()
    own = str(int(world.operation(part).operation_id or 0) + 3)
    wanted = world.enqueue(
        returned(world, part, 1, key="of a return"),
        returned(world, cancelled, 10, key="of a cancelled one"),
        calls.goods_return(key="of itself", brand=CDNOW, member=world.member("ada"), award=own, base_amount=1),
        returned(world, award, 600, key="rest"),
    )
    for _ in range(40):
        world.relayer.step()

    assert world.operation(wanted[2]).operation_id == own
    assert [world.operation(id).error for id in wanted] == ["AwardUnknown"] * 3 + [None]
    world.drain()
    assert world.operation(wanted[3]).state == "confirmed"
    assert world.balance_on_chain("ada") == 0
