"""Moa's contracts on a node, deployed by Brownie once and copied for whoever needs a chain with them.

What was deployed is kept in build/deployed, by node and by a hash over all that it was made from, so that several
runs of pytest deploy once as well. It is made anew after KEPT_S: a chain that began long ago has other lots alive.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chain.devnet.supervisor import Anvil, Ganache, Node
from chain.storage.keystore import LocalKeystore, till_ref
from scripts.stack.local_stack import ROOT, deploy

PASSWORD = "a password for tests"
KEPT = ROOT / "build" / "deployed"
KEPT_S = 6 * 3_600
SIGNERS = 2
NODES: dict[str, type[Node]] = {"ganache": Ganache, "anvil": Anvil}
MADE_OF = (
    "brownie-config.yaml", "package-lock.json", "requirements/contracts.txt", "scripts/deploy/contracts.py",
    "scripts/deploy/page.py", "scripts/deploy/plan.toml",
    "chain/devnet/ganache.cjs", "chain/devnet/supervisor.py", "chain/storage/keystore.py", "tests/support/deployed.py",
)  # fmt: skip


@dataclass
class Chain:
    """A node with Moa deployed on it."""

    node: Node
    deployments: Path
    keystore_path: Path
    keystore: LocalKeystore


@contextmanager
def deployed(node: str, folder: Path, *, port: int = 0) -> Iterator[Chain]:
    """A node of one's own with the contracts on it, its state in the folder; ended with the block."""
    copy(node, folder)
    with NODES[node](folder / "chain", port=port) as running:
        yield opened(running, folder)


def copy(node: str, folder: Path) -> None:
    """Copies what was deployed into the folder: the chain's state, its keys and its record."""
    shutil.copytree(_kept(node), folder, dirs_exist_ok=True)


def opened(node: Node, folder: Path) -> Chain:
    """A running node on such a copy."""
    path = folder / "keystore.json"
    return Chain(node, folder / "deployments", path, LocalKeystore.open(path, PASSWORD))


def _kept(node: str) -> Path:
    """The folder of what was deployed, made when it is not there, too old, or of other contracts."""
    KEPT.mkdir(parents=True, exist_ok=True)
    with (KEPT / f"{node}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = KEPT / f"{node}-{_key()}"
        if kept.exists() and time.time() - kept.stat().st_mtime < KEPT_S:
            return kept
        for old in KEPT.glob(f"{node}-*"):
            shutil.rmtree(old)
        making = Path(tempfile.mkdtemp(prefix=f".{node}-", dir=KEPT))
        try:
            _deploy(node, making)
            making.rename(kept)
        finally:
            shutil.rmtree(making, ignore_errors=True)
        kept.touch()
        return kept


def _deploy(node: str, folder: Path) -> None:
    keystore = LocalKeystore.create(folder / "keystore.json", PASSWORD)
    (folder / "deployments").mkdir()
    signers = [keystore.address_of(f"signer/{index}") for index in range(SIGNERS)]
    tills = [keystore.address_of(till_ref(0))]
    with NODES[node](folder / "chain") as running:
        deploy(running.url, folder / "deployments", signers, folder / "deploy.log", tills=tills)


def _key() -> str:
    files = [*sorted((ROOT / "contracts").rglob("*.sol")), *(ROOT / name for name in MADE_OF)]
    digest = hashlib.sha256()
    for file in files:
        digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
