"""The worker: relayer and mirror in one process, one leader per database, ended cleanly by SIGTERM."""

import logging
import signal
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError

from chain import heartbeat
from chain.database import engine as make_engine
from chain.deployment import Deployment
from chain.errors import AnswerInconsistent, LeaderElsewhere, NodeUnavailable, RpcError
from chain.keystore import LocalKeystore
from chain.leader import Leader
from chain.mirror import Mirror, MirrorSettings
from chain.relayer import Relayer, RelayerSettings
from chain.rpc import Rpc

log = logging.getLogger(__name__)

LEADER_POLL_S: Final = 1.0
NODE_POLL_S: Final = 0.5
STOP_TIMEOUT_S: Final = 5.0
STOP_POLL_S: Final = 0.1
SEND_TIMEOUT_S: Final = 60.0


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


def run(settings: WorkerSettings, stop: threading.Event | None = None) -> None:
    """Leads until `stop`, SIGTERM or SIGINT. Waits while another worker leads and while node or database are away;
    raises what waiting cannot help: a deployment or chain that does not match, a reorg too deep, a locked keystore."""
    stop = stop or threading.Event()
    _stop_on_signals(stop)
    engine = make_engine(settings.database_url)
    keystore = LocalKeystore.open(settings.keystore_path, settings.keystore_password)
    try:
        while not stop.is_set():
            try:
                with Leader(engine) as leader:
                    _lead(settings, stop, engine, keystore, leader)
            except LeaderElsewhere:
                log.info("another worker leads; waiting")
                stop.wait(LEADER_POLL_S)
            except (OperationalError, InterfaceError) as error:
                # With the connection the leadership is gone too: everything begins again, from the tables.
                log.warning("waiting for the database: %s", error.orig)
                engine.dispose()
                stop.wait(LEADER_POLL_S)
    finally:
        engine.dispose()


def _lead(
    settings: WorkerSettings, stop: threading.Event, engine: Engine, keystore: LocalKeystore, leader: Leader
) -> None:
    deployment = Deployment.load(settings.deployments, settings.chain_id)
    revert = deployment.codec.revert
    relayer_rpc = Rpc(settings.rpc_url, timeout_s=SEND_TIMEOUT_S, decode_revert=revert)
    mirror_rpc = Rpc(settings.rpc_url, timeout_s=SEND_TIMEOUT_S, decode_revert=revert)
    try:
        _await_node(relayer_rpc, deployment, engine, stop)
        relayer = Relayer(engine, relayer_rpc, deployment, keystore, settings.relayer)
        mirror = Mirror(engine, mirror_rpc, deployment, settings.mirror)
        _both(mirror, relayer, stop, leader)
    finally:
        relayer_rpc.close()
        mirror_rpc.close()


def _both(mirror: Mirror, relayer: Relayer, stop: threading.Event, leader: Leader) -> None:
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
        while not stop.is_set() and not ended.is_set():
            leader.check()
            stop.wait(STOP_POLL_S)
    finally:
        ended.set()
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
            heartbeat.beat(engine, "relayer", "waiting", str(error))
            stop.wait(NODE_POLL_S)


def _stop_on_signals(stop: threading.Event) -> None:
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
