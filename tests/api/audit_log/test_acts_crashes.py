"""Acts survive kill -9 of any process at any moment, and several processes at once: each in the tree exactly once."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import orjson
import pytest

from api.audit_log.recording import record
from api.audit_log.sequencer import drain
from api.kit.database import Database
from api.members import service as identity
from scripts.cli.log.checking import check
from scripts.cli.log.sources import DatabaseLog
from scripts.stack.local_stack import free_port
from tests.api.audit_log.acting import sequencer_on
from tests.api.conftest import invited

pytestmark = pytest.mark.slow
KILLS = 4
WRITERS, SEQUENCERS, ACTS_EACH = 4, 3, 60
STARTED_S_MAX = 60.0
ANSWERED_EACH = 50


def acting(mode: str, url: str, folder: Path, first: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-W", "ignore", "-m", "tests.api.audit_log.acting", mode, url, str(folder), str(first)]
    return subprocess.Popen(command, stdout=subprocess.PIPE if mode == "record" else None)


def placed(url: str, what: str) -> list[int]:
    """The numbers of the acts of a kind in the order of the tree, which is whole."""
    database, source = Database(url), DatabaseLog(url)
    sequencer = sequencer_on(database)
    drain(sequencer, seconds_max=20)
    found = check(source, sequencer.signers[0].verifier, full=True)
    assert found.faults == []
    assert (
        found.entries == found.checkpoint.size == database.reads(lambda read: read.row("SELECT size FROM log_state"))[0]
    )
    starts = range(0, found.entries, 500)
    leaves = [orjson.loads(leaf) for start in starts for leaf in source.entries(start, start + 500)]
    source.close()
    database.close()
    return [leaf["detail"]["rows"] for leaf in leaves if leaf["detail"].get("what") == what]


def test_acts_survive_kill_nine_between_any_two_steps(migrated: str, tmp_path: Path) -> None:
    """SPEC 14.8"""
    seed = random.randrange(2**32)
    print("seed", seed)
    draw = random.Random(seed)
    url = migrated
    told: list[int] = []
    for _ in range(KILLS):
        process = acting("record", url, tmp_path, (told[-1] + 2) if told else 0)
        assert process.stdout is not None
        told.append(int(process.stdout.readline()))
        threading.Timer(draw.uniform(0.02, 0.5), process.send_signal, [signal.SIGKILL]).start()
        told += [int(line) for line in process.stdout if line.endswith(b"\n")]
        process.wait(20)
        process.stdout.close()

    found = placed(url, "crash")

    assert len(set(found)) == len(found), "no act is in the tree twice"
    assert set(told) <= set(found), "what was committed is in the tree"
    assert set(found) - set(told) <= {number + 1 for number in told}, "what was not told was the last one at most"
    assert found == sorted(found)


def test_several_processes_write_and_order_acts_at_once(migrated: str, tmp_path: Path) -> None:
    """SPEC 14.8"""
    url = migrated
    databases = [Database(url) for _ in range(SEQUENCERS)]
    done = threading.Event()

    def order(database: Database) -> None:
        sequencer = sequencer_on(database)
        while not done.is_set():
            sequencer.step()

    def write(writer: int) -> None:
        database, first = Database(url), writer * 1_000
        for number in range(ACTS_EACH):
            with database.write() as session:
                record(session.connection(), "export.made", actor="gateway", what="at once", rows=first + number)
        database.close()

    with ThreadPoolExecutor(WRITERS + SEQUENCERS) as pool:
        ordering = [pool.submit(order, database) for database in databases]
        for writing in [pool.submit(write, writer) for writer in range(WRITERS)]:
            writing.result(60)
        done.set()
        for one in ordering:
            one.result(60)
    for database in databases:
        database.close()

    found = placed(url, "at once")
    assert sorted(found) == [writer * 1_000 + number for writer in range(WRITERS) for number in range(ACTS_EACH)]
    for writer in range(WRITERS):
        of_writer = [number for number in found if number // 1_000 == writer]
        assert of_writer == sorted(of_writer), "the acts of one are in the order in which they happened"


def test_refusal_that_was_answered_is_counted_though_the_gateway_is_killed(migrated: str, tmp_path: Path) -> None:
    """SPEC 14.9"""
    url = migrated
    database = Database(url)
    invited(database)
    made = identity.bootstrap(database, brand_keys=True)
    headers = {"Authorization": f"Bearer {made.brand_keys['cdnow']}"}
    answered: list[str] = []
    for _ in range(2):
        port = free_port()
        process = acting("serve", url, tmp_path, port)
        base = f"http://127.0.0.1:{port}"
        until = time.monotonic() + STARTED_S_MAX
        while True:
            try:
                httpx.get(f"{base}/health", trust_env=False)
                break
            except httpx.TransportError:
                if time.monotonic() > until:
                    process.kill()
                    raise
                time.sleep(0.05)
        stop = threading.Event()

        def refuse(number: int, base: str = base, stop: threading.Event = stop) -> None:
            with httpx.Client(base_url=base, trust_env=False) as client:
                while not stop.is_set():
                    try:
                        path = "/v1/brands" if number % 2 else f"/v1/members/mem_{number:032x}"
                        if client.get(path, headers=headers).status_code in (403, 404):
                            answered.append(path)
                    except httpx.TransportError:
                        return

        with ThreadPoolExecutor(6) as pool:
            asking = [pool.submit(refuse, number) for number in range(6)]
            try:
                enough, until = len(answered) + ANSWERED_EACH, time.monotonic() + STARTED_S_MAX
                while len(answered) < enough:
                    assert time.monotonic() < until, f"{len(answered)} answers"
                    time.sleep(0.05)
            finally:
                process.send_signal(signal.SIGKILL)
                stop.set()
            for one in asking:
                one.result(20)
        process.wait(20)

    sums = "SELECT SUM(count) FROM act_tally WHERE act = 'request.refused'"
    [(counted,)] = database.reads(lambda read: read.rows(sums))
    database.close()
    assert counted >= len(answered) >= 2 * ANSWERED_EACH
