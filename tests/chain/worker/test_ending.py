"""SIGTERM ends a worker within five seconds, whatever it hangs in, and nothing is half written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
from sqlalchemy import Engine, text

from chain.base.errors import ChainError
from chain.mirror.digest import digest
from chain.mirror.loop import Mirror
from chain.mirror.rebuild import forget
from chain.mirror.settings import MirrorSettings
from chain.node.rpc import Rpc
from chain.storage.database import reading, snapshot, writing
from chain.storage.keystore import LocalKeystore
from tests.support.scripted_node import faults
from tests.support.scripted_node.brands import Brand
from tests.support.scripted_node.node import ScriptedNode

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[3]
PASSWORD = "a password for tests"
WITHIN_S = 5.0
START_S = 20.0
SIGNALLED = 10
WAITING = """
import threading
from chain.worker.shutdown import ended_by_signals
stop = threading.Event()
with ended_by_signals(stop, 3.0):
    print("listening", flush=True)
    while not stop.is_set():
        stop.wait(0)
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql"))
    return f"sqlite:///{tmp_path}/moa.db"


@pytest.fixture
def node() -> Iterator[ScriptedNode]:
    with ScriptedNode(seed=4) as running:
        yield running


@dataclass
class Bench:
    """A worker process on a scripted node and a database, and what is in the database."""

    node: ScriptedNode
    brand: Brand
    engine: Engine
    folder: Path

    def start(self) -> subprocess.Popen[bytes]:
        settings = self.folder / "worker.json"
        given = {
            "database_url": self.engine.url.render_as_string(hide_password=False),
            "rpc_url": self.node.url,
            "chain_id": self.brand.deployment.chain_id,
            "deployments": str(self.folder),
            "keystore_path": str(self.folder / "keystore.json"),
            "keystore_password": PASSWORD,
            "mirror": {"range_blocks_max": 5},
        }
        settings.write_text(json.dumps(given))
        with (self.folder / "worker.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("working.py")), str(settings)],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=log,
            )

    def said(self) -> str:
        return (self.folder / "worker.log").read_text()

    def block(self) -> int:
        with reading(self.engine) as connection:
            return int(
                connection.execute(text("SELECT COALESCE(MAX(block_number), -1) FROM mirror_checkpoint")).scalar_one()
            )

    def until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + START_S
        while not condition():
            assert time.monotonic() < end, self.said()[-2000:]
            time.sleep(0.01)

    def follow(self) -> None:
        rpc = Rpc(self.node.url, timeout_s=5.0)
        mirror = Mirror(self.engine, rpc, self.brand.deployment, MirrorSettings(behind_grace_s=0.0))
        for _ in range(500):
            try:
                if not mirror.step():
                    break
            except ChainError:
                time.sleep(0.01)
        rpc.close()

    def is_whole(self) -> None:
        """What was left goes on to the same rows as a mirror that was never disturbed."""
        self.node.faults.clear()
        self.follow()
        with snapshot(self.engine) as connection:
            found = digest(connection)
        forget(self.engine)
        self.follow()
        with snapshot(self.engine) as connection:
            assert digest(connection) == found
        assert found.block_hash == self.brand.chain.head.hash


@pytest.fixture
def bench(node: ScriptedNode, engine: Engine, tmp_path: Path) -> Bench:
    brand = Brand(node, members=8)
    LocalKeystore.create(tmp_path / "keystore.json", PASSWORD)
    known = brand.deployment
    document = {
        "chain_id": known.chain_id,
        "start_block": known.start_block,
        "genesis_hash": known.genesis_hash,
        "contracts": {
            name: {"address": one.address, "bytecode_hash": one.bytecode_hash} for name, one in known.contracts.items()
        },
    }
    (tmp_path / f"{known.chain_id}.json").write_bytes(orjson.dumps(document))
    return Bench(node, brand, engine, tmp_path)


@contextmanager
def ended_in_time(process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> Iterator[None]:
    """The block brings the worker where it shall be; the signal ends it from there."""
    try:
        yield
        assert process.poll() is None, "the worker ended by itself"
        process.send_signal(number)
        began = time.monotonic()
        assert process.wait(WITHIN_S) == 0
        print(f"ended in {time.monotonic() - began:.2f} s")
    finally:
        process.kill()
        process.wait()


def test_while_the_node_hangs(bench: Bench) -> None:
    """SPEC 8.8"""
    bench.brand.mine(6, 3)
    process = bench.start()
    with ended_in_time(process):
        bench.until(lambda: bench.block() == bench.brand.chain.head.number)
        hanging = bench.node.faults.add(faults.hang())
        bench.brand.mine(2, 3)
        bench.until(lambda: hanging.hits > 0)
    bench.is_whole()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_while_the_node_hangs_from_the_start(bench: Bench) -> None:
    """SPEC 8.8"""
    bench.node.faults.add(faults.hang())
    process = bench.start()
    with ended_in_time(process):
        bench.until(lambda: bench.node.log.count() > 0)
    bench.is_whole()


def test_in_the_middle_of_a_long_backfill(bench: Bench) -> None:
    """SPEC 8.8"""
    bench.brand.mine(400, 6)
    process = bench.start()
    with ended_in_time(process):
        bench.until(lambda: bench.block() > 20)
    assert bench.block() < bench.brand.chain.head.number, "it was not in the middle"
    bench.is_whole()


def test_while_the_database_is_locked(bench: Bench) -> None:
    """SPEC 8.8"""
    bench.brand.mine(6, 3)
    process = bench.start()
    with ended_in_time(process):
        bench.until(lambda: bench.block() == bench.brand.chain.head.number)
        locking = writing(bench.engine)
        connection = locking.__enter__()
        if connection.dialect.name == "postgresql":
            connection.execute(text("LOCK TABLE mirror_checkpoint, heartbeat IN ACCESS EXCLUSIVE MODE"))
        bench.brand.mine(2, 3)
        time.sleep(1.0)
    locking.__exit__(None, None, None)
    bench.is_whole()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_while_another_leads(bench: Bench) -> None:
    """SPEC 7.14, 8.8"""
    bench.brand.mine(3, 3)
    first = bench.start()
    second = bench.start()
    with ended_in_time(first), ended_in_time(second, signal.SIGINT):
        bench.until(lambda: bench.block() == bench.brand.chain.head.number)
        bench.until(lambda: "another worker leads" in bench.said())
    bench.is_whole()


def test_at_any_moment_of_the_main_threads_waiting() -> None:
    """SPEC 8.8: a handler that set the event it interrupted the wait of would wait for itself."""
    for _ in range(SIGNALLED):
        with subprocess.Popen([sys.executable, "-c", WAITING], cwd=ROOT, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            with ended_in_time(process):
                assert process.stdout.readline() == b"listening\n"
