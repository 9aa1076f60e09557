"""What is asked of the node before a nonce is spent is what would be sent, to the byte."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from eth_abi import abi
from sqlalchemy import Engine, text

from chain.base.hashing import keccak
from chain.node.rpc import Rpc
from chain.outbox import calls, operations
from chain.relayer.loop import Relayer, RelayerSettings
from chain.storage.database import reading, writing
from chain.storage.keystore import LocalKeystore
from tests.support.scripted_node.blocks import Block
from tests.support.scripted_node.brands import BRAND_ID, Brand
from tests.support.scripted_node.methods import Refusal
from tests.support.scripted_node.node import ScriptedNode

ROUNDS_MAX = 40
HOLD_STATE_WRONG = "0x" + keccak(b"HoldStateWrong(bytes32,uint8)")[:4].hex()


@pytest.fixture
def node() -> Iterator[ScriptedNode]:
    with ScriptedNode(seed=5) as running:
        running.automine = True
        yield running


@pytest.fixture
def brand(node: ScriptedNode) -> Brand:
    return Brand(node)


@pytest.fixture
def relayer(node: ScriptedNode, brand: Brand, engine: Engine) -> Iterator[Relayer]:
    rpc = Rpc(node.url, timeout_s=10.0, paced=False, decode_revert=brand.deployment.codec.revert)
    settings = RelayerSettings(batch_delay_ms=0, receipt_grace_s=0.0, poll_s=0.005)
    yield Relayer(engine, rpc, brand.deployment, LocalKeystore(b"\x05" * 32), settings)
    rpc.close()


def enqueue(engine: Engine) -> list[int]:
    """One of several kinds, each in an ordering key of its own."""
    ordering_keys = [f"0x{number:040x}" for number in range(1, 4)]
    holds = [f"0x{number:064x}" for number in range(1, 4)]
    with writing(engine) as connection:
        return operations.enqueue_many(
            connection,
            [
                calls.release(key="release", brand=BRAND_ID, member=ordering_keys[0], hold_id=holds[0]),
                calls.capture(key="capture", brand=BRAND_ID, member=ordering_keys[1], hold_id=holds[1], points=30),
                calls.refund(
                    key="refund",
                    brand=BRAND_ID,
                    member=ordering_keys[2],
                    hold_id=holds[2],
                    points=20,
                    refunded_before=10,
                ),
            ],
        )


def work(relayer: Relayer, engine: Engine) -> list[Any]:
    """Rounds until nothing is queued any more; the transactions that carry an operation."""
    for _ in range(ROUNDS_MAX):
        relayer.step()
        with reading(engine) as connection:
            if not connection.execute(text("SELECT count(*) FROM operation WHERE state = 'queued'")).scalar():
                return list(
                    connection.execute(
                        text("SELECT signer, target, calldata, gas FROM chain_transaction WHERE operations > 0")
                    )
                )
    raise AssertionError("operations stayed in the queue")


def test_each_operation_is_simulated_with_the_data_that_is_then_sent(
    node: ScriptedNode, brand: Brand, relayer: Relayer, engine: Engine
) -> None:
    """SPEC 7.6"""
    node.methods.calls[brand.addresses["RedemptionDesk"], "*"] = lambda _data, _block: "0x"
    ids = enqueue(engine)

    sent = work(relayer, engine)

    asked = [call for call, *_ in node.log.calls("eth_call") if "gas" in call]
    told = [(call["from"], call["to"], call["data"], call["gas"]) for call in asked]
    assert len({data for _, _, data, _ in told}) == len(sent) == len(ids)
    assert sorted(told) == sorted((signer, target, data, hex(gas)) for signer, target, data, gas in sent)


def test_what_reverts_fails_with_the_contracts_error_and_spends_no_nonce(
    node: ScriptedNode, brand: Brand, relayer: Relayer, engine: Engine
) -> None:
    """SPEC 7.6"""
    captured = f"0x{2:064x}"

    def only_the_capture_reverts(data: str, _block: Block) -> str:
        if data[10:74] == captured[2:]:
            raise Refusal(3, "execution reverted", HOLD_STATE_WRONG + abi.encode(
                ["bytes32", "uint8"], [bytes.fromhex(captured[2:]), 3]
            ).hex())  # fmt: skip
        return "0x"

    node.methods.calls[brand.addresses["RedemptionDesk"], "*"] = only_the_capture_reverts
    ids = enqueue(engine)

    sent = work(relayer, engine)

    with reading(engine) as connection:
        found = operations.get_many(connection, ids)
    assert [found[id].error for id in ids] == [None, "HoldStateWrong", None]
    assert [found[id].state == "failed" for id in ids] == [False, True, False]
    assert len(sent) == 2
