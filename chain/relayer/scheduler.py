"""New work: which operations go next, as which transactions. Whatever cannot succeed fails here and costs nothing."""

import logging
import time
from collections.abc import Mapping, Sequence, Set
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Engine, select

from chain.base.clock import now_ms
from chain.base.errors import OperationInvalid, QueueMoved, Reverted, RpcError
from chain.base.scalars import Address, RegistryId
from chain.contracts.deployment import Deployment
from chain.mirror.queries import award_proofs, brands
from chain.mirror.queries.award_proofs import AwardProof
from chain.mirror.queries.checkpoint import checkpoint
from chain.node.blocks import believable
from chain.outbox import calls, fair_queue, operations, transactions
from chain.outbox.batching import Choice, Waiting, choose, shared_out
from chain.outbox.fair_queue import BULK, PERSON
from chain.outbox.operations import AWARD, RETURN, VOTE
from chain.outbox.retries import PAUSED
from chain.outbox.transactions import Plan, Transaction
from chain.relayer.node_state import NodeState
from chain.storage.database import reading, writing
from chain.storage.looks import Look, looking
from chain.telemetry import metrics

log = logging.getLogger(__name__)

QUEUE_WINDOW: Final = 2_000
# Beyond what can go at once: operations whose ordering key or batch must wait still stand in the queue.
WINDOW_SPARE: Final = 200
# Past a full window of which nothing may go, the ordering keys behind it are looked at, so many windows far.
WINDOWS_MAX: Final = 8
SIMULATION_PAUSE_S: Final = 0.5
# An operation that a receipt or the mirror has found on the chain.
OF_CHAIN: Final = (operations.MINED, operations.CONFIRMED)
# What is in none of these states may still come to the chain.
NOT_COMING: Final = (operations.FAILED, operations.WAITING, operations.CANCELLED)

# What a payload that is not as the makers in chain.outbox.calls give it may raise.
MISFIT: Final = (AttributeError, KeyError, TypeError, ValueError, OverflowError)

# (ordering key, kind, signer) of an operation under way.
Busy = tuple[str, str, str]


class Scheduler:
    """Takes operations from the queue and gives them nonces. An ordering key goes through one signer, as long as that
    one is able, and what tills do through a till's key; awards that follow each other with one key may then be under
    way together."""

    def __init__(self, engine: Engine, deployment: Deployment, node_state: NodeState, *, tills: Set[str] = frozenset()):
        self._engine = engine
        self._deployment = deployment
        self._node_state = node_state
        self._tills = tills
        # The mirror's newest block as of the look into the queue: (number, hash).
        self._tip: tuple[int, str] | None = None
        # Whether the mirror has the whole chain: then a brand that it does not know does not exist.
        self._mirrored = False
        # Operations that the node would not simulate without saying that they revert: since when, and when next.
        self._doubtful: dict[int, tuple[float, float]] = {}
        # Transactions under way that carry lines; how many went past lines that waited, since the last of these.
        self._lines: set[int] = set()
        self._lines_wait = False
        self._passed = 0
        # When a person last waited for something, and the brand that had its turn last.
        self._person_at = -1e9
        self._person_waits = False
        self._lines_at = -1e9
        self._turn: dict[int, Any] = {PERSON: None, BULK: None}
        self._ahead: dict[str, int] = {}

    def take(
        self, flight: Sequence[Transaction], *, able: Sequence[str], count_max: int | None = None
    ) -> list[Transaction]:
        """Gives nonces to what may go now, through the signers that are able to send; at most count_max of them.

        What a person waits for goes first, the brands in turns; then one batch of lines after the other, again the
        brands in turns. Lines have their share all the same: see `_rooms`.
        """
        self._lines &= {transaction.id for transaction in flight}
        made: list[Transaction] = []
        for bulk in self._order():
            left = None if count_max is None else count_max - len(made)
            if left is not None and left <= 0:
                break
            rooms = self._rooms([*flight, *made], able, bulk)
            planned = self._looked(rooms, bulk) if any(room > 0 for room in rooms.values()) else []
            taken = self._assign(planned if left is None else [(s, plans[:left]) for s, plans in planned[:left]])
            self._note(taken, bulk)
            made += taken
        return made

    @property
    def waits(self) -> bool:
        """Whether anything was queued at the last look."""
        return self._person_waits or self._lines_wait

    def _order(self) -> tuple[int, int]:
        """Persons first; lines first when so many went past them that it is their turn."""
        return (BULK, PERSON) if self._passed >= self._node_state.settings.passes_max else (PERSON, BULK)

    def _rooms(self, flight: Sequence[Transaction], able: Sequence[str], bulk: int) -> dict[str, int]:
        """How many transactions each signer may have more under way for persons, or for lines."""
        settings = self._node_state.settings
        most = settings.in_flight_max
        if bulk == BULK:
            most = max(1, most - settings.reserve)
            if self._node_state.one_at_a_time:
                # One at the node, and the next one ready.
                most = min(most, 2)
            if self._passed >= settings.passes_max:
                most = 1
            elif self._node_state.mines_at_once and self._persons_about():
                most = 0 if self._give_way(flight) else 1
        unmined = [t for t in flight if (t.id in self._lines) == (bulk == BULK) and not self._node_state.is_passed(t)]
        self._ahead = {signer: sum(t.signer == signer for t in unmined) for signer in able}
        return {signer: min(self._room(signer, flight), most - self._ahead[signer]) for signer in able}

    def _give_way(self, flight: Sequence[Transaction]) -> bool:
        """Whether lines wait until what persons wait for is mirrored; never longer than lines_every_s."""
        if time.monotonic() - self._lines_at >= self._node_state.settings.lines_every_s:
            return False
        return self._person_waits or any(t.operations and t.id not in self._lines for t in flight)

    def _persons_about(self) -> bool:
        return time.monotonic() - self._person_at < self._node_state.settings.beside_s

    def _note(self, taken: Sequence[Transaction], bulk: int) -> None:
        if bulk == BULK:
            self._lines |= {transaction.id for transaction in taken}
            if taken:
                self._passed = 0
                self._lines_at = time.monotonic()
        elif self._lines_wait:
            self._passed += len(taken)

    def _looked(self, rooms: Mapping[str, int], bulk: int) -> list[tuple[str, list[Plan]]]:
        """What may go now of what persons wait for, or of the lines.

        What can go at once stands at the head of each brand's queue; only when all of it must wait is more of it
        looked at, and then what other ordering keys have behind it: one with a long queue holds up none but itself.
        """
        first = min(QUEUE_WINDOW, sum(rooms.values()) * self._items_max(bulk) + WINDOW_SPARE)
        without: set[str] = set()
        planned: list[tuple[str, list[Plan]]] = []
        for window in (first, *[QUEUE_WINDOW] * WINDOWS_MAX):
            with reading(self._engine) as connection:
                if bulk == PERSON:
                    self._lines_wait = bool(fair_queue.brands(connection, BULK, count_max=1))
                names = fair_queue.brands(connection, bulk, self._turn[bulk])
                found, full = fair_queue.heads(connection, bulk, names, window, without)
                if bulk == PERSON and any(item.held for item in found):
                    found = [*fair_queue.drawn(connection, [item.ordering_key for item in found if item.held]), *found]
                    found = list({item.id: item for item in found}.values())
                busy = _busy(connection) if found else []
                look = looking(connection)
                tokens = brands.tokens(look, {item.brand for item in found})
                paused = brands.paused(look, {item.brand for item in found})
                self._tip, self._mirrored = _tip(look) if found else (None, False)
            if bulk == PERSON:
                self._person_waits = bool(names)
                self._person_at = time.monotonic() if names else self._person_at
            found = self._issuing(found, paused)
            planned = self._planned(found, busy, tokens, rooms, bulk)
            if planned or not full:
                break
            if window == QUEUE_WINDOW:
                without |= {item.ordering_key for item in found}
        return planned

    def _issuing(self, found: list[Waiting], paused: Sequence[RegistryId]) -> list[Waiting]:
        """All but the awards of brands that the mirror knows as paused, when the registry says so too: these are
        refused here, by the contract's own words, and cost no transaction."""
        for brand in paused:
            awards = [item.id for item in found if item.brand == brand and item.kind == AWARD]
            if not awards:
                continue
            target, data = calls.issuing(self._deployment, brand)
            [answer] = self._node_state.rpc.try_batch(
                [("eth_call", [{"to": target, "data": "0x" + data.hex()}, "latest"])]
            )
            if isinstance(answer, Reverted) and answer.error == PAUSED:
                with writing(self._engine) as connection:
                    operations.fail_many(connection, awards, answer.error, answer.error_args)
                found = [item for item in found if item.brand != brand or item.kind != AWARD]
        return found

    def _items_max(self, bulk: int) -> int:
        if bulk == BULK and self._node_state.mines_at_once and self._persons_about():
            return min(self._node_state.items_max, self._node_state.settings.beside_items_max)
        return self._node_state.items_max

    def _planned(
        self,
        waiting: Sequence[Waiting],
        busy: Sequence[Busy],
        tokens: Mapping[RegistryId, Address],
        room: Mapping[str, int],
        bulk: int,
    ) -> list[tuple[str, list[Plan]]]:
        """What each signer may send now."""
        by_signer = shared_out(waiting, tuple(room), self._tills)
        settings = self._node_state.settings
        now = time.monotonic()
        resting = {id for id, (_, again_at) in self._doubtful.items() if again_at > now}
        planned: list[tuple[str, list[Plan]]] = []
        for signer, items in by_signer.items():
            if room[signer] <= 0 or not items:
                continue
            choice = choose(
                items,
                busy_awards=frozenset(
                    ordering_key for ordering_key, kind, by in busy if kind == AWARD and by == signer
                ),
                busy_singles=frozenset(
                    ordering_key for ordering_key, kind, by in busy if kind != AWARD or by != signer
                ),
                items_max=self._items_max(bulk),
                delay_ms=settings.batch_delay_ms,
                singles_max=min(settings.singles_max, room[signer]),
                at_ms=now_ms(),
                only_full=self._grows(signer, bulk),
                resting=resting,
            )
            plans = self._plans(choice, signer, room[signer], tokens)
            if plans:
                planned.append((signer, plans))
                together = (*choice.votes, *choice.batches)
                served = [item.brand for item in choice.singles] + [batch[0].brand for batch in together]
                self._turn[bulk] = served[: len(plans)][-1]
        return planned

    def _grows(self, signer: str, bulk: int) -> bool:
        """Whether a batch that is not full waits on, because the node is busy with such anyhow."""
        return bool(self._node_state.one_at_a_time) and self._ahead[signer] >= (1 if bulk == BULK else 2)

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

    def _plans(self, choice: Choice, signer: str, room: int, tokens: Mapping[RegistryId, Address]) -> list[Plan]:
        singles = self._single_plans(choice.singles, signer, tokens)
        for votes in choice.votes[: max(0, room - len(singles))]:
            singles += self._vote_plans(votes, signer)
        batches = choice.batches[: max(0, room - len(singles))]
        plans = [plan for batch in batches if (plan := self._batch_plan(batch, tokens)) is not None]
        return singles + plans

    def _batch_plan(self, batch: Sequence[Waiting], tokens: Mapping[RegistryId, Address]) -> Plan | None:
        brand = batch[0].brand
        # An award needs no token: while the mirror is behind, the contract is who knows its brands.
        if brand not in tokens and self._mirrored:
            for item in batch:
                self._await_brand(item)
            return None
        for item in batch if self._doubtful else ():
            self._doubtful.pop(item.id, None)
        try:
            items = [(item.operation_id or "0", _document(item.payload)) for item in batch]
            target, data = calls.award_batch(self._deployment, brand, items)
        except MISFIT as error:
            self._refuse_misfits(batch, brand, error)
            return None
        return Plan("batch", target, data, calls.batch_gas(len(batch)), tuple(item.id for item in batch))

    def _refuse_misfits(self, batch: Sequence[Waiting], brand: RegistryId, error: Exception) -> None:
        """Those that cannot be encoded by themselves fail; the others are still in the queue."""
        log.warning("a batch cannot be encoded: %r", error)
        for item in batch:
            try:
                calls.award_batch(self._deployment, brand, [(item.operation_id or "0", _document(item.payload))])
            except MISFIT as reason:
                self._refuse(item, "OperationInvalid", {"message": f"{type(reason).__name__}: {reason}"})

    def _single_plans(
        self, singles: Sequence[Waiting], signer: str, tokens: Mapping[RegistryId, Address]
    ) -> list[Plan]:
        """Simulates before a nonce is spent: what would revert fails now, with its error, and costs nothing."""
        plans: list[tuple[Waiting, Plan]] = []
        for item in singles:
            try:
                payload = _document(item.payload)
                if item.kind == RETURN:
                    award = self._award_of(item, payload)
                    if award is None:
                        continue
                    payload = calls.with_proof(payload, return_id=item.operation_id or "0", **award._asdict())
                call = calls.single(
                    self._deployment, item.kind, item.ordering_key, payload, token=tokens.get(item.brand)
                )
            except OperationInvalid as error:
                self._refuse(item, error.name, {"message": str(error)})
            except MISFIT as error:
                self._refuse(item, "OperationInvalid", {"message": f"{type(error).__name__}: {error}"})
            else:
                if call is not None:
                    plans.append((item, Plan(item.kind, *call, calls.GAS[item.kind], (item.id,))))
                else:
                    self._await_brand(item)
        if not plans:
            return []
        answers = self._node_state.rpc.try_batch([("eth_call", [_call(plan, signer), "latest"]) for _, plan in plans])
        believed = not any(isinstance(answer, Reverted) for answer in answers) or self._shows_our_chain()
        return [
            plan
            for (item, plan), answer in zip(plans, answers, strict=True)
            if self._passes(item, answer, believed=believed)
        ]

    def _vote_plans(self, votes: Sequence[Waiting], signer: str) -> list[Plan]:
        """One call for all that would count by themselves. Where the node does not take them together, the first goes
        alone, so that whatever it is, something goes on."""
        plans = self._single_plans(votes, signer, {})
        if len(plans) < 2:
            return plans
        chosen = {plan.operations[0] for plan in plans}
        payloads = [_document(item.payload) for item in votes if item.id in chosen]
        call = calls.single(self._deployment, VOTE, "", calls.gathered(payloads), token=None)
        assert call is not None, "a vote goes to the governor"
        ids = tuple(item.id for item in votes if item.id in chosen)
        together = Plan(VOTE, *call, calls.GAS[VOTE], ids)
        [answer] = self._node_state.rpc.try_batch([("eth_call", [_call(together, signer), "latest"])])
        if isinstance(answer, RpcError):
            log.warning("%d votes do not pass together, the first goes alone: %s", len(ids), answer)
            return plans[:1]
        return [together]

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

    def _await_brand(self, item: Waiting) -> None:
        """Waits for a brand that the mirror does not have; refused once a whole mirror has lacked it for long enough.

        A mirror that is being rebuilt, or that follows a reorg or a node that lags, has it again in a moment.
        """
        if self._lacked_too_long(item):
            self._refuse(item, "OperationInvalid", {"message": f"The registry has no brand {item.brand}."})

    def _lacked_too_long(self, item: Waiting) -> bool:
        """Whether a whole mirror has lacked for long enough what an operation stands on; else it rests for a while."""
        now = time.monotonic()
        since, _ = self._doubtful.get(item.id, (now, 0.0))
        if not self._mirrored:
            self._doubtful.pop(item.id, None)
            return False
        self._doubtful[item.id] = (since, now + SIMULATION_PAUSE_S)
        return now - since > self._node_state.settings.simulation_patience_s

    def _award_of(self, item: Waiting, payload: Mapping[str, Any]) -> AwardProof | None:
        """What a return brings of its award; None when it was refused, or waits for the mirror to have the award.

        An award that is not on the chain, or not one that may come back, is AwardUnknown as it is to the contract.
        """
        brand, award = RegistryId(item.brand), str(payload["award"])
        is_there, found = False, None
        with reading(self._engine) as connection:
            given, look = operations.get_counted(connection, brand, award), looking(connection)
            if given is not None and given.block_number is not None and given.state in OF_CHAIN:
                place, tx_hash = (given.block_number, given.log_index or 0, given.block_hash or ""), given.tx_hash or ""
                is_there = award_proofs.is_there(look, brand=brand, award=award, place=place)
                if is_there:
                    found = award_proofs.award_proof(look, brand=brand, award=award, place=place, tx_hash=tx_hash)
        if found is not None:
            self._doubtful.pop(item.id, None)
            return found
        is_refused = given is None or given.kind != AWARD or given.state in NOT_COMING
        if is_there or is_refused or self._lacked_too_long(item):
            self._refuse(item, "AwardUnknown", {"brandId": str(brand), "operationId": award})
        return None

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


def _tip(look: Look) -> tuple[tuple[int, str] | None, bool]:
    """The mirror's newest block, and whether it is live."""
    at = checkpoint(look)
    return (None, False) if at is None else ((at.block_number, at.block_hash), at.live)


def _busy(connection: Connection) -> list[Busy]:
    table, transaction = operations.table, transactions.table
    rows = connection.execute(
        select(table.c.ordering_key, table.c.kind, transaction.c.signer)
        .join(transaction, transaction.c.id == table.c.transaction_id)
        .where(table.c.state.in_((operations.ASSIGNED, operations.SENT)))
    )
    return [(ordering_key, kind, signer) for ordering_key, kind, signer in rows]
