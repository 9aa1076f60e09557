"""Making and verifying one member's bundle, on Ganache, after thousands of purchases of many members."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from chain.base.hashing import keccak
from chain.evidence import receipts
from chain.evidence.bundle import Maker
from chain.evidence.verify import verify
from chain.node.rpc import Rpc
from chain.storage.keystore import LocalKeystore
from scripts.bench.figures import Figure
from scripts.demo import replay
from scripts.demo.purchases import cdnow
from scripts.stack.gateway import Gateway
from scripts.stack.local_stack import Plan, stack

PURCHASES = 3_000
ROUNDS = 9
MAKE_MS_MAX = 400.0
VERIFY_MS_MAX = 150.0


def evidence() -> list[Figure]:
    """Bars: made in 400 ms, verified in 150 ms. Baselines: one proof asked of the node; the bundle's bytes hashed."""
    orders = list(cdnow())[:PURCHASES]
    busiest = Counter(order.member for order in orders).most_common(1)[0][0]
    with tempfile.TemporaryDirectory(prefix="moa-bench-") as folder, stack(Plan(state=Path(folder))) as system:
        replay.enrol(system, "cdnow", {order.member for order in orders})
        with replay.progress() as bar:
            replay.purchases(system, "cdnow", orders, bar)
        with Gateway(system.url, system.brand_keys["cdnow"]) as shop:
            address = shop.get("/v1/members", identifier=busiest)["address"].lower()
        keys = LocalKeystore(bytes(32))
        with closing(Rpc(system.rpc_url)) as rpc:
            # A new maker each time: nothing read before helps, as in a command.
            made = _median(lambda: Maker(rpc, system.deployment, signer=receipts.signer(keys)).member(address))
            token = system.brands["cdnow"].token
            proof = _median(lambda: rpc.call("eth_getProof", token, ["0x" + "00" * 32], "latest"))
            data = Maker(rpc, system.deployment, signer=receipts.signer(keys)).member(address)
    registry = system.deployment.address("PartnerRegistry").lower()
    verified = _median(lambda: _proven(data, registry))
    hashed = _median(lambda: keccak(data))
    size = f"{len(data) / 1024:,.0f} KiB"
    return [
        Figure(
            "evidence_make", made, f"ms, {size}; one proof as baseline", proof,
            bar=MAKE_MS_MAX, at_least=False, on_value=True,
        ),
        Figure(
            "evidence_verify", verified, f"ms, {size}; its bytes hashed as baseline", hashed,
            bar=VERIFY_MS_MAX, at_least=False, on_value=True,
        ),
    ]  # fmt: skip


def _proven(data: bytes, registry: str) -> None:
    assert verify(data, registry=registry).verdict == "proven", "what was just made holds"


def _median(act: Callable[[], object]) -> float:
    """Milliseconds, the median of ROUNDS."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        act()
        times.append((time.perf_counter() - began) * 1_000)
    return statistics.median(times)
