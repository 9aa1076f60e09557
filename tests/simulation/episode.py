"""One episode: the schedule played against real workers, then quiet, then the judgement."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from chain.contracts.authorisation import Domains
from chain.mirror.models import Debt, MirrorCheckpoint
from chain.outbox import operations, transactions
from chain.storage.columns import table_of
from chain.storage.database import engine as make_engine
from chain.storage.database import reading
from tests.simulation import schedule as steps
from tests.simulation.asking import Asker
from tests.simulation.databases import Databases
from tests.simulation.judging.judge import judge
from tests.simulation.judging.tally import Tally
from tests.simulation.node.proxy import Proxy
from tests.simulation.node.troubles import TROUBLES
from tests.simulation.processes.workers import Workers, Zygote
from tests.simulation.schedule import Schedule
from tests.simulation.stage import PASSWORD, NodeBroke, Removed, Stage

QUIET_S_MAX: Final = 45.0
POLL_S: Final = 0.002
BLOCK_S: Final = 0.012
LOG_TAIL: Final = 3_000
WAITING_SHOWN_MAX: Final = 20
DONE: Final = (operations.CONFIRMED, operations.FAILED, operations.CANCELLED)
# How a difference begins that says only that the time was over.
NOT_SETTLED: Final = "not settled"


@dataclass
class Result:
    """What an episode showed: no differences, or the first ones and the workers' last words."""

    schedule: Schedule
    differences: list[str]
    tally: Tally
    seconds: float
    log: str = ""

    def told(self) -> str:
        """Everything to know about a failing one."""
        lines = [str(self.schedule), "", *(f"DIFFERENCE {one}" for one in self.differences)]
        return "\n".join([*lines, "", "the workers' last words:", self.log])


@dataclass
class Theatre:
    """What all episodes of one process share. `plant`: the defect put into the workers, if any."""

    stage: Stage
    proxy: Proxy
    zygote: Zygote
    databases: Databases
    folder: Path
    plant: str = ""
    quiet_s_max: float = QUIET_S_MAX

    def play(self, schedule: Schedule) -> Result:
        """One episode."""
        began = time.monotonic()
        folder = self.folder / f"episode-{schedule.seed}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        url = self.databases.fresh(schedule.database, folder)
        engine = make_engine(url)
        try:
            self.stage.reset()
            self.proxy.reset(schedule.seed)
            asker = Asker(self.stage, engine, schedule.seed, Domains(self.stage.rpc, self.stage.deployment.codec))
            workers = Workers(self.zygote, self.proxy, folder, self._settings(schedule, url))
            episode = Episode(self.stage, self.proxy, asker, workers, schedule, self.quiet_s_max)
            try:
                differences = episode.run(lambda: self.databases.empty(folder))
                if differences and not self.stage.sound():
                    raise NodeBroke
            except Exception as error:
                if not self.stage.sound():
                    raise NodeBroke from error
                raise
            finally:
                workers.kill()
            log = workers.log.read_text()[-LOG_TAIL:] if workers.log.exists() else ""
            return Result(schedule, differences, episode.told(differences), time.monotonic() - began, log)
        finally:
            engine.dispose()
            self.databases.forget(url)
            shutil.rmtree(folder, ignore_errors=True)

    def _settings(self, schedule: Schedule, url: str) -> dict[str, Any]:
        return {
            "plant": self.plant,
            "database_url": url,
            "rpc_url": self.proxy.url,
            "deployments": str(self.stage.deployments),
            "keystore": str(self.stage.keystore_path),
            "password": PASSWORD,
            "chain_id": self.stage.node.chain_id,
            "relayer": {
                "signers": schedule.signers,
                "batch_items_max": schedule.batch_items_max,
                "batch_delay_ms": schedule.batch_delay_ms,
                "receipt_grace_s": schedule.receipt_grace_s,
                "resend_after_s": 0.15,
                "replace_after_s": 0.4,
                "gap_after_s": 0.2,
                "refusal_patience_s": 1.0,
                "balance_every_s": 0.2,
                "breaker_pause_s": 0.03,
                "breaker_pause_s_max": 0.2,
                "replaced_after_s": 1.5,
                "look_s": 0.02,
                "retry_every_s": 0.05,
                "poll_s": 0.005,
            },
            "mirror": {
                "poll_s": 0.005,
                "subscribed_poll_s": 0.05,
                "range_blocks_max": schedule.range_blocks_max,
                "confirmed_depth": schedule.confirmed_depth,
                "behind_grace_s": 0.1,
            },
        }


@dataclass
class Episode:
    """Plays the steps in their order."""

    stage: Stage
    proxy: Proxy
    asker: Asker
    workers: Workers
    schedule: Schedule
    quiet_s_max: float = QUIET_S_MAX
    tally: Tally = field(default_factory=Tally)
    automine: bool = True
    switched: set[int] = field(default_factory=set)
    _mined_at: float = 0.0

    def run(self, rebuilt: Callable[[], str]) -> list[str]:
        """The differences, empty when all is well."""
        for step in self.schedule.steps:
            getattr(self, "_" + type(step).__name__.lower())(step)
        found = self._quiet()
        found += self.workers.surprises
        return found or judge(self.stage, self.asker, rebuilt())

    def told(self, differences: list[str]) -> Tally:
        """What happened, counted."""
        tally = self.tally
        tally.episodes[f"on {self.schedule.database}"] += 1
        tally.kills.update(self.workers.kills)
        tally.faults.update(self.proxy.faults.counts())
        tally.differences.update(["episodes with a difference"] if differences else [])
        with suppress(SQLAlchemyError), reading(self.asker.engine) as connection:
            debts = connection.execute(
                select(func.count()).select_from(table_of(Debt)).where(table_of(Debt).c.points != "0")
            )
            tally.events["a member's debt at the end"] += debts.scalar_one()
            table = operations.table
            for kind, state, error in connection.execute(select(table.c.kind, table.c.state, table.c.error)):
                tally.operations[f"{kind} {state}"] += 1
                if error:
                    tally.refusals[error] += 1
        for what, count in self.asker.given_back.items():
            tally.operations[f"return off a locked award: {what}"] += count
        if self.asker.skipped:
            tally.operations["unwind not asked: its exchange was not known yet"] += self.asker.skipped
        return tally

    # The steps

    def _ask(self, step: steps.Ask) -> None:
        self.asker.ask(step)
        if step.third_party:
            self.tally.events["operations that a stranger submitted first"] += len(step.third_party)

    def _start(self, step: steps.Start) -> None:
        alive = len(self.workers.alive())
        if alive:
            self.tally.events["a worker started beside another"] += 1
        if alive < 3:
            self.workers.start(step.place, step.count)

    def _stop(self, step: steps.Stop) -> None:
        self.workers.kill() if step.how == "SIGKILL" else self.workers.terminate()

    def _let(self, step: steps.Let) -> None:
        self._pass(step.ms_max / 1000, self.proxy.requests + step.requests)

    def _trouble(self, step: steps.Trouble) -> None:
        behaviour = TROUBLES[step.name]()
        fault = self.proxy.faults.add(behaviour, times=step.times, chance=step.chance)
        # Counted under the name of this list, which tells more kinds apart.
        fault.behaviour = type(behaviour)(step.name, behaviour.act, behaviour.methods, behaviour.when)

    def _clear(self, step: steps.Clear) -> None:
        self.proxy.faults.clear()

    def _reorg(self, step: steps.Reorg) -> None:
        off = not self.workers.alive()
        removed = self.stage.remove(step.depth)
        if not removed:
            self.stage.automine(self.automine)
            return
        self.proxy.remember(removed)
        self.tally.reorgs[step.kind + (", worker off" if off else "")] += 1
        self.tally.depths[f"{len(removed):2d}"] += 1
        self._come_instead(step.kind, removed)
        self._mine_again()

    def _mine_again(self) -> None:
        """As the schedule wants it; what came meanwhile does not wait for the next transaction."""
        self.stage.automine(self.automine)
        if self.automine and self.stage.waiting():
            self.stage.mine()

    def _come_instead(self, kind: str, removed: list[Removed]) -> None:
        stage, raws = self.stage, [raw for one in removed for raw in one.raws]
        if kind == "dropped":
            stage.mine(len(removed) + 1)
        elif kind in ("returned", "shuffled"):
            stage.mine()
            stage.offer(raws if kind == "returned" else raws[::-1])
            stage.mine(len(removed))
        elif kind == "merged":
            # All of it in one block, as a pool would after a reorg.
            stage.offer(raws)
            stage.mine()
        elif kind == "replaced":
            brand = 1 + len(removed) % 4
            operation_id = 2**100 + 64 * (self.schedule.seed % 2**32) + sum(self.tally.reorgs.values())
            item = (operation_id, 1, stage.world.cast.members[0], 100)
            data = stage.deployment.codec.calldata("RewardRules", "awardBatch", brand, [item])
            stage.send(stage.world.cast[f"issuer{brand}"], stage.deployment.address("RewardRules"), data)
            stage.mine(len(removed))

    def _mine(self, step: steps.Mine) -> None:
        self.stage.mine(step.blocks)

    def _automine(self, step: steps.Automine) -> None:
        self.automine = step.on
        self.stage.automine(step.on)
        self.tally.events[f"automine {'on' if step.on else 'off'}"] += 1

    def _jump(self, step: steps.Jump) -> None:
        self.stage.jump(step.seconds)
        self.tally.events["the chain's clock jumped"] += 1

    def _away(self, step: steps.Away) -> None:
        self.proxy.down()
        if step.lost:
            self.stage.rpc.call("anvil_dropAllTransactions")
            self.proxy.remember(self.stage.remove(step.lost))
            self._mine_again()
        self._pass(step.ms / 1000)
        self.proxy.up()
        self.tally.events["node restarted" + (", state lost" if step.lost else "")] += 1

    def _drop(self, step: steps.Drop) -> None:
        self.proxy.drop()
        self.tally.events["all connections dropped"] += 1

    def _steal(self, step: steps.Steal) -> None:
        self.stage.steal(step.signer)
        self.tally.events["a nonce used by a stranger"] += 1

    def _switch(self, step: steps.Switch) -> None:
        cast, deployment = self.stage.world.cast, self.stage.deployment
        name = "stop" if step.stopped else "resume"
        by = cast[f"guardian{step.brand}"] if step.stopped else cast[f"owner{step.brand}"]
        data = deployment.codec.calldata("PartnerRegistry", name, step.brand)
        self.stage.send(by, deployment.address("PartnerRegistry"), data)
        self.tally.events[f"a brand's {name}"] += 1

    def _clearing(self, step: steps.Clearing) -> None:
        stage = self.stage
        period = stage.world.chain.read("ClearingHouse", "nextPeriod")
        data = stage.deployment.codec.calldata("ClearingHouse", "net", period, [1, 2, 3, 4])
        stage.send(stage.world.cast["operator"], stage.deployment.address("ClearingHouse"), data)
        self.tally.events["obligations netted"] += 1

    # Time

    def _pass(self, seconds: float, requests: int | None = None) -> None:
        """Lets real time pass; mines what waits when the node does not by itself."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and (requests is None or self.proxy.requests < requests):
            self._tick()
            time.sleep(POLL_S)

    def _tick(self) -> None:
        if not self.automine and time.monotonic() - self._mined_at > BLOCK_S and self.stage.waiting():
            self.stage.mine()
            self._mined_at = time.monotonic()

    def _quiet(self) -> list[str]:
        """An honest line, one worker, and time until everything is decided; then a clean end."""
        self.proxy.faults.clear()
        self.proxy.watch = lambda place, number: None
        self.proxy.up()
        if not self.workers.alive():
            self.workers.start()
        until = time.monotonic() + self.quiet_s_max
        while missing := self._open() or self._open_at_the_end():
            if time.monotonic() > until:
                if not self.stage.sound():
                    raise NodeBroke
                return [f"{NOT_SETTLED} after {self.quiet_s_max:g} s: {missing}", *self._waiting()]
            if not self.workers.alive():
                # The one before still had a place to die at, or ended with something left.
                self.workers.start()
            if f"operations {operations.LOCKED}" in missing:
                self._unlock()
            if "mirror" not in missing and "operations mined" in missing and not self.stage.waiting():
                # What is mined is confirmed only some blocks later.
                self.stage.mine()
            self._pass(0.03)
        return []

    def _unlock(self) -> None:
        """The chain's clock goes on to the second of the award that is locked longest."""
        table = operations.table
        with reading(self.asker.engine) as connection:
            query = select(func.max(table.c.due_at_ms)).where(table.c.state == operations.LOCKED)
            last_ms = connection.execute(query).scalar_one()
        left = 0 if last_ms is None else last_ms // 1000 + 1 - int(self.stage.head()["timestamp"], 16)
        if left > 0:
            self.stage.jump(left)

    def _open_at_the_end(self) -> dict[str, Any]:
        """What came up while the workers ended."""
        self.workers.terminate()
        return self._open()

    def _waiting(self) -> list[str]:
        """What is not decided yet, row by row."""
        rpc, told = self.stage.rpc, []
        with reading(self.asker.engine) as connection:
            rows = connection.execute(select(transactions.table)).all()
            for row in (one for one in rows if one.state in transactions.OPEN):
                hashes = [tx_hash for tx_hash, _ in transactions.hashes_of(connection, [row.id])[row.id]]
                mined = [rpc.call("eth_getTransactionReceipt", one) is not None for one in hashes]
                told.append(f"transaction {row.id} {row.kind}, nonce {row.nonce}: {row.state}, on the chain {mined}")
            for row in connection.execute(select(operations.table)).all():
                if row.state not in DONE:
                    name = f"operation {row.id} {row.kind} {row.brand} {row.operation_id or ''}"
                    told.append(f"{name}: {row.state}, transaction {row.transaction_id}")
        counts = [rpc.call("eth_getTransactionCount", address, "latest") for address in self.stage.signers]
        pool = rpc.call("txpool_status")
        return [*told[:WAITING_SHOWN_MAX], f"the signers' counts {counts}, pool {pool}, {self.stage.height} blocks"]

    def _open(self) -> dict[str, Any]:
        """What is not decided yet."""
        point = table_of(MirrorCheckpoint)
        with reading(self.asker.engine) as connection:
            states = Counter(connection.execute(select(operations.table.c.state)).scalars())
            open_ = Counter(connection.execute(select(transactions.table.c.state)).scalars())
            tip = connection.execute(select(point.c.block_hash, point.c.state)).one_or_none()
        found: dict[str, Any] = {f"operations {state}": count for state, count in states.items() if state not in DONE}
        found |= {f"transactions {state}": count for state, count in open_.items() if state in transactions.OPEN}
        if tip is None or tuple(tip) != (self.stage.head()["hash"], "live"):
            found["mirror"] = None if tip is None else tuple(tip)
        if not found and self.stage.waiting():
            found["node"] = "transactions wait in the pool"
        if not found and (gone := self._gone()):
            found["said to be in blocks that are gone"] = gone
        return found

    def _gone(self) -> list[str]:
        """Operations and transactions whose block the chain does not have; each is looked at again in its turn."""
        places: dict[tuple[int, str], list[str]] = {}
        with reading(self.asker.engine) as connection:
            for table in (operations.table, transactions.table):
                columns = table.c.id, table.c.state, table.c.kind, table.c.block_number, table.c.block_hash
                for id, state, kind, number, block_hash in connection.execute(
                    select(*columns).where(table.c.block_hash.is_not(None))
                ):
                    places.setdefault((number, block_hash), []).append(f"{table.name} {id} ({kind}, {state}, {number})")
        blocks = self.stage.rpc.batch([("eth_getBlockByNumber", [hex(number), False]) for number, _ in places])
        return [
            name
            for ((_, block_hash), names), block in zip(places.items(), blocks, strict=True)
            if block is None or block["hash"] != block_hash
            for name in names
        ]
