"""A copy of the contracts and their Solidity tests that may be broken on purpose."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Longest that one build and test run of a copy may take.
RUN_TIMEOUT_S = 600


@dataclass(frozen=True)
class Run:
    """What a command said and how it ended."""

    code: int
    output: str


def copy(target: Path, tests: str) -> None:
    """Copies contracts, one folder of tests, its settings and its build cache into an empty folder."""
    for part in ("contracts", f"tests/{tests}", "scripts/solc"):
        shutil.copytree(ROOT / part, target / part)
    shutil.copy2(ROOT / "foundry.toml", target / "foundry.toml")
    (target / "build").mkdir()
    # forge resolves imports through this link; nothing in it is changed.
    (target / "node_modules").symlink_to(ROOT / "node_modules")


def patch(target: Path, file: Path) -> None:
    """Applies a patch exactly as it is written; raises PatchError when the code it changes has moved on."""
    command = ["git", "apply", "--unidiff-zero", "--whitespace=nowarn", str(file)]
    # Outside any repository: else git applies the patch to the repository around the folder, or to nothing at all.
    done = subprocess.run(
        command, cwd=target, env={**os.environ, "GIT_CEILING_DIRECTORIES": str(target.parent)}, capture_output=True
    )
    if done.returncode:
        raise PatchError(file.name, done.stderr.decode().strip())


class PatchError(Exception):
    """A patch does not apply any more."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} no longer applies: {reason}")
        self.name = name
        self.reason = reason


def forge_folder() -> Path:
    """The folder of the locked forge itself. npm's own starter in .bin ends with 0 even when tests fail."""
    found = sorted((ROOT / "node_modules/@foundry-rs").glob("forge-*/bin/forge"))
    if not found:
        raise SystemExit("forge is not installed: run `make setup`.")
    return found[0].parent


def run(target: Path, *command: str, **variables: str) -> Run:
    """Runs a command in a tree with the locked forge on PATH; both streams in one text."""
    path = f"{forge_folder()}{os.pathsep}{os.environ['PATH']}"
    # A group of its own, so that a command that does not heed a timeout can be ended with its children.
    with subprocess.Popen(
        command,
        cwd=target,
        env={**os.environ, **variables, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as child:
        try:
            output, _ = child.communicate(timeout=RUN_TIMEOUT_S)
        except BaseException:
            os.killpg(child.pid, 9)
            raise
    return Run(child.returncode, output)
