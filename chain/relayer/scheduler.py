"""New work: which operations go next, as which transactions. Whatever cannot succeed fails here and costs nothing."""

import logging
import time
from collections.abc import Mapping, Sequence, Set
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Engine, select

from chain.base.clock import now_ms
from chain.base.errors import OperationInvalid, QueueMoved, Reverted, RpcError
from chain.contracts.deployment import Brand, Deployment
from chain.mirror import brands
from chain.mirror.models import MirrorCheckpoint
from chain.node.blocks import believable
from chain.outbox import calls, operations, transactions
from chain.outbox.batching import Choice, Waiting, choose, signer_of
from chain.outbox.operations import AWARD, QUEUED
from chain.outbox.transactions import Plan, Transaction
from chain.relayer.node_state import NodeState
from chain.storage.bulk import PLACE
from chain.storage.columns import table_of
from chain.storage.database import reading, writing
from chain.telemetry import metrics

log = logging.getLogger(__name__)

QUEUE_WINDOW: Final = 2_000
# Beyond what can go at once: operations whose lane or batch must wait still stand in the queue.
WINDOW_SPARE: Final = 200
# Past a full window of which nothing may go, the lanes behind it are looked at, so many windows far.
WINDOWS_MAX: Final = 8
SIMULATION_PAUSE_S: Final = 0.5
checkpoint: Final = table_of(MirrorCheckpoint)

# What a payload that is not as the makers in chain.outbox.calls give it may raise.
MISFIT: Final = (AttributeError, KeyError, TypeError, ValueError, OverflowError)

# (lane, kind, signer) of an operation under way.
Busy = tuple[str, str, str]


class Scheduler:
    """Takes operations from the queue and gives them nonces. A lane goes through one signer, as long as that one is
    able; awards that follow each other in a lane may then be under way together."""

    def __init__(self, engine: Engine, deployment: Deployment, node_state: NodeState):
        self._engine = engine
        self._deployment = deployment
        self._node_state = node_state
        # The mirror's newest block as of the look into the queue: (number, hash).
        self._tip: tuple[int, str] | None = None
        # Operations that the node would not simulate without saying that they revert: since when, and when next.
        self._doubtful: dict[int, tuple[float, float]] = {}

    def take(
        self, flight: Sequence[Transaction], *, able: Sequence[str], count_max: int | None = None
    ) -> list[Transaction]:
        """Gives nonces to what may go now, through the signers that are able to send; at most count_max of them."""
        room = {signer: self._room(signer, flight) for signer in able}
        total = sum(room.values())
        if total <= 0:
            return []
        # What can go at once stands at the head of the queue; only when all of it must wait is more of it looked at,
        # and then what other lanes have behind it: a lane with a long queue holds up none but itself.
        first = min(QUEUE_WINDOW, total * self._node_state.items_max + WINDOW_SPARE)
        waiting: set[str] = set()
        for window in (first, *[QUEUE_WINDOW] * WINDOWS_MAX):
            with reading(self._engine) as connection:
                self._tip = _tip(connection)
                queue = _queue(connection, window, waiting)
                busy = _busy(connection) if queue else []
                known = brands.resolve(connection, self._deployment, {item.brand for item in queue})
            planned = self._planned(queue, busy, known, room)
            if planned or len(queue) < window:
                break
            if window == QUEUE_WINDOW:
                waiting |= {item.lane for item in queue}
        return self._assign([(signer, plans[:count_max]) for signer, plans in planned[:count_max]])

    def _planned(
        self, queue: Sequence[Waiting], busy: Sequence[Busy], known: dict[str, Brand], room: Mapping[str, int]
    ) -> list[tuple[str, list[Plan]]]:
        """What each signer may send now."""
        able = tuple(room)
        by_signer: dict[str, list[Waiting]] = {signer: [] for signer in able}
        for item in queue:
            by_signer[signer_of(item.lane, able)].append(item)
        settings = self._node_state.settings
        now = time.monotonic()
        resting = {id for id, (_, again_at) in self._doubtful.items() if again_at > now}
        planned: list[tuple[str, list[Plan]]] = []
        for signer, waiting in by_signer.items():
            if room[signer] <= 0 or not waiting:
                continue
            choice = choose(
                waiting,
                busy_awards=frozenset(lane for lane, kind, by in busy if kind == AWARD and by == signer),
                busy_singles=frozenset(lane for lane, kind, by in busy if kind != AWARD or by != signer),
                items_max=self._node_state.items_max,
                delay_ms=settings.batch_delay_ms,
                singles_max=min(settings.singles_max, room[signer]),
                at_ms=now_ms(),
                only_full=bool(self._node_state.one_at_a_time) and room[signer] < settings.in_flight_max,
                resting=resting,
            )
            plans = self._plans(choice, signer, room[signer], known)
            if plans:
                planned.append((signer, plans))
        return planned

    def _room(self, signer: str, flight: Sequence[Transaction]) -> int:
        """How many more transactions the signer may have under way."""
        mine = [transaction for transaction in flight if transaction.signer == signer]
        unmined = sum(not self._node_state.is_passed(transaction) for transaction in mine)
        settings = self._node_state.settings
        return min(settings.in_flight_max - unmined, settings.undecided_max - len(mine))

    def _assign(self, planned: Sequence[tuple[str, list[Plan]]]) -> list[Transaction]:
        made: list[Transaction] = []
        if not planned:
            return made
        try:
            with writing(self._engine) as connection:
                for signer, plans in planned:
                    count = self._node_state.counted.get(signer, 0)
                    made += transactions.assign(connection, signer, plans, count=count)
        except QueueMoved as moved:
            log.warning("another relayer works on this queue: %s", moved)
            return []
        for transaction in made:
            metrics.batch(transaction.kind, transaction.operations)
        return made

    def _plans(self, choice: Choice, signer: str, room: int, known: dict[str, Brand]) -> list[Plan]:
        singles = self._single_plans(choice.singles, signer, known)
        batches = choice.batches[: max(0, room - len(singles))]
        plans = [plan for batch in batches if (plan := self._batch_plan(batch, known)) is not None]
        return singles + plans

    def _batch_plan(self, batch: Sequence[Waiting], known: dict[str, Brand]) -> Plan | None:
        brand = known.get(batch[0].brand)
        if brand is None:
            for item in batch:
                self._refuse(item, "OperationInvalid", {"message": f"The registry has no brand {item.brand!r}."})
            return None
        try:
            items = [(item.operation_id or "0", _document(item.payload)) for item in batch]
            target, data = calls.award_batch(self._deployment, brand.id, items)
        except MISFIT as error:
            self._refuse_misfits(batch, brand, error)
            return None
        return Plan("batch", target, data, calls.batch_gas(len(batch)), tuple(item.id for item in batch))

    def _refuse_misfits(self, batch: Sequence[Waiting], brand: Brand, error: Exception) -> None:
        """Those that cannot be encoded by themselves fail; the others are still in the queue."""
        log.warning("a batch cannot be encoded: %r", error)
        for item in batch:
            try:
                calls.award_batch(self._deployment, brand.id, [(item.operation_id or "0", _document(item.payload))])
            except MISFIT as reason:
                self._refuse(item, "OperationInvalid", {"message": f"{type(reason).__name__}: {reason}"})

    def _single_plans(self, singles: Sequence[Waiting], signer: str, known: dict[str, Brand]) -> list[Plan]:
        """Simulates before a nonce is spent: what would revert fails now, with its error, and costs nothing."""
        plans: list[tuple[Waiting, Plan]] = []
        for item in singles:
            brand = known.get(item.brand)
            try:
                target, data = calls.single(
                    self._deployment,
                    item.kind,
                    item.brand,
                    item.lane,
                    _document(item.payload),
                    token=brand.token if brand is not None else None,
                )
            except OperationInvalid as error:
                self._refuse(item, error.name, {"message": str(error)})
            except MISFIT as error:
                self._refuse(item, "OperationInvalid", {"message": f"{type(error).__name__}: {error}"})
            else:
                plans.append((item, Plan(item.kind, target, data, calls.GAS[item.kind], (item.id,))))
        if not plans:
            return []
        answers = self._node_state.rpc.try_batch([("eth_call", [_call(plan, signer), "latest"]) for _, plan in plans])
        believed = not any(isinstance(answer, Reverted) for answer in answers) or self._shows_our_chain()
        return [
            plan
            for (item, plan), answer in zip(plans, answers, strict=True)
            if self._passes(item, answer, believed=believed)
        ]

    def _shows_our_chain(self) -> bool:
        """Whether the node has the block up to which the queue was read; without a mirror it is believed."""
        if self._tip is None:
            return True
        number, block_hash = self._tip
        try:
            block = self._node_state.rpc.call("eth_getBlockByNumber", hex(number), False)
        except RpcError:
            # Some nodes call a block above their head an error.
            return False
        with believable("a block's hash"):
            return block is not None and block["hash"] == block_hash

    def _passes(self, item: Waiting, answer: Any, *, believed: bool) -> bool:
        """Whether the simulation went through; what reverts is refused, what the node cannot say is asked again."""
        if isinstance(answer, Reverted) and not believed:
            # A reorg that is not undone yet, or a node that lags: what the operation stands on may be missing there.
            again_at = time.monotonic() + SIMULATION_PAUSE_S
            self._doubtful[item.id] = (again_at, again_at)
        elif isinstance(answer, Reverted):
            self._refuse(item, answer.error, answer.error_args)
        elif isinstance(answer, RpcError):
            now = time.monotonic()
            since, _ = self._doubtful.get(item.id, (now, 0.0))
            self._doubtful[item.id] = (since, now + SIMULATION_PAUSE_S)
            log.warning("cannot simulate operation %d: %s", item.id, answer)
            if now - since > self._node_state.settings.simulation_patience_s:
                self._refuse(item, "SimulationFailed", {"message": answer.message})
        else:
            self._doubtful.pop(item.id, None)
            return True
        return False

    def _refuse(self, item: Waiting, error: str, error_args: dict[str, Any]) -> None:
        self._doubtful.pop(item.id, None)
        with writing(self._engine) as connection:
            operations.fail(connection, item.id, error, error_args)


def _call(plan: Plan, signer: str) -> dict[str, str]:
    return {"from": signer, "to": plan.target, "data": "0x" + plan.calldata.hex(), "gas": hex(plan.gas)}


def _document(payload: Any) -> dict[str, Any]:
    """SQLite gives JSON as text, PostgreSQL's driver as a document: only what goes is parsed."""
    found: dict[str, Any] = orjson.loads(payload) if isinstance(payload, str | bytes) else payload
    return found


def _tip(connection: Connection) -> tuple[int, str] | None:
    found = connection.execute(select(checkpoint.c.block_number, checkpoint.c.block_hash).where(checkpoint.c.id == 1))
    row = found.one_or_none()
    return (row.block_number, row.block_hash) if row is not None else None


def _queue(connection: Connection, count_max: int, without: Set[str]) -> list[Waiting]:
    """The oldest queued operations, those of some lanes left out."""
    place = PLACE[connection.dialect.name]
    columns = ", ".join(Waiting.__dataclass_fields__)
    others = f"AND lane NOT IN ({', '.join([place] * len(without))})" if without else ""
    # Past SQLAlchemy's typed rows: thousands of payloads are read each second and most are looked at once.
    statement = f"SELECT {columns} FROM operation WHERE state = {place} {others} ORDER BY id LIMIT {place}"  # noqa: S608
    return [Waiting(*row) for row in connection.exec_driver_sql(statement, (QUEUED, *without, count_max))]


def _busy(connection: Connection) -> list[Busy]:
    table, transaction = operations.table, transactions.table
    rows = connection.execute(
        select(table.c.lane, table.c.kind, transaction.c.signer)
        .join(transaction, transaction.c.id == table.c.transaction_id)
        .where(table.c.state.in_((operations.ASSIGNED, operations.SENT)))
    )
    return [(lane, kind, signer) for lane, kind, signer in rows]
