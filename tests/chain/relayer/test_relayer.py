"""Each operation has exactly one effect on the chain, or a typed failure."""

import time
from contextlib import suppress
from typing import Any

import pytest

from chain.base.errors import NodeTimeout, OperationKeyReused
from chain.node.rpc import Rpc
from chain.outbox import calls, operations, transactions
from chain.outbox.operations import NewOperation
from chain.relayer.signer import sign
from chain.storage.database import writer, writing
from tests.chain.conftest import CDNOW, until

pytestmark = pytest.mark.slow


REAL_CALL = Rpc.call


def _cut(self: Rpc, method: str, *params: Any, **options: Any) -> Any:
    if method == "eth_sendRawTransaction":
        raise NodeTimeout("the way to the node was cut")
    return REAL_CALL(self, method, *params, **options)


@pytest.fixture(params=["ganache", "anvil"])
def chain(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def test_a_hold_of_more_than_there_is_fails_with_the_contracts_error_and_spends_no_nonce(world):
    """SPEC 7.6"""
    (award,) = world.enqueue(world.award("ada", 1000))
    world.drain()
    before = world.count("chain_transaction")

    asked, _ = world.hold("ada", 10**9)
    (id,) = world.enqueue(asked)
    world.drain()

    failed = world.operation(id)
    assert (failed.state, failed.error) == ("failed", "ERC20InsufficientBalance")
    assert failed.error_args["needed"] == str(10**9)
    assert failed.error_args["balance"] == world.operation(award).result["points"]
    assert world.count("chain_transaction") == before


def test_a_hold_signed_by_another_member_is_refused(world):
    """SPEC 7.6"""
    world.enqueue(world.award("ada", 1000))
    asked, _ = world.hold("ada", 10, signed_by="eve")
    (id,) = world.enqueue(asked)
    world.drain()

    assert world.operation(id).error == "SignatureInvalid"
    assert world.balance_on_chain("ada") == 1500


def test_one_bad_award_of_a_batch_fails_alone(world):
    """SPEC 7.5"""
    good, bad, other = world.enqueue(world.award("ada", 100), world.award("bob", 100, rule=99), world.award("eve", 300))
    world.drain()

    assert [world.operation(id).state for id in (good, bad, other)] == ["confirmed", "failed", "confirmed"]
    assert world.operation(bad).error == "RuleUnknown"
    assert world.operation(bad).error_args["ruleId"] == "99"
    assert world.count("chain_transaction", "kind = 'batch'") == 1
    assert world.balance_on_chain("eve") == 450


def test_a_failed_operation_does_not_block_those_behind_it_in_its_ordering_key(world):
    """SPEC 7.4"""
    world.enqueue(world.award("ada", 100))
    bad, _ = world.hold("ada", 10**6)
    good, _ = world.hold("ada", 100)
    ids = world.enqueue(bad, good, world.award("ada", 200))
    world.drain()

    assert [world.operation(id).state for id in ids] == ["failed", "confirmed", "confirmed"]


def test_an_award_is_mined_before_a_hold_that_needs_it(world):
    """SPEC 7.4"""
    asked, hold_id = world.hold("ada", 1500)
    ids = world.enqueue(world.award("ada", 1000), asked)
    world.drain()

    assert [world.operation(id).state for id in ids] == ["confirmed", "confirmed"]
    assert world.rows("SELECT state, points FROM hold WHERE hold_id = :id", id=hold_id) == [("held", "1500")]
    assert world.balance_on_chain("ada") == 0


def test_the_same_key_with_another_content_is_refused_and_the_same_content_counts_once(world):
    """SPEC 7.2"""
    (first,) = world.enqueue(world.award("ada", 100, key="order 1"))
    (again,) = world.enqueue(world.award("ada", 100, key="order 1"))
    with pytest.raises(OperationKeyReused):
        world.enqueue(world.award("ada", 101, key="order 1"))
    world.drain()

    assert first == again
    assert len(world.awarded_on_chain()) == 1
    assert world.balance_on_chain("ada") == 150


def test_an_operation_of_a_transaction_that_rolled_back_was_never_asked_for(world):
    """SPEC 7.1"""
    connection = writer(world.engine).connect()
    operations.enqueue(connection, world.award("ada", 100))
    connection.rollback()
    connection.close()
    world.drain()

    assert world.awarded_on_chain() == []


def test_an_answer_lost_after_the_node_took_the_transaction_doubles_nothing(world, monkeypatch):
    """SPEC 7.8"""
    world.mirror.catch_up()
    world.enqueue(*(world.award("ada", 100) for _ in range(5)))
    world.relayer.provision()
    real, lost = Rpc.call, []

    def losing(self: Rpc, method: str, *params: Any, **options: Any) -> Any:
        answer = real(self, method, *params, **options)
        if method == "eth_sendRawTransaction" and len(lost) < 3:
            lost.append(params)
            raise NodeTimeout("the answer was lost")
        return answer

    monkeypatch.setattr(Rpc, "call", losing)
    for _ in range(20):
        try:
            world.relayer.step()
        except NodeTimeout:
            time.sleep(0.05)
    world.drain()

    assert lost
    assert sorted(world.awarded_on_chain()) == sorted(str(id) for id in range(1, 6))
    assert world.balance_on_chain("ada") == 750


def test_a_transaction_that_never_reached_the_node_is_sent_after_a_restart(world, monkeypatch):
    """SPEC 7.8"""
    world.drain()
    (id,) = world.enqueue(world.award("ada", 100))
    with monkeypatch.context() as cut:
        cut.setattr(Rpc, "call", _cut)
        for _ in range(5):
            with suppress(NodeTimeout):
                world.relayer.step()
    assert world.operation(id).state == "assigned"
    world.restart()
    world.drain()

    assert world.operation(id).state == "confirmed"
    assert len(world.awarded_on_chain()) == 1


def test_the_first_nonce_of_a_signer_carries_no_operation_and_offering_it_again_doubles_nothing(world):
    """SPEC 7.9"""
    world.enqueue(world.award("ada", 100))
    world.drain()
    first = world.rows("SELECT id, kind, operations, target, signer FROM chain_transaction WHERE nonce = 0")
    assert [(row.kind, row.operations, row.target == row.signer) for row in first] == [("provision", 0, True)] * 2

    with writing(world.engine) as connection:
        connection.execute(
            transactions.table.update().where(transactions.table.c.nonce == 0).values(state="sent", block_number=None)
        )
    sent = []
    real = world.relayer.node_state.rpc.call
    world.relayer.node_state.rpc.call = lambda method, *a, **k: (sent.append(method), real(method, *a, **k))[1]
    world.drain()

    assert "eth_sendRawTransaction" not in sent
    assert world.rows("SELECT state FROM chain_transaction WHERE nonce = 0") == [("mined",), ("mined",)]


def test_a_reorg_that_drops_a_confirmed_award_sends_it_again(world):
    """SPEC 7.10"""
    world.enqueue(world.award("ada", 100))
    world.drain()
    before = world.snapshot()
    ids = world.enqueue(world.award("ada", 200), world.award("bob", 300))
    world.drain()
    assert [world.operation(id).state for id in ids] == ["confirmed", "confirmed"]

    world.revert(before)
    world.mine(2)
    world.mirror.step()
    assert [world.operation(id).state for id in ids] == ["sent", "sent"]
    world.drain()

    assert [world.operation(id).state for id in ids] == ["confirmed", "confirmed"]
    assert sorted(world.awarded_on_chain()) == ["1", "2", "3"]
    assert world.balance_in_mirror("ada") == world.balance_on_chain("ada") == 450


def test_a_nonce_used_by_a_stranger_costs_no_operation(world, monkeypatch):
    """SPEC 7.11"""
    monkeypatch.setattr("chain.relayer.receipts.THIRD_PARTY_AFTER_S", 0.2)
    world.enqueue(world.award("ada", 100))
    world.drain()
    nonce = world.rows("SELECT next_nonce FROM chain_signer")[0][0]
    ids = world.enqueue(world.award("ada", 200))
    with monkeypatch.context() as cut, suppress(NodeTimeout):
        cut.setattr(Rpc, "call", _cut)
        world.relayer.step()
    assert world.operation(ids[0]).state == "assigned"
    address = world.keystore.address_of("signer/0")
    signed = sign(
        world.keystore, "signer/0", chain_id=world.deployment.chain_id, nonce=nonce, target=address,
        calldata=b"", gas=21_000, fees=world.relayer.node_state.fees(),
    )  # fmt: skip
    world.rpc.call("eth_sendRawTransaction", signed.raw)
    world.drain()

    assert world.operation(ids[0]).state == "confirmed"
    assert world.count("chain_transaction", "state = 'lost'") == 1
    assert sorted(world.awarded_on_chain()) == ["1", "2"]


def test_an_award_that_someone_else_submitted_first_is_confirmed_as_theirs(world):
    """SPEC 7.12"""
    (id,) = world.enqueue(world.award("ada", 100))
    other = world.new_relayer(signers=1)
    address = world.keystore.address_of("signer/1")
    target, data = calls.award_batch(world.deployment, 1, [("1", world.operation(id).payload)])
    nonce = int(world.rpc.call("eth_getTransactionCount", address, "latest"), 16)
    signed = sign(
        world.keystore, "signer/1", chain_id=world.deployment.chain_id, nonce=nonce, target=target,
        calldata=data, gas=calls.batch_gas(1), fees=other.node_state.fees(),
    )  # fmt: skip
    world.rpc.call("eth_sendRawTransaction", signed.raw)
    world.drain()

    assert world.operation(id).state == "confirmed"
    assert world.operation(id).tx_hash == signed.tx_hash
    assert world.balance_on_chain("ada") == 150


def test_a_mined_operation_names_its_transaction_block_and_log(world):
    """SPEC 7.7"""
    (id,) = world.enqueue(world.award("ada", 1234))
    world.drain()

    found = world.operation(id)
    receipt = world.rpc.call("eth_getTransactionReceipt", found.tx_hash)
    log = next(log for log in receipt["logs"] if int(log["logIndex"], 16) == found.log_index)
    assert int(receipt["blockNumber"], 16) == found.block_number
    assert receipt["blockHash"] == found.block_hash
    assert int(log["topics"][2], 16) == int(found.operation_id)
    assert found.result == {"ruleId": "1", "version": "1", "baseAmount": "1234", "points": "1851"}


def test_awards_do_not_wait_for_a_mirror_that_is_behind(world):
    """SPEC 7.22: only what goes to the brand's token waits, and nothing is refused for a brand that is not read yet."""
    moved = calls.transfer(
        key="t", brand=CDNOW, member=world.member("bob"), to=world.member("ada"), points=1, nonce=1,
        deadline=2**40, signature="0x" + "00" * 65,
    )  # fmt: skip
    award, transfer = world.enqueue(world.award("ada", 100), moved)
    world._relayer = world.new_relayer(simulation_patience_s=0.0)

    until(lambda: world.relayer.step() is not None and world.operation(award).state == "mined")
    assert world.balance_on_chain("ada") == 150
    assert (world.operation(transfer).state, world.operation(transfer).error) == ("queued", None)

    world.drain()
    assert world.operation(award).state == "confirmed"
    assert world.operation(transfer).state == "failed"
    assert world.operation(transfer).error != "OperationInvalid", "the contract was asked"


def test_an_operation_of_an_unknown_kind_fails_and_hurts_nobody(world):
    """SPEC 7.6"""
    world.mirror.catch_up()
    world._relayer = world.new_relayer(simulation_patience_s=0.0)
    ids = world.enqueue(NewOperation("k", "magic", CDNOW, "ordering_key", {}), world.award("ada", 100))
    unknown_brand = world.enqueue(NewOperation("b", "award", 77, "ordering_key 2", world.award("ada", 1).payload))
    world.drain()

    assert [world.operation(id).error for id in (ids[0], unknown_brand[0])] == ["OperationInvalid", "OperationInvalid"]
    assert world.operation(ids[1]).state == "confirmed"


def test_capture_release_and_refund_pass_through_the_queue(world):
    """SPEC 7.3"""
    first, first_id = world.hold("ada", 1000)
    second, second_id = world.hold("ada", 300)
    member = world.member("ada")
    ids = world.enqueue(
        world.award("ada", 1000),
        first,
        second,
        calls.capture(key="c", brand=CDNOW, member=member, hold_id=first_id, points=600),
        calls.release(key="r", brand=CDNOW, member=member, hold_id=second_id),
        calls.refund(key="f", brand=CDNOW, member=member, hold_id=first_id, points=100, refunded_before=0),
    )
    world.drain()

    assert {world.operation(id).state for id in ids} == {"confirmed"}
    assert world.balance_on_chain("ada") == world.balance_in_mirror("ada") == 1500 - 600 + 100
    assert world.rows("SELECT kind, points, held FROM entry WHERE account = :m ORDER BY seq", m=member) == [
        ("award", "1500", "0"),
        ("hold", "-1000", "1000"),
        ("hold", "-300", "300"),
        ("capture", "400", "-1000"),
        ("release", "300", "-300"),
        ("refund", "100", "0"),
    ]


def test_an_exchange_moves_points_from_one_brand_to_the_other(world):
    """SPEC 7.3"""
    ids = world.enqueue(world.award("ada", 1000), world.exchange("ada", 1000))
    world.drain()

    assert [world.operation(id).state for id in ids] == ["confirmed", "confirmed"]
    out = int(world.operation(ids[1]).result["exchange"]["pointsOut"])
    assert (world.balance_on_chain("ada"), world.balance_on_chain("ada", "hanok")) == (500, out)
    assert (world.balance_in_mirror("ada"), world.balance_in_mirror("ada", "hanok")) == (500, out)
    assert world.count("obligation") == 1
