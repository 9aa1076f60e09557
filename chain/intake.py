"""New work: which operations go next, as which transactions. Whatever cannot succeed fails here and costs nothing."""

import logging
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Engine, select

from chain import calls, operations, transactions
from chain.batches import Choice, Waiting, choose
from chain.database import reading, writing
from chain.deployment import Deployment
from chain.errors import OperationInvalid, Reverted, RpcError
from chain.line import Line
from chain.operations import AWARD, now_ms
from chain.transactions import Plan, Transaction

log = logging.getLogger(__name__)

QUEUE_WINDOW: Final = 2_000
SIMULATION_PAUSE_S: Final = 0.5


class Intake:
    """Takes operations from the queue and gives them nonces."""

    def __init__(self, engine: Engine, deployment: Deployment, line: Line, signers: Iterable[str]):
        self._engine = engine
        self._deployment = deployment
        self._line = line
        self._signers = tuple(signers)
        # Operations that the node would not simulate without saying that they revert: since when, and when next.
        self._doubtful: dict[int, tuple[float, float]] = {}

    def take(self, flight: Sequence[Transaction]) -> list[Transaction]:
        """Gives nonces to what may go now."""
        load = dict.fromkeys(self._signers, 0)
        for transaction in flight:
            if transaction.signer in load:
                load[transaction.signer] += 1
        signer = min(load, key=lambda address: load[address])
        room = self._line.settings.in_flight_max - load[signer]
        if room <= 0:
            return []
        with reading(self._engine) as connection:
            queue = _queue(connection)
            if not queue:
                return []
            busy = _busy(connection)
        choice = choose(
            queue,
            busy_awards=frozenset(lane for lane, kind, by in busy if kind == AWARD and by == signer),
            busy_singles=frozenset(lane for lane, kind, by in busy if kind != AWARD or by != signer),
            items_max=self._line.items_max,
            delay_ms=self._line.settings.batch_delay_ms,
            singles_max=self._line.settings.singles_max,
            at_ms=now_ms(),
            only_full=load[signer] > 0,
        )
        plans = self._plans(choice, signer, room)
        if not plans:
            return []
        with writing(self._engine) as connection:
            return transactions.assign(connection, signer, plans)

    def _plans(self, choice: Choice, signer: str, room: int) -> list[Plan]:
        batches = choice.batches[:room]
        chosen = [item.id for batch in batches for item in batch] + [item.id for item in choice.singles]
        with reading(self._engine) as connection:
            payloads = _payloads(connection, chosen)
        plans = [plan for batch in batches if (plan := self._batch_plan(batch, payloads)) is not None]
        return self._single_plans(choice.singles, payloads, signer) + plans

    def _batch_plan(self, batch: Sequence[Waiting], payloads: dict[int, tuple[str, Any]]) -> Plan | None:
        brand = self._deployment.brands.get(batch[0].brand)
        if brand is None:
            for item in batch:
                self._refuse(item, "OperationInvalid", {"message": f"The deployment has no brand {item.brand!r}."})
            return None
        items = [payloads[item.id] for item in batch]
        target, data = calls.award_batch(self._deployment, brand.id, items)
        return Plan("batch", target, data, calls.batch_gas(len(batch)), tuple(item.id for item in batch))

    def _single_plans(
        self, singles: Sequence[Waiting], payloads: dict[int, tuple[str, Any]], signer: str
    ) -> list[Plan]:
        """Simulates before a nonce is spent: what would revert fails now, with its error, and costs nothing."""
        now = time.monotonic()
        plans: list[tuple[Waiting, Plan]] = []
        for item in (one for one in singles if self._doubtful.get(one.id, (0.0, 0.0))[1] <= now):
            try:
                target, data = calls.single(self._deployment, item.kind, item.brand, item.lane, payloads[item.id][1])
            except OperationInvalid as error:
                self._refuse(item, error.name, {"message": str(error)})
                continue
            plans.append((item, Plan(item.kind, target, data, calls.GAS[item.kind], (item.id,))))
        answers = self._line.rpc.try_batch([("eth_call", [_call(plan, signer), "latest"]) for _, plan in plans])
        return [plan for (item, plan), answer in zip(plans, answers, strict=True) if self._passes(item, answer)]

    def _passes(self, item: Waiting, answer: Any) -> bool:
        """Whether the simulation went through; what reverts is refused, what the node cannot say is asked again."""
        if isinstance(answer, Reverted):
            self._refuse(item, answer.error, answer.error_args)
        elif isinstance(answer, RpcError):
            now = time.monotonic()
            since, _ = self._doubtful.get(item.id, (now, 0.0))
            self._doubtful[item.id] = (since, now + SIMULATION_PAUSE_S)
            log.warning("cannot simulate operation %d: %s", item.id, answer)
            if now - since > self._line.settings.simulation_patience_s:
                self._refuse(item, "SimulationFailed", {"message": answer.message})
        else:
            self._doubtful.pop(item.id, None)
            return True
        return False

    def _refuse(self, item: Waiting, error: str, error_args: dict[str, Any]) -> None:
        table = operations.table
        self._doubtful.pop(item.id, None)
        with writing(self._engine) as connection:
            connection.execute(
                table.update()
                .where(table.c.id == item.id, table.c.state == operations.QUEUED)
                .values(state=operations.FAILED, error=error, error_args=error_args, updated_at_ms=now_ms())
            )


def _call(plan: Plan, signer: str) -> dict[str, str]:
    return {"from": signer, "to": plan.target, "data": "0x" + plan.calldata.hex(), "gas": hex(plan.gas)}


def _queue(connection: Connection) -> list[Waiting]:
    table = operations.table
    columns = [table.c[name] for name in Waiting.__dataclass_fields__]
    rows = connection.execute(
        select(*columns).where(table.c.state == operations.QUEUED).order_by(table.c.id).limit(QUEUE_WINDOW)
    )
    return [Waiting(*row) for row in rows]


def _busy(connection: Connection) -> list[tuple[str, str, str]]:
    """(lane, kind, signer) of every operation under way."""
    table, transaction = operations.table, transactions.table
    rows = connection.execute(
        select(table.c.lane, table.c.kind, transaction.c.signer)
        .join(transaction, transaction.c.id == table.c.transaction_id)
        .where(table.c.state.in_((operations.ASSIGNED, operations.SENT)))
    )
    return [(lane, kind, signer) for lane, kind, signer in rows]


def _payloads(connection: Connection, ids: Sequence[int]) -> dict[int, tuple[str, Any]]:
    table = operations.table
    found: dict[int, tuple[str, Any]] = {}
    for start in range(0, len(ids), operations.KEYS_PER_QUERY_MAX):
        chosen = ids[start : start + operations.KEYS_PER_QUERY_MAX]
        for id, operation_id, payload in connection.execute(
            select(table.c.id, table.c.operation_id, table.c.payload).where(table.c.id.in_(chosen))
        ):
            found[id] = (operation_id, payload)
    return found
