"""Set-up in a folder of its own, with programs that only write down that they were called."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SETUP = Path(__file__).resolve().parents[2] / "scripts" / "setup.sh"


class Clone:
    """A folder with set-up, a contract, and a Brownie that notes each call."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.calls = folder, folder / "calls"
        (folder / "scripts").mkdir()
        shutil.copy2(SETUP, folder / "scripts" / "setup.sh")
        (folder / "contracts").mkdir()
        (folder / "contracts" / "One.sol").write_text("contract One {}")
        (folder / "brownie-config.yaml").write_text("compiler: {}")
        self.brownie(f"echo compiled >> {self.calls}")

    def brownie(self, does: str) -> None:
        program = self.folder / "scripts" / "brownie"
        program.write_text(f"#!/bin/sh\n{does}\n")
        program.chmod(0o755)

    def setup(self, *parts: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", str(self.folder / "scripts" / "setup.sh"), *parts],
            cwd=self.folder, env={**os.environ, **variables}, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=60, check=False,
        )  # fmt: skip

    @property
    def compiled(self) -> int:
        return len(self.calls.read_text().splitlines()) if self.calls.exists() else 0


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def test_what_is_there_from_the_same_sources_is_not_made_again(clone: Clone) -> None:
    """SPEC 11.11"""
    changes = ["contracts/One.sol", "contracts/Two.sol", "brownie-config.yaml"]
    assert clone.setup("abi").returncode == 0
    for times, changed in enumerate(changes, 1):
        assert clone.setup("abi").returncode == 0
        assert clone.compiled == times, "nothing changed"
        (clone.folder / changed).write_text("contract Other {}")
        assert clone.setup("abi").returncode == 0
        assert clone.compiled == times + 1, changed


def test_what_failed_is_said_with_its_last_words_and_tried_again(clone: Clone) -> None:
    """SPEC 11.11"""
    clone.brownie("echo the compiler is out of paper; exit 3")
    failed = clone.setup("abi")
    assert failed.returncode == 1
    assert "the compiler is out of paper" in failed.stderr
    assert "Set-up failed: contracts compiled" in failed.stderr
    clone.brownie(f"echo compiled >> {clone.calls}")
    assert clone.setup("abi").returncode == 0
    assert clone.compiled == 1


@pytest.mark.parametrize("part", ["app", "contracts", "halmos", "slither"])
def test_a_missing_python_is_one_sentence(clone: Clone, part: str) -> None:
    """SPEC 11.11"""
    missing = clone.setup(part, PYTHON="/nowhere/python3.11")

    assert missing.returncode == 1
    assert missing.stderr.strip() == (
        "Python 3.11 is needed: no '/nowhere/python3.11' was found (set PYTHON=/path/to/python3.11)."
    )
    assert not missing.stdout


def test_an_old_python_and_an_old_node_are_one_sentence_each(clone: Clone) -> None:
    """SPEC 11.11"""
    tools = clone.folder / "tools"
    tools.mkdir()
    for name, does in (
        ("python-old", 'case "$1" in -c) exit 1;; -V) echo Python 3.9.1;; esac'),
        ("node", 'case "$1" in -p) echo 18;; *) echo v18.1.0;; esac'),
    ):
        (tools / name).write_text(f"#!/bin/sh\n{does}\n")
        (tools / name).chmod(0o755)
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"

    old_python = clone.setup("app", PYTHON=str(tools / "python-old"))
    old_node = clone.setup("node", PATH=path)

    assert old_python.stderr.strip().splitlines() == [
        f"Python 3.11 is needed; '{tools / 'python-old'}' is 3.9.1 (set PYTHON=/path/to/python3.11)."
    ]
    assert old_node.stderr.strip().splitlines() == ["Node 20 or newer is needed; this is v18.1.0."]
    assert (old_python.returncode, old_node.returncode) == (1, 1)


def test_a_part_that_nobody_knows_is_named(clone: Clone) -> None:
    """SPEC 11.11"""
    unknown = clone.setup("abi", "kitchen")

    assert unknown.returncode == 1
    assert "no part named 'kitchen'" in unknown.stderr
