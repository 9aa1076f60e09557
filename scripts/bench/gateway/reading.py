"""Member views a second beside the framework's "hello", 32 connections, one process each, the same server."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from scripts.bench.figures import Figure
from scripts.demo import replay
from scripts.demo.purchases import cdnow
from scripts.stack.gateway import Gateway
from scripts.stack.local_stack import ROOT, Plan, free_port, stack
from scripts.stack.processes import running, start

CONNECTIONS = 32
SECONDS = 6
ROUNDS = 3
PURCHASES = 1_000
P99_MS_MAX = 25.0


def reading() -> list[Figure]:
    """Views a second and their p99. Bars of the design: at least 0.6 of hello; p99 at most 25 ms."""
    orders = list(cdnow())[:PURCHASES]
    with tempfile.TemporaryDirectory(prefix="moa-bench-") as folder, stack(Plan(state=Path(folder))) as system:
        ids = replay.enrol(system, "cdnow", {order.member for order in orders})
        with replay.progress() as bar:
            replay.purchases(system, "cdnow", orders, bar)
        with Gateway(system.url, system.operator_key) as operator:
            member = ids[orders[0].member]
            token = operator.post(f"/v1/members/{member}/sessions", {}, key="bench")["token"]

        port = free_port()
        command = [sys.executable, "-m", "scripts.bench.gateway.hello", str(port)]
        hello = start("hello", command, log=Path(folder) / "hello.log",
                      env={"MOA_CHILD": "1"})  # fmt: skip
        with running([hello]):
            _wait(f"http://127.0.0.1:{port}/hello")
            views, hellos = [], []
            for _ in range(ROUNDS):  # in turn, so that a drift of the machine touches both
                hellos.append(_load(f"http://127.0.0.1:{port}/hello", None))
                views.append(_load(f"{system.url}/v1/me/view", token))
    view = sorted(views)[ROUNDS // 2]
    base = sorted(hellos)[ROUNDS // 2]
    return [
        Figure("view_reads", view[0], "views/s, hello as baseline", base[0], bar=0.6),
        Figure(
            "view_reads_p99", view[1], "ms, hello as baseline", base[1], bar=P99_MS_MAX, at_least=False, on_value=True
        ),
    ]


def _load(url: str, token: str | None) -> tuple[float, float]:
    """(requests a second, p99 in ms). Raises RuntimeError when an answer was not 200."""
    command = [str(ROOT / "node_modules/.bin/autocannon"), "-c", str(CONNECTIONS), "-d", str(SECONDS), "-j", "-n"]
    command += ["-H", f"Authorization=Bearer {token}"] if token else []
    done = subprocess.run(
        [*command, url], capture_output=True, timeout=SECONDS + 30, check=True, stdin=subprocess.DEVNULL
    )
    found = json.loads(done.stdout)
    if found["non2xx"] or found["errors"]:
        raise RuntimeError(f"{url}: {found['non2xx']} answers were not 200, {found['errors']} failed")
    return float(found["requests"]["average"]), float(found["latency"]["p99"])


def _wait(url: str) -> None:
    for _ in range(100):
        try:
            httpx.get(url, timeout=1.0).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise RuntimeError(f"{url} does not answer")
