"""What memos cost, and that contracts take no notice of them: on both nodes, in batches and alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chain.contracts import memos
from chain.evidence.bundle import Maker, Memo, Place
from chain.evidence.errors import EvidenceMissing
from chain.evidence.verify import verify
from chain.outbox import calls
from chain.relayer import signer
from chain.relayer.signer import Fees
from tests.chain.conftest import CDNOW, OnChain

pytestmark = pytest.mark.slow
BATCH = 100
# 64 bytes of calldata, at most 16 gas each, and a word or two of copying.
SUFFIX_GAS_MAX = 1_100
FEES = Fees(max_fee=10**11, tip=10**9)


@pytest.fixture(params=["ganache", "anvil"])
def chain(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def items(world: OnChain, roots: list[bytes | None]) -> list[tuple[str, dict[str, Any]]]:
    made = [
        calls.award(
            key=f"m{index}", brand=CDNOW, member=world.member(f"m{index}"), rule=1, base_amount=1_000, memo_root=root
        )
        for index, root in enumerate(roots)
    ]
    return [(str(10_000 + index), one.payload) for index, one in enumerate(made)]


def registry(world: OnChain) -> str:
    return world.deployment.address("PartnerRegistry").lower()


def gas(world: OnChain, target: str, data: bytes) -> int:
    asked = {"from": world.keystore.address_of("signer/1"), "to": target, "data": "0x" + data.hex()}
    return int(world.rpc.call("eth_estimateGas", asked), 16)


def test_memos_of_a_batch_cost_their_64_bytes_and_no_more(world: OnChain) -> None:
    """SPEC 13.9"""
    roots: list[bytes | None] = [memos.memo_root(memos.salted({"n": str(index)})) for index in range(BATCH)]

    plain = gas(world, *calls.award_batch(world.deployment, 1, items(world, [None] * BATCH)))
    with_memos = gas(world, *calls.award_batch(world.deployment, 1, items(world, roots)))

    print(f"batch of {BATCH}: {plain} without, {with_memos} with memos")
    assert 0 < with_memos - plain <= SUFFIX_GAS_MAX
    assert (with_memos - plain) / BATCH <= 11


def test_a_single_award_carries_a_memo_too(world: OnChain, until: Callable[..., None]) -> None:
    """SPEC 13.9"""
    fields = memos.salted({"receipt": "No. 1"})
    item = {"operationId": 77, "ruleId": 1, "member": world.member("ada"), "baseAmount": 1_000}
    data = world.deployment.codec.calldata("RewardRules", "award", 1, item)
    data += memos.suffix([(77, memos.memo_root(fields))])
    target, ref = world.deployment.address("RewardRules"), "signer/1"
    nonce = int(world.rpc.call("eth_getTransactionCount", world.keystore.address_of(ref), "latest"), 16)
    signed = signer.sign(
        world.keystore, ref, chain_id=world.deployment.chain_id, nonce=nonce, target=target, calldata=data, gas=500_000,
        fees=FEES,
    )  # fmt: skip
    world.rpc.call("eth_sendRawTransaction", signed.raw)
    # Ganache answers a little before the block is there.
    until(lambda: world.rpc.call("eth_getTransactionReceipt", signed.tx_hash) is not None)
    receipt = world.rpc.call("eth_getTransactionReceipt", signed.tx_hash)
    maker = Maker(world.rpc, world.deployment)
    place = Place(int(receipt["blockNumber"], 16), signed.tx_hash)

    bundle = maker.operation(place, award=(1, 77), memo=Memo(fields, ["receipt"], [(77, memos.memo_root(fields))]))

    assert receipt["status"] == "0x1"
    assert maker.find_award(1, 77) == place
    assert verify(bundle, registry=registry(world)).verdict == "proven"


def test_an_award_that_was_refused_proves_no_memo(world: OnChain) -> None:
    """SPEC 13.9"""
    fields = memos.salted({"receipt": "No. 2"})
    asked = world.award("ada", 2**97)
    asked.payload["memo_root"] = "0x" + memos.memo_root(fields).hex()
    world.enqueue(world.award("m0"), asked)
    world.drain()
    row = world.rows("SELECT * FROM operation WHERE key = :key", key=asked.key)[0]
    maker, place = Maker(world.rpc, world.deployment), Place(row.block_number, row.tx_hash)
    award, roots = (
        (1, int(row.operation_id)),
        [(int(row.operation_id) - 1, None), (int(row.operation_id), memos.memo_root(fields))],
    )

    bundle = maker.operation(place, award=award)
    claims = [one.type for one in verify(bundle).claims]

    assert row.error == "BaseAmountTooLarge"
    assert verify(bundle, registry=registry(world)).verdict == "proven"
    assert "event" in claims
    with pytest.raises(EvidenceMissing, match="the award's event is in the receipt"):
        maker.operation(place, award=award, memo=Memo(fields, ["receipt"], roots))
