"""A batch of 200 awards on Ganache beside 200 plain OpenZeppelin mints in one loop, in turn on the same node.

Each round has one of either, to the same members, half of them new; who goes first changes from round to round, and the
figures are the medians over the same rounds, so that what else the machine does meets both alike. Measured with the
write-through cache that Moa runs Ganache with, and without.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_abi import abi
from eth_utils.crypto import keccak

from chain.contracts.deployment import Deployment
from chain.devnet.supervisor import Ganache
from chain.mirror.brands import registered
from chain.node.blocks import mined
from chain.node.rpc import Rpc
from chain.outbox.calls import batch_gas
from chain.relayer.signer import sign
from chain.storage.keystore import LocalKeystore, signer_ref
from scripts.bench.figures import Figure
from scripts.bench.ledger.earning import FEES
from scripts.stack.local_stack import ROOT, deploy

ITEMS = 200
ROUNDS = 12
# Rounds before those that count: the node's interpreter compiles what runs often, and plain mints run often first.
WARMING = 6
BAR = 0.9


@dataclass
class Bench:
    """A node with our contracts and a plain token, and the key that sends to both."""

    rpc: Rpc
    deployment: Deployment
    keystore: LocalKeystore
    plain: str
    nonce: int

    def send(self, target: str, calldata: bytes, gas: int) -> float:
        """Seconds until it is mined. Raises RuntimeError when it reverts."""
        signed = sign(self.keystore, signer_ref(0), chain_id=self.deployment.chain_id, nonce=self.nonce, target=target,
                      calldata=calldata, gas=gas, fees=FEES)  # fmt: skip
        self.nonce += 1
        start = time.perf_counter()
        receipt = mined(self.rpc, self.rpc.call("eth_sendRawTransaction", signed.raw))
        seconds = time.perf_counter() - start
        if receipt is None or receipt["status"] != "0x1":
            raise RuntimeError(f"a batch to {target} was not mined")
        return seconds


def minting() -> list[Figure]:
    """Awards a second in batches of 200, with the cache and without; the baseline is the plain loop."""
    return [_measured("award_batch_ganache", cache=True), _measured("award_batch_ganache_no_cache", cache=False)]


def _measured(name: str, *, cache: bool) -> Figure:
    with tempfile.TemporaryDirectory(prefix="moa-bench-") as folder:
        state = Path(folder)
        keystore = LocalKeystore.create(state / "keystore.json", "bench")
        with Ganache(state / "chain", cache=cache) as node:
            deploy(node.url, state / "deployments", [keystore.address_of(signer_ref(0))], state / "deploy.log")
            rpc = Rpc(node.url, timeout_s=60.0)
            bench = Bench(rpc, Deployment.load(state / "deployments", node.chain_id), keystore, _plain_token(rpc), 0)
            # Nonce 0 goes to a call of no effect: Ganache mines a nonce-0 transaction as often as it is sent.
            bench.send(keystore.address_of(signer_ref(0)), b"", 21_000)
            awards, mints = _in_turn(bench)
            rpc.close()
    return Figure(name, ITEMS / awards, "awards/s, OpenZeppelin's loop as baseline", ITEMS / mints, bar=BAR)


def _in_turn(bench: Bench) -> tuple[float, float]:
    """Seconds that a batch of awards takes, and a loop of as many plain mints to the same members: the medians."""
    brand = registered(bench.rpc, bench.deployment)[0]
    rules = bench.deployment.address("RewardRules")
    awards: list[float] = []
    mints: list[float] = []
    for number in range(WARMING + ROUNDS):
        members = [_member(number if i % 2 else 0, i) for i in range(ITEMS)]
        items = [(number * ITEMS + i, brand.rules["purchase"], member, 2_933) for i, member in enumerate(members)]
        award_batch = bench.deployment.codec.calldata("RewardRules", "awardBatch", brand.id, items)
        turns = [(awards, rules, award_batch), (mints, bench.plain, _mint_loop(members))]
        for seconds, target, calldata in turns if number % 2 else turns[::-1]:
            seconds.append(bench.send(target, calldata, batch_gas(ITEMS)))
    return statistics.median(awards[WARMING:]), statistics.median(mints[WARMING:])


def _member(group: int, index: int) -> str:
    return "0x" + keccak(text=f"bench/{group}/{index}")[12:].hex()


def _mint_loop(members: list[str]) -> bytes:
    return keccak(text="mintLoop(address[],uint256)")[:4] + abi.encode(["address[]", "uint256"], [members, 4_399])


def _plain_token(rpc: Rpc) -> str:
    artifact: dict[str, Any] = json.loads((ROOT / "build" / "contracts" / "PlainToken.json").read_text())
    call = {"from": rpc.call("eth_accounts")[9], "data": "0x" + artifact["bytecode"], "gas": hex(3_000_000)}
    receipt = mined(rpc, rpc.call("eth_sendTransaction", call))
    return str(receipt["contractAddress"])
