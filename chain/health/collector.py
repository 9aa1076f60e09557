"""What is counted in the database when someone asks for the metrics: the queue, the loops, the checkpoint."""

import logging
from collections.abc import Iterator
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from chain.health.loops import SystemHealth, system_health
from chain.storage.database import snapshot

log = logging.getLogger(__name__)

# Loops are ours and few; a label that grows would be a fault of ours.
LOOPS_MAX: Final = 32


class Tables(Collector):
    """Reads once per scrape; while the database is away it tells only that."""

    def __init__(self, engine: Engine):
        self._engine = engine

    def describe(self) -> list[Metric]:
        """Nothing in advance: registering must not read the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        try:
            with snapshot(self._engine) as connection:
                found = system_health(connection)
        except SQLAlchemyError as error:
            log.warning("no metrics of the database: %s", type(error).__name__)
            yield _one("database_up", "1 while the database answers", 0)
            return
        yield _one("database_up", "1 while the database answers", 1)
        yield from _queue(found)
        yield from _loops(found)
        yield from _checkpoint(found)
        yield _one("reorgs_recorded", "Rollbacks that the tables remember", found.reorgs.count)


def _one(name: str, says: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"moa_{name}", says, value=value)


def _queue(found: SystemHealth) -> Iterator[Metric]:
    depth = GaugeMetricFamily("moa_queue_operations", "Operations that are not finished, by state", labels=["state"])
    for state, count in found.queue.items():
        depth.add_metric([state], count)
    yield depth
    yield _one("queue_oldest_seconds", "Age of the oldest operation that waits", found.oldest_queued_s or 0)


def _loops(found: SystemHealth) -> Iterator[Metric]:
    silent = GaugeMetricFamily("moa_loop_silent_seconds", "Since a loop was last heard of", labels=["loop"])
    stuck = GaugeMetricFamily("moa_loop_progress_seconds", "Since a loop last got on with its work", labels=["loop"])
    for name, loop in list(found.loops.items())[:LOOPS_MAX]:
        silent.add_metric([name], loop.silent_s)
        if loop.progress_s is not None:
            stuck.add_metric([name], loop.progress_s)
    yield silent
    yield stuck


def _checkpoint(found: SystemHealth) -> Iterator[Metric]:
    if found.position is None:
        return
    at = found.position
    blocks = GaugeMetricFamily("moa_checkpoint_block", "Block of the mirror, by finality", labels=["finality"])
    for level, number in (("latest", at.block_number), ("safe", at.safe_number), ("final", at.final_number)):
        blocks.add_metric([level], number)
    yield blocks
    yield _one("checkpoint_lag_blocks", "Blocks behind the head at the last commit", at.head_number - at.block_number)
    yield _one("checkpoint_stopped", "1 when the mirror gave up", 1 if at.state == "stopped" else 0)
