"""Killed (SIGKILL) between any two statements: every boundary of a scenario, one after the other."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chain.outbox import calls
from tests.chain.conftest import CDNOW

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[3]
NURSERY = Path(__file__).with_name("dying.py")
# Each so-many-th boundary, from a random one on: the runs together take them all, and MOA_EVERY=1 does at once;
# MOA_READS=1 also takes those between reads.
STRIDE = {"anvil": 3, "ganache": 12}


@pytest.fixture(params=["anvil", "ganache"])
def chain(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


class Nursery:
    """The process that forks relayers and says how each ended."""

    def __init__(self, world: Any, settings: Path):
        self._log = (world.folder / "dying.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, str(NURSERY), str(settings)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip

    def live(self, last: int = 0) -> tuple[int, int]:
        """(how it ended, boundaries passed when it ended by itself)."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{last}\n".encode())
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return answer["ended"], answer["passed"]

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()
        self._log.close()


@contextmanager
def nursery(world: Any) -> Iterator[Nursery]:
    settings = world.folder / "dying.json"
    settings.write_text(
        json.dumps(
            {
                "database_url": world.engine.url.render_as_string(hide_password=False),
                "rpc_url": world.node.url,
                "deployments": str(world.deployments),
                "keystore_path": str(world.keystore_path),
                "keystore_password": "a password for tests",
                "chain_id": world.deployment.chain_id,
                "reads": "MOA_READS" in os.environ,
            }
        )
    )
    made = Nursery(world, settings)
    yield made
    made.close()


def scenario(world: Any) -> dict[int, str]:
    """Awards of two members, a hold that is captured, one that is too large, an award of an unknown rule."""
    asked, hold_id = world.hold("ada", 500)
    large, _ = world.hold("bob", 10**9)
    capture = calls.capture(key="c", brand=CDNOW, member=world.member("ada"), hold_id=hold_id, points=200)
    ids = world.enqueue(
        world.award("ada", 1000), world.award("bob", 100), world.award("eve", 1), asked, large, capture,
        world.award("bob", 7, rule=99), world.award("ada", 10),
    )  # fmt: skip
    return dict(zip(ids, ["confirmed"] * 4 + ["failed", "confirmed", "failed", "confirmed"], strict=True))


def check(world: Any, expected: dict[int, str]) -> None:
    """Each operation once: in the queue, on the chain, in the mirror, in the balances."""
    assert dict(world.rows("SELECT id, state FROM operation")) == expected
    assert sorted(world.awarded_on_chain()) == ["1", "2", "3", "5"]
    errors = {row.error for row in world.rows("SELECT error FROM operation WHERE state = 'failed'")}
    assert errors == {"ERC20InsufficientBalance", "RuleUnknown"}
    for member, points in {"ada": 1515 - 200, "bob": 150, "eve": 1}.items():
        assert world.balance_on_chain(member) == world.balance_in_mirror(member) == points
    assert world.rows("SELECT state, captured FROM hold") == [("captured", "200")]


@pytest.mark.timeout(900)
def test_killed_at_every_boundary_each_operation_counts_once(world, chain):
    """SPEC 7.8, 8.1"""
    expected = scenario(world)
    world.engine.dispose()
    database = Path(world.engine.url.database)
    template = world.folder / "template.db"
    shutil.copy(database, template)
    stride = int(os.environ.get("MOA_EVERY", STRIDE[world.node.title.lower()]))

    def again(snapshot: str) -> str:
        world.revert(snapshot)
        world.engine.dispose()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{database}{suffix}").unlink(missing_ok=True)
        shutil.copy(template, database)
        return world.snapshot()

    with nursery(world) as young:
        snapshot = world.snapshot()
        ended, boundaries = young.live()
        assert ended == 0, (world.folder / "dying.log").read_text()[-2000:]
        check(world, expected)
        killed = 0
        first = int(os.environ.get("MOA_SEED", random.randrange(stride))) % stride + 1
        print("MOA_SEED", first - 1)
        for last in range(first, boundaries + 1, stride):
            snapshot = again(snapshot)
            ended, _ = young.live(last)
            killed += ended == -signal.SIGKILL
            ended, _ = young.live()
            assert ended == 0, (last, (world.folder / "dying.log").read_text()[-2000:])
            check(world, expected)
    print(f"{boundaries} boundaries, {killed} kills")
    # The last few may lie beyond the end of a run that idled less.
    assert killed > boundaries // stride // 2
