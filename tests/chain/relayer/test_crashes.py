"""The worker may die at any moment: nothing is lost and nothing is doubled."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[3]
WORKER = Path(__file__).with_name("crashing.py")
PLACES = [
    "inside the transaction that gives nonces",
    "after the nonce, before signing",
    "inside the transaction that stores raw and hash",
    "after raw and hash, before sending",
    "after sending, before it is stored as sent",
    "inside the transaction that stores sent",
    "before the mirror writes",
    "inside the mirror's transaction, after the rows",
    "inside the mirror's transaction, after the operations",
    "right after the mirror's transaction",
]
TAKEN, ENDED = "state <> 'queued'", "state = 'confirmed'"


def start(world: Any, place: str = "nowhere") -> "subprocess.Popen[bytes]":
    """A real worker process that dies at the place."""
    settings = world.folder / "worker.json"
    settings.write_text(
        json.dumps(
            {
                "database_url": world.engine.url.render_as_string(hide_password=False),
                "rpc_url": world.node.url,
                "deployments": str(world.deployments),
                "keystore_path": str(world.keystore_path),
                "keystore_password": "a password for tests",
                "chain_id": world.deployment.chain_id,
            }
        )
    )
    with (world.folder / "worker.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, str(WORKER), place, str(settings)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=log,
        )


def finished(world: Any) -> bool:
    return bool(world.count("operation", "state NOT IN ('confirmed', 'failed')") == 0)


def check_books(world: Any, ids: list[int], points: dict[str, int]) -> None:
    """Every operation counted once, and chain and mirror hold exactly what they should."""
    assert {world.operation(id).state for id in ids} == {"confirmed"}
    counted = world.awarded_on_chain()
    assert sorted(counted) == sorted(set(counted)), "an operation counted twice"
    for member, expected in points.items():
        assert world.balance_on_chain(member) == world.balance_in_mirror(member) == expected
    entries = world.rows("SELECT tx_hash, log_index, account FROM entry WHERE kind = 'award'")
    assert len(entries) == len(set(entries)) == len(counted)


@pytest.mark.parametrize("place", PLACES)
def test_killed_at_any_place_nothing_is_lost_and_nothing_doubled(world, until, place):
    """SPEC 7.8, 8.1"""
    # The signer burns its nonce 0 first: this test is about the operations.
    world.drain()
    hold, hold_id = world.hold("ada", 500)
    ids = world.enqueue(
        *(world.award("ada", 100) for _ in range(7)), world.award("bob", 50), hold, world.award("ada", 2)
    )

    dying = start(world, place)
    assert dying.wait(30) == -signal.SIGKILL, (world.folder / "worker.log").read_text()[-2000:]
    world.restart()
    world.drain()

    check_books(world, ids, {"ada": 7 * 150 + 3 - 500, "bob": 75})
    assert world.rows("SELECT state FROM hold WHERE hold_id = :id", id=hold_id) == [("held",)]


@pytest.mark.parametrize(
    "place",
    [
        "inside the transaction that asks for a release",
        "right after a release was asked for",
        "after the nonce, before signing",
        "after sending, before it is stored as sent",
        "right after the mirror's transaction",
    ],
)
def test_a_release_that_time_owes_is_done_once_wherever_the_worker_dies(world, until, place):
    """SPEC 7.80, 7.81: nobody asks for it but the worker itself."""
    asked, hold_id = world.hold("ada", 500, hold_s=600)
    world.enqueue(world.award("ada", 1000), asked)
    world.drain()
    world.rpc.call("evm_increaseTime", 601)
    world.mine()

    dying = start(world, place)
    assert dying.wait(30) == -signal.SIGKILL, (world.folder / "worker.log").read_text()[-2000:]
    world.restart()
    until(lambda: (world.relayer.step(), world.drain(), world.count("hold", "state = 'timed_out'"))[2] == 1)

    assert world.rows("SELECT key, state FROM operation WHERE kind = 'timeout'") == [
        (f"timeout/{hold_id}", "confirmed")
    ]
    assert world.rows("SELECT points, held FROM entry WHERE kind = 'timeout'") == [("500", "-500")]
    assert world.balance_on_chain("ada") == 1500
    assert world.count("entry", "kind IN ('release', 'timeout')") == 1


def test_killed_again_and_again_in_the_middle_of_much_work(world, until):
    """SPEC 7.8, 8.1"""
    ids = world.enqueue(*(world.award(f"member {i % 7}", 100) for i in range(120)))
    left: list[int] = []
    # Each killed worker had got further with some of them: two took them up, two brought them to their end.
    for further in (TAKEN, TAKEN, ENDED, ENDED):
        before = world.count("operation", further)
        process = start(world)
        until(lambda further=further, before=before: world.count("operation", further) > before)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        left.append(world.count("operation", "state NOT IN ('confirmed', 'failed')"))
    print("unfinished at each kill", left)
    assert all(left), "there was nothing to be in the middle of"
    world.drain()

    assert len(world.awarded_on_chain()) == 120
    check_books(world, ids, {f"member {i}": 150 * len(range(i, 120, 7)) for i in range(7)})


def test_sigterm_ends_the_worker_within_five_seconds(world, until):
    """SPEC 8.8"""
    world.enqueue(*(world.award("ada", 100) for _ in range(40)))
    process = start(world)
    until(lambda: world.count("entry", "kind = 'award'") > 0)
    process.send_signal(signal.SIGTERM)

    assert process.wait(5) == 0
    world.drain()
    assert len(world.awarded_on_chain()) == 40


def test_of_two_workers_one_leads_and_the_other_takes_over(world, until):
    """SPEC 7.14"""
    first = start(world)
    (id,) = world.enqueue(world.award("ada", 100))
    until(lambda: world.operation(id).state == "confirmed")
    second = start(world)
    until(lambda: "another worker leads" in (world.folder / "worker.log").read_text())
    assert (first.poll(), second.poll()) == (None, None)

    first.kill()
    first.wait()
    (id,) = world.enqueue(world.award("ada", 100))
    until(lambda: world.operation(id).state == "confirmed")

    second.terminate()
    assert second.wait(5) == 0
    assert len(world.awarded_on_chain()) == 2
