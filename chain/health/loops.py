"""How the loops are, from their own rows alone: for /ready, `moa status` and the metrics.

Three things are told apart. A loop that is silent is not running, or hangs. A loop that beats without progress is
stuck: its node does not answer, or answers what cannot be believed. A loop that looks and finds nothing new, on a
chain where nothing happens, is well.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, func, select

from chain.base.clock import now_ms
from chain.mirror.queries import reorgs
from chain.mirror.queries.checkpoint import STOPPED, Checkpoint, checkpoint
from chain.mirror.queries.reorgs import Reorgs
from chain.outbox.models import ChainSigner, ChainTransaction, Operation
from chain.outbox.operations import ASSIGNED, MINED, QUEUED, SENT
from chain.storage.columns import table_of
from chain.storage.looks import looking
from chain.telemetry.heartbeat import STUCK_S
from chain.telemetry.models import Heartbeat

LOOPS: Final = ("relayer", "mirror")
SILENT_S: Final = 30.0
OPEN_STATES: Final = (QUEUED, ASSIGNED, SENT, MINED)
OPEN_TRANSACTIONS: Final = ("assigned", "signed", "sent", "filling")
# Rows that say how something is, written when it changes; and what they say when it is not well.
NOTICES: Final = {"breaker": ("open",), "signers": ("low", "capped")}

heartbeats: Final = table_of(Heartbeat)
operations: Final = table_of(Operation)
transactions: Final = table_of(ChainTransaction)
signers: Final = table_of(ChainSigner)


@dataclass(frozen=True, slots=True)
class Loop:
    """One loop's last words. Ages in seconds; progress_s None: it never got on."""

    name: str
    state: str
    detail: str
    silent_s: float
    progress_s: float | None

    def trouble(self, silent_s: float = SILENT_S, stuck_s: float = STUCK_S) -> str | None:
        """What is wrong with it, in a sentence; None when nothing is."""
        if self.name in NOTICES:
            return f"{self.name}: {self.state}. {self.detail}" if self.state in NOTICES[self.name] else None
        if self.state == STOPPED:
            return f"The {self.name} stopped: {self.detail}"
        if self.silent_s > silent_s:
            return f"The {self.name} was last heard of {self.silent_s:.0f} s ago; is `moa worker` running?"
        if self.progress_s is None or self.progress_s > stuck_s:
            since = "since it began" if self.progress_s is None else f"for {self.progress_s:.0f} s"
            return f"The {self.name} got nowhere {since}: {self.state} {self.detail}".rstrip()
        return None


def trouble(at: Checkpoint) -> str | None:
    """What is wrong with the mirror's place, in a sentence; None when nothing is."""
    if at.state == STOPPED:
        return f"The mirror stopped at block {at.block_number}: {at.reason}"
    if not at.live:
        return f"The mirror is at block {at.block_number} of {at.head_number}."
    return None


@dataclass(frozen=True, slots=True)
class Signer:
    """A hot key as the tables know it."""

    address: str
    next_nonce: int
    pending: int


@dataclass(frozen=True, slots=True)
class SystemHealth:
    """Everything the tables say about the loops at one moment."""

    position: Checkpoint | None
    loops: dict[str, Loop]
    queue: dict[str, int]
    oldest_queued_s: float | None
    reorgs: Reorgs
    signers: tuple[Signer, ...]

    def troubles(self, silent_s: float = SILENT_S, stuck_s: float = STUCK_S) -> list[str]:
        """A sentence for each thing that is wrong; none: all is well."""
        found = [trouble(self.position) if self.position else "The mirror has not read its first block yet."]
        for name in LOOPS:
            loop = self.loops.get(name)
            if loop is None:
                found.append(f"The {name} has never run on this database; start `moa worker`.")
            else:
                found.append(loop.trouble(silent_s, stuck_s))
        found += [loop.trouble() for name, loop in self.loops.items() if name in NOTICES]
        return list(dict.fromkeys(sentence for sentence in found if sentence))


def system_health(connection: Connection) -> SystemHealth:
    """What the tables say; the connection should see one moment of them (chain.storage.database.snapshot)."""
    at_ms, look = now_ms(), looking(connection)
    return SystemHealth(
        position=checkpoint(look),
        loops=loops(connection, at_ms),
        queue=queue(connection),
        oldest_queued_s=_oldest_queued_s(connection, at_ms),
        reorgs=reorgs.summary(look),
        signers=_signers(connection),
    )


def loops(connection: Connection, at_ms: int) -> dict[str, Loop]:
    """Every loop that ever beat, by name."""
    return {row.name: _loop(row, at_ms) for row in connection.execute(select(heartbeats).order_by(heartbeats.c.name))}


def queue(connection: Connection) -> dict[str, int]:
    """Operations that are not finished, by state; states without any are there with 0."""
    rows = connection.execute(
        select(operations.c.state, func.count().label("number"))
        .where(operations.c.state.in_(OPEN_STATES))
        .group_by(operations.c.state)
    )
    return dict.fromkeys(OPEN_STATES, 0) | {row.state: row.number for row in rows}


def _loop(row: Any, at_ms: int) -> Loop:
    progressed = row.progressed_at_ms
    return Loop(
        name=row.name,
        state=row.state,
        detail=row.detail,
        silent_s=max(0, at_ms - row.at_ms) / 1000,
        progress_s=None if progressed is None else max(0, at_ms - progressed) / 1000,
    )


def _oldest_queued_s(connection: Connection, at_ms: int) -> float | None:
    created = connection.execute(
        select(operations.c.created_at_ms).where(operations.c.state == QUEUED).order_by(operations.c.id).limit(1)
    ).scalar_one_or_none()
    return None if created is None else max(0, at_ms - created) / 1000


def _signers(connection: Connection) -> tuple[Signer, ...]:
    counted = connection.execute(
        select(transactions.c.signer, func.count().label("number"))
        .where(transactions.c.state.in_(OPEN_TRANSACTIONS))
        .group_by(transactions.c.signer)
    )
    pending = {row.signer: row.number for row in counted}
    rows = connection.execute(select(signers.c.address, signers.c.next_nonce).order_by(signers.c.address))
    return tuple(Signer(row.address, row.next_nonce, pending.get(row.address, 0)) for row in rows)
