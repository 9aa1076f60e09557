"""Awards a second from the queue to confirmed, with the real worker: no HTTP, everything else.

The operations are written in one SQL transaction; the clock runs from its commit until the last of them is confirmed
in its row. The baseline is what the node mines of the same batches when it is asked for nothing
else, measured before, between and after, on the same node and chain.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Engine, func, select

from chain.base.scalars import BaseUnits
from chain.outbox import calls, operations
from chain.storage.database import engine as make_engine
from chain.storage.database import reading, writing
from scripts.bench.figures import Figure
from scripts.bench.ledger.earning import _address, node_rate
from scripts.demo.purchases import Purchase, cdnow
from scripts.stack.local_stack import LocalStack, Plan, stack

AWARDS = {"ganache": 3_000, "anvil": 12_000}
ROUNDS = 2
FIRST_RUN = 10
TIMEOUT_S = 180.0
POLL_S = 0.02
BAR_NODE_SHARE = 0.9
BAR_ANVIL = 3_000.0


def relaying(node: str) -> list[Figure]:
    """Ganache: at least 0.9 of the node's own batch rate. Anvil: at least 3,000 awards a second."""
    orders = orders_of(AWARDS[node])
    measured: list[float] = []
    baseline: list[float] = []
    with (
        tempfile.TemporaryDirectory(prefix="moa-bench-") as folder,
        stack(Plan(state=Path(folder), node=node)) as system,
    ):
        engine = make_engine(system.database_url)
        for number in range(ROUNDS):
            baseline.append(node_rate(system, orders, run=number))
            measured.append(_queue_rate(system, engine, orders, run=FIRST_RUN + number))
        baseline.append(node_rate(system, orders, run=ROUNDS))
        engine.dispose()
    value, own = sum(measured) / len(measured), sum(baseline) / len(baseline)
    if node == "anvil":
        return [Figure("relay_anvil", value, "awards/s, queue to confirmed", own, bar=BAR_ANVIL, on_value=True)]
    return [Figure(f"relay_{node}", value, "awards/s, queue to confirmed", own, bar=BAR_NODE_SHARE)]


def orders_of(count: int) -> list[Purchase]:
    """Real purchases, from the beginning again when there are not enough."""
    known = list(cdnow())
    return [known[index % len(known)] for index in range(count)]


def _queue_rate(system: LocalStack, engine: Engine, orders: Sequence[Purchase], *, run: int) -> float:
    before = _confirmed(engine)
    start = enqueue(system, engine, orders, run)
    while _open(engine):
        if time.perf_counter() - start > TIMEOUT_S:
            raise RuntimeError(f"the awards were not all confirmed within {TIMEOUT_S:g} s")
        system.check()
        time.sleep(POLL_S)
    seconds = time.perf_counter() - start
    if (done := _confirmed(engine) - before) != len(orders):
        raise RuntimeError(f"{done} of {len(orders)} awards were confirmed, the others failed")
    return len(orders) / seconds


def enqueue(system: LocalStack, engine: Engine, orders: Sequence[Purchase], run: int) -> float:
    """All in one SQL transaction; gives the moment before it is committed."""
    brand = system.brands["cdnow"]
    asked = [
        calls.award(
            key=f"relay {run}/{number}",
            brand=brand.id,
            member=_address(order.member, run),
            rule=brand.rules["purchase"],
            base_amount=BaseUnits(order.amount),
            bulk=True,
        )
        for number, order in enumerate(orders)
    ]
    with writing(engine) as connection:
        operations.enqueue_many(connection, asked)
        return time.perf_counter()


def _open(engine: Engine) -> bool:
    """Whether any operation is not final; cheap however many there are."""
    table = operations.table
    with reading(engine) as connection:
        wanted = select(table.c.id).where(table.c.state.in_((*operations.OPEN, operations.MINED))).limit(1)
        return connection.execute(wanted).first() is not None


def _confirmed(engine: Engine) -> int:
    table = operations.table
    with reading(engine) as connection:
        found = connection.execute(select(func.count()).select_from(table).where(table.c.state == operations.CONFIRMED))
        return int(found.scalar_one())
