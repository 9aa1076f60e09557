"""Purchases a second from HTTP to mirrored, beside the node's own rate of the same batch mints in the same run.

The baseline sends the same awardBatch calls straight to the node, signed beforehand, one after the other, before and
after the measured part, with the worker paused: what is left out is HTTP, SQL, signing, receipts and the mirror.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from eth_utils.crypto import keccak

from chain.base.scalars import Address
from chain.node.blocks import mined
from chain.node.rpc import Rpc
from chain.outbox.calls import batch_gas
from chain.relayer.signer import Fees, sign
from chain.storage.keystore import LocalKeystore, signer_ref
from scripts.bench.figures import Figure
from scripts.demo import replay
from scripts.demo.purchases import Purchase, cdnow
from scripts.stack.local_stack import LocalStack, Plan, stack

PURCHASES = {"ganache": 3_000, "anvil": 6_000}
BATCH_ITEMS = 200
FEES = Fees(max_fee=20_000_000_000, tip=1_000_000_000)
FIRST_OPERATION = 1 << 40  # far from the gateway's own ids


def earning(node: str) -> list[Figure]:
    """One figure: purchases a second. Bar of the design: at least 0.9 of the node's own batch rate."""
    orders = list(cdnow())[: PURCHASES[node]]
    with (
        tempfile.TemporaryDirectory(prefix="moa-bench-") as folder,
        stack(Plan(state=Path(folder), node=node)) as system,
    ):
        before = node_rate(system, orders, run=0)
        value = _gateway_rate(system, orders)
        after = node_rate(system, orders, run=1)
    return [Figure(f"earn_{node}", value, "purchases/s, HTTP to mirrored", (before + after) / 2, bar=0.9)]


def _gateway_rate(system: LocalStack, orders: Sequence[Purchase]) -> float:
    replay.enrol(system, "cdnow", {order.member for order in orders})
    with replay.progress() as bar:
        start = time.perf_counter()
        replay.purchases(system, "cdnow", orders, bar)
        return len(orders) / (time.perf_counter() - start)


def node_rate(system: LocalStack, orders: Sequence[Purchase], *, run: int) -> float:
    """Awards a second that the node mines when it is asked for nothing else."""
    rpc = Rpc(system.rpc_url, timeout_s=60.0)
    with _paused(system):
        raws = list(_signed_batches(system, rpc, orders, run))
        start = time.perf_counter()
        # One at a time: Ganache loses what reaches its pool while it mines the one before.
        receipts = [mined(rpc, rpc.call("eth_sendRawTransaction", raw)) for raw in raws]
        seconds = time.perf_counter() - start
    rpc.close()
    if any(receipt["status"] != "0x1" for receipt in receipts):
        raise RuntimeError("a batch of the baseline was not mined")
    return len(orders) / seconds


def _signed_batches(system: LocalStack, rpc: Rpc, orders: Sequence[Purchase], run: int) -> Iterator[str]:
    keystore = LocalKeystore.open(system.plan.state / "keystore.json", _password(system))
    ref = signer_ref(1)  # the worker uses signer 0
    nonce = int(rpc.call("eth_getTransactionCount", keystore.address_of(ref), "latest"), 16)
    brand, codec = system.brands["cdnow"], system.deployment.codec
    target = system.deployment.address("RewardRules")
    for number, chunk in enumerate(replay.chunks(orders, BATCH_ITEMS)):
        first = FIRST_OPERATION * (run + 1) + number * BATCH_ITEMS
        items = [
            (first + i, brand.rules["purchase"], _address(order.member, run), order.amount)
            for i, order in enumerate(chunk)
        ]
        calldata = codec.calldata("RewardRules", "awardBatch", brand.id, items)
        yield sign(
            keystore, ref, chain_id=system.deployment.chain_id, nonce=nonce + number, target=target,
            calldata=calldata, gas=batch_gas(len(items)), fees=FEES,
        ).raw  # fmt: skip


def _address(member: str, run: int) -> Address:
    return Address("0x" + keccak(text=f"{member}/{run}")[12:].hex())


def _password(system: LocalStack) -> str:
    return (system.plan.state / "keystore.password").read_text()


@contextmanager
def _paused(system: LocalStack) -> Iterator[None]:
    """The worker neither reads nor writes meanwhile."""
    pid = system.child("worker").process.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
