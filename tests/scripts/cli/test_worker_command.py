"""`moa worker` with wrong input: a sentence, an exit code, and nothing is changed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import SQLModel

import chain.tables  # noqa: F401 - makes the tables known
from chain.storage.database import engine as make_engine
from chain.storage.database import reading, writing
from chain.storage.keystore import LocalKeystore

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[3]
PASSWORD = "a password for tests"
STOPPED, MISUSED = 1, 2
END_S_MAX = 30.0
WRONG = {
    "no database's address": ({"MOA_DATABASE_URL": "nonsense://user:secret@host/name"}, STOPPED, "sqlite:///file"),
    "no address at all": ({"MOA_DATABASE_URL": "nonsense"}, STOPPED, "sqlite:///file"),
    "a database in no file": ({"MOA_DATABASE_URL": "sqlite://"}, STOPPED, "sqlite:///file"),
    "a database in no folder": (
        {"MOA_DATABASE_URL": "sqlite:////no/such/folder/moa.db"},
        STOPPED,
        "no file can be made",
    ),
    "a folder for a keystore": ({"MOA_KEYSTORE": "/"}, STOPPED, "cannot be read"),
    "no keystore": ({"MOA_KEYSTORE": "/none.json"}, STOPPED, "There is no keystore"),
    "another password": ({"MOA_KEYSTORE_PASSWORD": "wrong"}, STOPPED, "password does not open"),
    "another chain": ({"MOA_CHAIN_ID": "7"}, STOPPED, "No deployment for chain 7"),
    "no port of metrics": ({"MOA_METRICS_PORT": "65536"}, MISUSED, "65535"),
    "no signer": ({"MOA_RELAYER_SIGNERS": "0"}, MISUSED, "greater than or equal"),
    "no fee": ({"MOA_FEE_CAP_GWEI": "0"}, MISUSED, "greater than or equal"),
}


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """A worker's, with a database that has its tables; nothing else is there."""
    url = f"sqlite:///{tmp_path / 'moa.db'}"
    engine = make_engine(url)
    with writing(engine) as connection:
        SQLModel.metadata.create_all(connection)
    engine.dispose()
    LocalKeystore.create(tmp_path / "keystore.json", PASSWORD)
    return {
        "MOA_DATABASE_URL": url,
        "MOA_RPC_URL": "http://127.0.0.1:9",
        "MOA_CHAIN_ID": "1337",
        "MOA_DEPLOYMENTS": str(tmp_path),
        "MOA_KEYSTORE": str(tmp_path / "keystore.json"),
        "MOA_KEYSTORE_PASSWORD": PASSWORD,
    }


def worker(settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """`moa worker`, which has to end by itself."""
    command = [sys.executable, "-m", "scripts.cli", "worker"]
    env = {**os.environ, **settings, "COLUMNS": "200", "NO_COLOR": "1"}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=END_S_MAX, check=False)


@pytest.mark.parametrize(("changes", "code", "said"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_is_said_in_a_sentence(
    settings: dict[str, str], changes: dict[str, str], code: int, said: str
) -> None:
    """SPEC 7.25"""
    ended = worker(settings | changes)
    assert ended.returncode == code, ended.stderr
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "secret" not in ended.stderr
    engine = make_engine(settings["MOA_DATABASE_URL"])
    with reading(engine) as connection:
        for table in ("operation", "chain_signer", "chain_transaction", "heartbeat"):
            assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar() == 0
    engine.dispose()


def test_a_port_of_metrics_that_is_taken_is_said_in_a_sentence(settings: dict[str, str]) -> None:
    """SPEC 7.25"""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = worker(settings | {"MOA_METRICS_PORT": str(taken.getsockname()[1])})
    assert (ended.returncode, "Traceback" in ended.stderr) == (STOPPED, False)
    assert "Metrics cannot be served" in ended.stderr
