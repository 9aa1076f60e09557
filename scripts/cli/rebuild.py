"""`moa digest` and `moa rebuild`: one number for the whole mirror, and making it again from the chain."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import orjson
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from chain.contracts.deployment import Deployment
from chain.health.loops import system_health
from chain.mirror.digest import Digest, digest
from chain.mirror.loop import Mirror
from chain.mirror.rebuild import forget
from chain.mirror.settings import MirrorSettings
from chain.node.blocks import BlockHeader
from chain.node.rpc import Rpc
from chain.storage.database import snapshot
from chain.telemetry import metrics
from chain.worker.leader import Leader
from scripts.cli.status import UNKNOWN, existing, unreadable

REBUILD_TIMEOUT_S = 24 * 3600.0
READ_TIMEOUT_S = 20.0


def show_digest(*, database_url: str, as_json: bool) -> int:
    """0: the digest was told; 1: there is no mirror yet; 2: the database cannot be read."""
    try:
        engine = existing(database_url)
        try:
            found = _digest(engine)
        finally:
            engine.dispose()
    except (SQLAlchemyError, FileNotFoundError) as error:
        return _refused(error)
    _tell(found, as_json)
    return 0 if found.block_number is not None else 1


def rebuild(
    *, database_url: str, rpc_url: str, chain_id: int, deployments: Path, settings: MirrorSettings, as_json: bool
) -> int:
    """Empties the mirror, reads the chain again up to the head and tells the digest. No worker may be running.

    0: done; 2: the database cannot be read, and nothing was changed.
    """
    try:
        engine = existing(database_url)
        with snapshot(engine) as connection:
            system_health(connection)
    except (SQLAlchemyError, FileNotFoundError) as error:
        return _refused(error)
    deployment = Deployment.load(deployments, chain_id)
    rpc = Rpc(rpc_url, timeout_s=READ_TIMEOUT_S, decode_revert=deployment.codec.revert, observe=metrics.observed)
    try:
        with Leader(engine):
            deployment.verify(rpc)
            forget(engine)
            _follow(engine, rpc, deployment, settings)
            found = _digest(engine)
    finally:
        rpc.close()
        engine.dispose()
    _tell(found, as_json)
    return 0


def _refused(error: Exception) -> int:
    Console(stderr=True, highlight=False, soft_wrap=True).print(unreadable(error))
    return UNKNOWN


def _follow(engine: Engine, rpc: Rpc, deployment: Deployment, settings: MirrorSettings) -> None:
    columns = (SpinnerColumn(), TextColumn("block"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        head = int(rpc.call("eth_blockNumber"), 16)
        task = bar.add_task("blocks", total=head)

        def committed(block: BlockHeader) -> None:
            bar.update(task, completed=block.number, total=max(head, block.number))

        Mirror(engine, rpc, deployment, settings, committed=committed).catch_up(timeout_s=REBUILD_TIMEOUT_S)


def _digest(engine: Engine) -> Digest:
    with snapshot(engine) as connection:
        return digest(connection)


def _tell(found: Digest, as_json: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    if as_json:
        console.out(orjson.dumps(asdict(found), option=orjson.OPT_INDENT_2).decode(), highlight=False)
        return
    table = Table(box=box.SIMPLE_HEAD, title=f"The mirror at block {found.block_number}", title_justify="left")
    table.add_column("table")
    table.add_column("rows", justify="right")
    table.add_column("SHA-256")
    for name, one in sorted(found.tables.items()):
        table.add_row(name, f"{one.rows:,}", one.sha256)
    console.print(table)
    console.print(f"[bold]{found.sha256}[/]")
