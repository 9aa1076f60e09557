"""The worker: relayer and mirror in one process, one leader per database, ended by SIGTERM within five seconds."""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from chain.base.errors import (
    AnswerInconsistent,
    ArgumentInvalid,
    ChainError,
    LeaderElsewhere,
    NodeUnavailable,
    RpcError,
)
from chain.contracts.deployment import Deployment
from chain.health.collector import Tables
from chain.health.loops import LOOPS
from chain.mirror.loop import Mirror
from chain.mirror.queries.checkpoint import STOPPED
from chain.mirror.settings import MirrorSettings
from chain.node.head_subscription import HeadSubscription
from chain.node.rpc import Rpc
from chain.relayer.loop import Relayer, RelayerSettings
from chain.storage.database import engine as make_engine
from chain.storage.keystore import LocalKeystore
from chain.telemetry import heartbeat, metrics
from chain.worker.leader import Leader
from chain.worker.shutdown import ended_by_signals

log = logging.getLogger(__name__)

LEADER_POLL_S: Final = 1.0
# While the database is away for the same reason, the log hears of it so often.
SAID_AGAIN_S: Final = 60.0
NODE_POLL_S: Final = 0.5
STOP_TIMEOUT_S: Final = 5.0
# A loop that failed is noticed after this time; a signal at once.
STOP_POLL_S: Final = 0.5
SEND_TIMEOUT_S: Final = 60.0
# A read that takes longer is asked for less; the watchdog is not to bark before that.
READ_TIMEOUT_S: Final = 20.0
# PostgreSQL's undefined_table and read_only_sql_transaction; SQLite's own words for them are OperationalErrors.
WAITED_FOR: Final = ("42P01", "25006")


@dataclass(frozen=True)
class WorkerSettings:
    """Everything a worker needs; read once where the program is put together."""

    database_url: str
    rpc_url: str
    deployments: Path
    keystore_path: Path
    keystore_password: str = field(repr=False)
    chain_id: int = 1337
    relayer: RelayerSettings = field(default_factory=RelayerSettings)
    mirror: MirrorSettings = field(default_factory=MirrorSettings)
    # Prometheus metrics over HTTP on metrics_host; port 0: none.
    metrics_port: int = 0
    metrics_host: str = "127.0.0.1"


def run(settings: WorkerSettings, stop: threading.Event | None = None) -> None:
    """Leads until `stop`, SIGTERM or SIGINT. Waits while another worker leads and while node or database are away;
    raises what waiting cannot help: a deployment or chain that does not match, a reorg too deep, a locked keystore.
    """
    stop = stop or threading.Event()
    with ended_by_signals(stop):
        engine = make_engine(settings.database_url)
        keystore = LocalKeystore.open(settings.keystore_path, settings.keystore_password)
        try:
            with _metrics(settings, engine):
                _compete(settings, stop, engine, keystore)
        finally:
            engine.dispose()


def _compete(settings: WorkerSettings, stop: threading.Event, engine: Engine, keystore: LocalKeystore) -> None:
    said, said_at = "", 0.0
    while not stop.is_set():
        try:
            with Leader(engine) as leader:
                _lead(settings, stop, engine, keystore, leader)
        except LeaderElsewhere:
            log.info("another worker leads; waiting")
            stop.wait(LEADER_POLL_S)
        except DBAPIError as error:
            if not _passes(error):
                raise
            # With the connection the leadership is gone too: everything begins again, from the tables.
            now = time.monotonic()
            if said != str(error.orig) or now - said_at > SAID_AGAIN_S:
                said, said_at = str(error.orig), now
                log.warning("waiting for the database: %s", said)
            engine.dispose()
            stop.wait(LEADER_POLL_S)


def _passes(error: DBAPIError) -> bool:
    """Whether waiting may help: the database is away or locked, its tables are not made yet, or it only reads for now,
    as PostgreSQL does while another server takes over."""
    return isinstance(error, OperationalError | InterfaceError) or getattr(error.orig, "sqlstate", None) in WAITED_FOR


@contextmanager
def _metrics(settings: WorkerSettings, engine: Engine) -> Iterator[None]:
    if not settings.metrics_port:
        yield
        return
    whole = metrics.together(metrics.COMMON, metrics.LOOPS, Tables(engine))
    try:
        end = metrics.serve(whole, settings.metrics_port, settings.metrics_host)
    except (OSError, OverflowError) as error:
        where = f"{settings.metrics_host}:{settings.metrics_port}"
        raise ArgumentInvalid(f"Metrics cannot be served at {where}: {error}.") from error
    try:
        yield
    finally:
        end()


def _lead(
    settings: WorkerSettings, stop: threading.Event, engine: Engine, keystore: LocalKeystore, leader: Leader
) -> None:
    deployment = Deployment.load(settings.deployments, settings.chain_id)
    revert = deployment.codec.revert
    observe = metrics.observed
    relayer_rpc = Rpc(settings.rpc_url, timeout_s=SEND_TIMEOUT_S, decode_revert=revert, observe=observe)
    mirror_rpc = Rpc(settings.rpc_url, timeout_s=READ_TIMEOUT_S, decode_revert=revert, observe=observe)
    # Each loop has its own: an announcement wakes whoever waits first.
    heads, relayer_heads = HeadSubscription(settings.rpc_url), HeadSubscription(settings.rpc_url)
    try:
        _await_node(relayer_rpc, deployment, engine, stop)
        relayer = Relayer(engine, relayer_rpc, deployment, keystore, settings.relayer, heads=relayer_heads)
        mirror = Mirror(engine, mirror_rpc, deployment, settings.mirror, heads=heads)
        _both(mirror, relayer, stop, leader, (heads, relayer_heads))
    finally:
        heads.close()
        relayer_heads.close()
        relayer_rpc.close()
        mirror_rpc.close()


def _both(
    mirror: Mirror, relayer: Relayer, stop: threading.Event, leader: Leader, heads: Sequence[HeadSubscription]
) -> None:
    """Runs both loops until `stop`; when one fails, or the leadership is lost, all ends and the failure is raised."""
    ended = threading.Event()
    failures: list[BaseException] = []

    def loop(work: Relayer | Mirror) -> None:
        try:
            work.run(ended)
        except BaseException as error:
            failures.append(error)
        finally:
            ended.set()

    threads = [threading.Thread(target=loop, args=(work,), name=type(work).__name__) for work in (mirror, relayer)]
    for thread in threads:
        thread.start()
    try:
        checked_at = -LEADER_POLL_S
        while not stop.is_set() and not ended.is_set():
            if time.monotonic() - checked_at >= LEADER_POLL_S:
                leader.check()
                checked_at = time.monotonic()
            stop.wait(STOP_POLL_S)
    finally:
        ended.set()
        for subscription in heads:
            # A loop may wait for a block.
            subscription.wake()
        for thread in threads:
            thread.join(SEND_TIMEOUT_S + STOP_TIMEOUT_S)
    if failures:
        raise failures[0]


def _await_node(rpc: Rpc, deployment: Deployment, engine: Engine, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            deployment.verify(rpc)
            return
        except (NodeUnavailable, RpcError, AnswerInconsistent) as error:
            for loop in LOOPS:
                heartbeat.beat(engine, loop, "waiting", str(error), progressed=False)
            stop.wait(NODE_POLL_S)
        except ChainError as error:
            for loop in LOOPS:
                heartbeat.beat(engine, loop, STOPPED, str(error), progressed=False)
            raise
