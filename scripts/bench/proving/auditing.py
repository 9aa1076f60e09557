"""A whole audit of 100,000 events on Anvil: seconds and memory of the command as an auditor runs it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak
from sqlmodel import SQLModel

import chain.tables  # noqa: F401 - makes the tables known
from chain.contracts.deployment import Deployment
from chain.devnet.supervisor import Anvil
from chain.mirror.brands import registered
from chain.mirror.loop import Mirror
from chain.node.rpc import Rpc
from chain.outbox.calls import batch_gas
from chain.storage.database import engine as make_engine
from chain.storage.database import writing
from chain.storage.keystore import LocalKeystore, signer_ref
from scripts.bench.figures import Figure
from scripts.bench.ledger.minting import Bench
from scripts.stack.local_stack import ROOT, deploy

EVENTS = 100_000
EVENTS_PER_AWARD = 2  # Awarded, Transfer; and two for each batch: AwardsCommitted, LotNamed
ITEMS = 250
MEMBERS = 10_000
SECONDS_BAR = 90.0
MEGABYTES_BAR = 500.0
CATCH_UP_S_MAX = 300.0
# Linux counts what a process held before it became the command as the command's own: so a small one starts it.
MEASURED = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[2:]).returncode
open(sys.argv[1], "w").write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(code)
"""


def auditing() -> list[Figure]:
    """Seconds and peak megabytes; the baseline is what it takes to fetch the same receipts and look at nothing."""
    with tempfile.TemporaryDirectory(prefix="moa-bench-") as folder, Anvil(Path(folder) / "chain") as node:
        state = Path(folder)
        keystore = LocalKeystore.create(state / "keystore.json", "bench")
        deploy(node.url, state / "deployments", [keystore.address_of(signer_ref(0))], state / "deploy.log")
        rpc = Rpc(node.url, timeout_s=60.0)
        deployment = Deployment.load(state / "deployments", node.chain_id)
        _award(Bench(rpc, deployment, keystore, "", 0))
        database_url = f"sqlite:///{state / 'moa.db'}"
        _mirror(database_url, rpc, deployment)
        fetched = _fetch(rpc)
        answer, seconds, megabytes = _audit(node, database_url, state, rpc)
        rpc.close()
    events = answer["counts"]["events"]
    if not answer["agrees"] or events < EVENTS:
        raise RuntimeError(f"the audit of {events} events did not agree: {answer['differences'][:3]}")
    return [
        Figure("audit_100k", seconds, f"s, {events:,} events", fetched, SECONDS_BAR, at_least=False, on_value=True),
        Figure(
            "audit_100k_memory", megabytes, "MB at most", MEGABYTES_BAR, MEGABYTES_BAR, at_least=False, on_value=True
        ),
    ]


def _award(bench: Bench) -> None:
    """As many awards as leave EVENTS events."""
    brand, rules = registered(bench.rpc, bench.deployment)[0], bench.deployment.address("RewardRules")
    members = ["0x" + keccak(text=f"bench/audit/{index}")[12:].hex() for index in range(MEMBERS)]
    awards = -(-EVENTS // EVENTS_PER_AWARD)
    for start in range(0, awards, ITEMS):
        items = [
            (number, brand.rules["purchase"], members[number % MEMBERS], 100 + number % 977)
            for number in range(start, min(awards, start + ITEMS))
        ]
        bench.send(
            rules, bench.deployment.codec.calldata("RewardRules", "awardBatch", brand.id, items), batch_gas(ITEMS)
        )


def _mirror(database_url: str, rpc: Rpc, deployment: Deployment) -> None:
    engine = make_engine(database_url)
    with writing(engine) as connection:
        SQLModel.metadata.create_all(connection)
    Mirror(engine, rpc, deployment).catch_up(timeout_s=CATCH_UP_S_MAX)
    engine.dispose()


def _fetch(rpc: Rpc) -> float:
    """Seconds to read every block and its receipts."""
    began = time.perf_counter()
    for number in range(int(rpc.call("eth_blockNumber"), 16) + 1):
        rpc.batch([("eth_getBlockByNumber", [hex(number), True]), ("eth_getBlockReceipts", [hex(number)])])
    return time.perf_counter() - began


def _audit(node: Anvil, database_url: str, state: Path, rpc: Rpc) -> tuple[dict[str, Any], float, float]:
    """The command's answer, its seconds from start to end, and the most memory it ever held."""
    pin = rpc.call("eth_getBlockByNumber", "latest", False)["hash"]
    command = [sys.executable, "-m", "scripts.cli", "audit", "--json", "--pin", pin, "--rpc", node.url]
    command += ["--database", database_url, "--chain-id", str(node.chain_id)]
    command += ["--deployments", str(state / "deployments")]
    began = time.perf_counter()
    with (state / "audit.json").open("wb") as output:
        small = [sys.executable, "-c", MEASURED, str(state / "peak"), *command]
        subprocess.run(small, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, check=True)
    seconds = time.perf_counter() - began
    answer: dict[str, Any] = json.loads((state / "audit.json").read_text())
    return answer, seconds, int((state / "peak").read_text()) / 1024
