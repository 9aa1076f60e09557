"""What a person waits for while one brand's file of 30,000 lines is queued, beside the same without any file.

A purchase of another brand, a hold of another brand and a hold of the file's own brand, each by HTTP until it is
confirmed, one after the other. Rounds with the lines in the queue and rounds with the lines set aside take turns, so
that whatever else the machine does meets both alike.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, func, select, update

from chain.outbox import operations
from chain.storage.database import engine as make_engine
from chain.storage.database import reading, writing
from scripts.bench.figures import Figure
from scripts.bench.ledger.relaying import enqueue, orders_of
from scripts.demo import replay
from scripts.stack.gateway import WAIT_S, Gateway
from scripts.stack.local_stack import LocalStack, Plan, stack

LINES: Final = 30_000
SAMPLES: Final = 8
ROUNDS: Final = 6
DRAIN_TIMEOUT_S: Final = 60.0
DRAIN_POLL_S: Final = 0.02
MEMBERS: Final = 20
FILE_OF: Final = "cdnow"
OTHER: Final = "hanok"
BAR: Final = 2.0
RUN: Final = 90
FAR_MS: Final = 1 << 50
CURRENCIES: Final = {FILE_OF: "USD", OTHER: "KRW"}

Times = dict[str, list[float]]


def fairness(node: str) -> list[Figure]:
    """p95 in milliseconds with the file queued, the unloaded p95 as baseline; at most twice that."""
    with (
        tempfile.TemporaryDirectory(prefix="moa-bench-") as folder,
        stack(Plan(state=Path(folder), node=node)) as system,
    ):
        _points(system)
        _measured(system, "warm-up", 3)
        engine = make_engine(system.database_url)
        enqueue(system, engine, orders_of(LINES), RUN)
        alone, beside, done, seconds = _in_turns(system, engine)
        engine.dispose()
    return [
        *(
            Figure(f"fairness_{node}_{name}_p95", _p95(beside[name]), "ms beside 30,000 lines, alone as baseline",
                   _p95(alone[name]), bar=BAR, at_least=False)
            for name in beside
        ),
        Figure(f"fairness_{node}_lines", done / seconds, "lines/s meanwhile", 0.0, bar=1.0, on_value=True),
    ]  # fmt: skip


def _in_turns(system: LocalStack, engine: Engine) -> tuple[Times, Times, int, float]:
    """Times without lines and beside them, and how many lines went in how many seconds meanwhile."""
    alone, beside = _none(), _none()
    done, seconds = 0, 0.0
    for number in range(ROUNDS):
        _set_lines(engine, queued=False)
        _drained(engine)
        _add(alone, _measured(system, f"alone-{number}", SAMPLES))
        _set_lines(engine, queued=True)
        before, began = _queued_lines(engine), time.perf_counter()
        _add(beside, _measured(system, f"beside-{number}", SAMPLES))
        left = _queued_lines(engine)
        done, seconds = done + before - left, seconds + time.perf_counter() - began
        if left == 0:
            raise RuntimeError("the file was done before the measurement was")
    return alone, beside, done, seconds


def _set_lines(engine: Engine, *, queued: bool) -> None:
    """Puts the lines that did not go yet into the queue, or sets them aside as what waits for a day far away."""
    table = operations.table
    before, after = (operations.WAITING, operations.QUEUED) if queued else (operations.QUEUED, operations.WAITING)
    with writing(engine) as connection:
        connection.execute(
            update(table)
            .where(table.c.state == before, table.c.bulk == 1)
            .values(state=after, retry_at_ms=None if queued else FAR_MS, retry_until_ms=None if queued else FAR_MS)
        )


def _drained(engine: Engine) -> None:
    """Until nothing is under way any more."""
    table = operations.table
    under_way = (
        select(table.c.id).where(table.c.state.in_((*operations.OPEN, operations.MINED))).order_by(table.c.id).limit(1)
    )
    until = time.monotonic() + DRAIN_TIMEOUT_S
    while time.monotonic() < until:
        with reading(engine) as connection:
            if connection.execute(under_way).first() is None:
                return
        time.sleep(DRAIN_POLL_S)
    raise RuntimeError("what was under way did not end")


def _none() -> Times:
    return {"purchase": [], "hold": [], "own_hold": []}


def _add(times: Times, more: Times) -> None:
    for name, values in more.items():
        times[name] += values


def _measured(system: LocalStack, run: str, count: int) -> Times:
    times = _none()
    with (
        Gateway(system.url, system.brand_keys[OTHER]) as other,
        Gateway(system.url, system.brand_keys[FILE_OF]) as own,
    ):
        for number in range(count):
            member = {"identifier": f"bench-{number % MEMBERS}"}
            key = f"fairness-{run}-{number}"
            hold = {"member": member, "points": "1", "lifetime_s": 600}
            asked: list[tuple[str, Gateway, str, object]] = [
                ("purchase", other, "/v1/purchases", _purchase(member, key)),
                ("hold", other, "/v1/holds", hold),
                ("own_hold", own, "/v1/holds", hold),
            ]
            for name, gateway, path, body in asked:
                began = time.perf_counter()
                gateway.post(path, body, key=f"{key}-{name}", wait_s=WAIT_S)
                times[name].append(1000 * (time.perf_counter() - began))
    return times


def _points(system: LocalStack) -> None:
    """Members of both brands, with points to hold."""
    members = [f"bench-{number}" for number in range(MEMBERS)]
    for brand in (FILE_OF, OTHER):
        replay.enrol(system, brand, members)
        with Gateway(system.url, system.brand_keys[brand]) as gateway:
            for member in members:
                wanted = _purchase({"identifier": member}, f"first-{brand}-{member}", brand)
                gateway.post("/v1/purchases", wanted, key=f"first-{brand}-{member}", wait_s=WAIT_S)


def _purchase(member: dict[str, str], id: str, brand: str = OTHER) -> dict[str, object]:
    return {
        "id": id,
        "member": member,
        "amount": "10000",
        "currency": CURRENCIES[brand],
        "occurred_at": "2026-01-01T00:00:00Z",
    }


def _queued_lines(engine: Engine) -> int:
    table = operations.table
    asked = select(func.count()).select_from(table).where(table.c.state == operations.QUEUED, table.c.bulk == 1)
    with reading(engine) as connection:
        return int(connection.execute(asked).scalar_one())


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[94]
