"""`moa status` and the metrics say how things are, and the exit code says whether they are well."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Engine, text

from chain.base.errors import ReorgTooDeep
from chain.mirror.loop import Mirror
from chain.mirror.settings import MirrorSettings
from chain.node.rpc import Rpc
from chain.storage.database import writing
from chain.storage.keystore import LocalKeystore
from chain.telemetry import heartbeat
from scripts.cli import rebuild, status
from scripts.stack.local_stack import free_port
from tests.support.scripted_node.brands import Brand
from tests.support.scripted_node.node import ScriptedNode

ROOT = Path(__file__).resolve().parents[3]
PASSWORD = "a password for tests"
SERVED_S_MAX = 40.0
ENDED_S_MAX = 15.0


@pytest.fixture
def node() -> Iterator[ScriptedNode]:
    with ScriptedNode(seed=3) as running:
        yield running


@pytest.fixture
def brand(node: ScriptedNode) -> Brand:
    return Brand(node, members=5)


@pytest.fixture
def mirror(engine: Engine, node: ScriptedNode, brand: Brand) -> Iterator[Mirror]:
    rpc = Rpc(node.url, timeout_s=10.0)
    yield Mirror(engine, rpc, brand.deployment, MirrorSettings(undo_blocks_max=20, behind_grace_s=0.0))
    rpc.close()


class Told:
    """What the command answered."""

    def __init__(self, capsys: Any, engine: Engine, url: str, chain_id: int):
        database_url = engine.url.render_as_string(hide_password=False)
        self.code = status.show(database_url=database_url, rpc_url=url, chain_id=chain_id, as_json=True)
        self.document = json.loads(capsys.readouterr().out)
        self.troubles = " ".join(self.document["troubles"])
        # The same for people; only its end is looked at.
        assert status.show(database_url=database_url, rpc_url=url, chain_id=chain_id, as_json=False) == self.code
        self.printed = capsys.readouterr().out


def well(engine: Engine) -> None:
    """Both loops beat now."""
    for loop in ("relayer", "mirror"):
        heartbeat.beat(engine, loop, "working")


def test_a_database_that_cannot_be_read_is_neither_well_nor_ill(
    tmp_path: Path, capsys: Any, node: ScriptedNode
) -> None:
    """SPEC 8.21"""
    url = f"sqlite:///{tmp_path}/none.db"
    assert status.show(database_url=url, rpc_url=node.url, chain_id=1337, as_json=True) == 2
    assert "cannot be read" in capsys.readouterr().out
    assert not list(tmp_path.iterdir()), "to look makes no database"


@pytest.mark.parametrize("content", [None, b"", b"this is a text and no database " * 100])
def test_neither_digest_nor_rebuild_begins_on_what_is_no_mirror(
    tmp_path: Path, capsys: Any, node: ScriptedNode, content: bytes | None
) -> None:
    """SPEC 8.21"""
    file = tmp_path / "any.db"
    if content is not None:
        file.write_bytes(content)
    url = f"sqlite:///{file}"
    assert rebuild.show_digest(database_url=url, as_json=True) == 2
    assert "cannot be read" in capsys.readouterr().err
    code = rebuild.rebuild(
        database_url=url,
        rpc_url=node.url,
        chain_id=1337,
        deployments=tmp_path,
        settings=MirrorSettings(),
        as_json=True,
    )
    assert code == 2
    assert "cannot be read" in capsys.readouterr().err
    assert file.exists() == (content is not None), "to look makes no database"


def test_what_never_ran_is_not_well(engine: Engine, node: ScriptedNode, capsys: Any) -> None:
    """SPEC 8.21"""
    told = Told(capsys, engine, node.url, 1337)
    assert told.code == 1
    assert "has not read its first block" in told.troubles
    assert "The relayer has never run" in told.troubles
    assert told.printed.rstrip().endswith("NOT healthy")


def test_what_is_well_ends_with_nought(
    engine: Engine, node: ScriptedNode, brand: Brand, mirror: Mirror, capsys: Any
) -> None:
    """SPEC 8.21"""
    brand.mine(5, 2)
    mirror.catch_up()
    well(engine)
    with writing(engine) as connection:
        connection.execute(
            text("INSERT INTO chain_signer (address, ref, next_nonce) VALUES (:a, 'signer/0', 7)"),
            {"a": "0x" + "11" * 20},
        )

    told = Told(capsys, engine, node.url, 1337)

    assert (told.code, told.document["healthy"]) == (0, True), told.troubles
    assert told.document["lag"] == {"blocks": 0, "seconds": 0}
    assert told.document["mirror"]["block_hash"] == brand.chain.head.hash
    (signer,) = told.document["signers"]
    assert signer["next_nonce"] == 7
    assert int(signer["balance_wei"]) >= 0
    assert told.printed.rstrip().endswith("healthy")


def test_a_node_that_is_away_and_a_mirror_that_is_behind_are_told(
    engine: Engine, node: ScriptedNode, brand: Brand, mirror: Mirror, capsys: Any
) -> None:
    """SPEC 8.21"""
    mirror.catch_up()
    well(engine)
    brand.chain.mine_empty(50)
    told = Told(capsys, engine, node.url, 1337)
    assert told.code == 1
    assert "50 blocks behind" in told.troubles
    assert told.document["lag"] == {"blocks": 50, "seconds": 100}

    assert "on chain 1337, not on 5" in Told(capsys, engine, node.url, 5).troubles
    node.down()
    assert "The node: " in Told(capsys, engine, node.url, 1337).troubles


def test_a_mirror_that_stopped_and_one_that_is_stuck_are_told(
    engine: Engine, node: ScriptedNode, brand: Brand, mirror: Mirror, capsys: Any
) -> None:
    """SPEC 8.6, 8.20"""
    brand.mine(40, 1)
    mirror.catch_up()
    well(engine)
    with writing(engine) as connection:
        connection.execute(
            text("UPDATE heartbeat SET progressed_at_ms = :at WHERE name = 'mirror'"),
            {"at": int((time.time() - 61) * 1000)},
        )
    assert re.search(r"The mirror got nowhere for 6\d s", Told(capsys, engine, node.url, 1337).troubles)

    brand.reorg(30, "others")
    with pytest.raises(ReorgTooDeep):
        mirror.step()

    told = Told(capsys, engine, node.url, 1337)
    assert told.code == 1
    assert "differs from the mirror's more than 20 blocks" in told.troubles
    assert told.document["mirror"]["state"] == "stopped"


@pytest.mark.slow
def test_the_worker_serves_its_metrics(engine: Engine, node: ScriptedNode, brand: Brand, tmp_path: Path) -> None:
    """SPEC 8.22"""
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
    port = free_port()
    settings = {
        "database_url": engine.url.render_as_string(hide_password=False),
        "rpc_url": node.url,
        "chain_id": known.chain_id,
        "deployments": str(tmp_path),
        "keystore_path": str(tmp_path / "keystore.json"),
        "keystore_password": PASSWORD,
        "metrics_port": port,
    }
    (tmp_path / "worker.json").write_text(json.dumps(settings))
    brand.mine(5, 2)
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("working.py")), str(tmp_path / "worker.json")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    def page() -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    try:
        end = time.monotonic() + SERVED_S_MAX
        while f'moa_checkpoint_block{{finality="latest"}} {brand.chain.head.number}.0' not in page():
            assert time.monotonic() < end, page()[-2000:]
            time.sleep(0.1)
        brand.reorg(2, "others")
        end = time.monotonic() + SERVED_S_MAX
        while "moa_mirror_reorgs_total 1.0" not in page():
            assert time.monotonic() < end, page()[-2000:]
            time.sleep(0.1)
        found = page()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(ENDED_S_MAX) == 0
    for name in (
        "moa_mirror_lag_blocks 0.0",
        "moa_mirror_lag_seconds 0.0",
        'moa_mirror_reorg_depth_blocks_bucket{le="2.0"} 1.0',
        'moa_node_requests_total{error="none",method="eth_getLogs"}',
        'moa_queue_operations{state="queued"} 0.0',
        "moa_mirror_block_to_commit_seconds_count",
        'moa_loop_progress_seconds{loop="mirror"}',
    ):
        assert name in found, name
