"""Runs Brownie's tests on a Ganache of their own: fresh, on a free port, stopped at the end."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from chain.devnet.supervisor import Ganache
from scripts.stack.local_stack import ROOT

TIMEOUT_S = 1_500


def run(path: str) -> int:
    """Brownie's exit code."""
    with tempfile.TemporaryDirectory(prefix="moa-contracts-") as folder, Ganache(Path(folder)) as node:
        command = [str(ROOT / "scripts" / "brownie"), "test", path, "--network", "ganache", "-q"]
        env = {**os.environ, "MOA_RPC": node.url}
        done = subprocess.run(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, timeout=TIMEOUT_S, check=False)
    return done.returncode
