"""From a block to the member's screen: the node announces it, the mirror commits it, the live stream shows its entries.

Twenty purchases a second are posted one by one, as shops would; every member holds a live stream open. The clock of a
block starts when the node announces it to us (eth_subscribe), and ends when a stream brings an entry of that block.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
from websockets.sync.client import connect

from chain.mirror.queries.checkpoint import checkpoint
from chain.storage.database import engine as make_engine
from chain.storage.database import reading
from chain.storage.looks import looking
from scripts.bench.figures import Figure
from scripts.demo import replay
from scripts.stack.gateway import Gateway
from scripts.stack.local_stack import LocalStack, Plan, stack

AWARDS_PER_S: Final = 20
SECONDS: Final = 30
WARM_UP_S: Final = 3
MEMBERS: Final = 10
P99_MS_MAX: Final = 250.0
COMMIT_LOOK_S: Final = 0.005
LISTEN_S: Final = 0.2
LAST_ENTRIES_S: Final = 10.0
STREAM_TIMEOUT_S: Final = 30.0

Times = dict[str, float]


def latency() -> list[Figure]:
    """p50 and p99 in milliseconds from a block to the stream; the bar of the design is 250 ms at p99."""
    with tempfile.TemporaryDirectory(prefix="moa-bench-") as folder, stack(Plan(state=Path(folder))) as system:
        mined, committed, shown = _measured(system)
    to_commit = [1000 * (committed[block] - mined[block]) for block in shown if block in committed and block in mined]
    to_stream = [1000 * (at - mined[block]) for block, ats in shown.items() if block in mined for at in ats]
    if len(to_stream) < AWARDS_PER_S * SECONDS // 2:
        raise RuntimeError(f"only {len(to_stream)} entries came by the streams; something is broken")
    return [
        Figure("latency_ganache_p50", _at(to_stream, 50), "ms, block to stream; block to commit as baseline",
               _at(to_commit, 50)),
        Figure("latency_ganache_p99", _at(to_stream, 99), "ms, block to stream; block to commit as baseline",
               _at(to_commit, 99), bar=P99_MS_MAX, at_least=False, on_value=True),
    ]  # fmt: skip


def _measured(system: LocalStack) -> tuple[Times, Times, dict[str, list[float]]]:
    """When each block was announced, committed, and shown (once for each entry), by its hash."""
    mined: Times = {}
    committed: Times = {}
    shown: dict[str, list[float]] = {}
    members = [f"member-{number}" for number in range(MEMBERS)]
    ids = replay.enrol(system, "cdnow", members)
    ended = threading.Event()
    with Gateway(system.url, system.operator_key) as operator:
        tokens = [
            operator.post(f"/v1/members/{ids[member]}/sessions", {}, key=f"bench-{member}")["token"]
            for member in members
        ]
    watching: list[Callable[[], None]] = [
        lambda: _announced(system.rpc_url, mined, ended),
        lambda: _committed(system.database_url, committed, ended),
        *(lambda token=token: _streamed(system.url, token, shown, ended) for token in tokens),
    ]
    with _threads(watching, ended):
        time.sleep(1.0)  # the streams' first views are no entries
        _posted(system, members, WARM_UP_S, "warm-up")
        for seen in (mined, committed, shown):
            seen.clear()
        sent = _posted(system, members, SECONDS, "measured")
        until = time.monotonic() + LAST_ENTRIES_S
        while sum(map(len, list(shown.values()))) < sent and time.monotonic() < until:
            time.sleep(0.05)
    return mined, committed, shown


def _posted(system: LocalStack, members: Sequence[str], seconds: int, run: str) -> int:
    """Posts purchases at their rate, whatever the answers take; gives their number."""
    count = AWARDS_PER_S * seconds
    began = time.monotonic()
    with Gateway(system.url, system.brand_keys["cdnow"]) as gateway:
        for number in range(count):
            time.sleep(max(0.0, began + number / AWARDS_PER_S - time.monotonic()))
            purchase = {
                "id": f"{run}-{number}",
                "member": {"identifier": members[number % len(members)]},
                "amount": "1000",
                "currency": "USD",
                "occurred_at": "2026-01-01T00:00:00Z",
            }
            gateway.post("/v1/purchases", purchase, key=f"bench-{run}-{number}")
    return count


def _announced(rpc_url: str, mined: Times, ended: threading.Event) -> None:
    with connect("ws" + rpc_url.removeprefix("http"), max_size=None) as socket:
        socket.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]}))
        while not ended.is_set():
            try:
                note = json.loads(socket.recv(LISTEN_S))
            except TimeoutError:
                continue
            if note.get("method") == "eth_subscription":
                mined[note["params"]["result"]["hash"]] = time.monotonic()


def _committed(database_url: str, committed: Times, ended: threading.Event) -> None:
    engine = make_engine(database_url)
    while not ended.wait(COMMIT_LOOK_S):
        with reading(engine) as connection:
            at = checkpoint(looking(connection))
        if at is not None:
            committed.setdefault(at.block_hash, time.monotonic())
    engine.dispose()


def _streamed(url: str, token: str, shown: dict[str, list[float]], ended: threading.Event) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    timeout = httpx.Timeout(STREAM_TIMEOUT_S)
    with httpx.stream("GET", f"{url}/v1/me/stream", headers=headers, timeout=timeout) as response:
        response.raise_for_status()
        event = ""
        for line in response.iter_lines():
            if ended.is_set():
                return
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
            elif line.startswith("data: ") and event == "entry":
                at = time.monotonic()
                shown.setdefault(json.loads(line.removeprefix("data: "))["proof"]["block_hash"], []).append(at)


@contextmanager
def _threads(works: Sequence[Callable[[], None]], ended: threading.Event) -> Iterator[None]:
    failures: list[BaseException] = []

    def watched(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=watched, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            # A stream notices at its next event, which comes every few seconds.
            thread.join(STREAM_TIMEOUT_S)
    if failures:
        raise failures[0]


def _at(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
