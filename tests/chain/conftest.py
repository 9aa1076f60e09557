"""A chain with Moa on it, and for each test its own database and its own stretch of that chain."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlmodel import SQLModel

import chain.tables
from chain.base.errors import AnswerInconsistent, ChainError, NodeUnavailable, RpcError
from chain.contracts import authorisation
from chain.contracts.authorisation import Domains
from chain.contracts.deployment import Deployment
from chain.devnet.supervisor import Node
from chain.mirror.brands import RegisteredBrand, registered
from chain.mirror.loop import Mirror
from chain.mirror.settings import MirrorSettings
from chain.node.rpc import Rpc
from chain.outbox import calls, operations
from chain.outbox.operations import NewOperation, OperationView
from chain.relayer.loop import Relayer, RelayerSettings
from chain.storage.database import engine as make_engine
from chain.storage.database import reading, writing
from chain.storage.keystore import LocalKeystore
from scripts.stack.brand_names import of_chain
from scripts.stack.local_stack import free_port
from tests.chain.guard import guard
from tests.support.databases import Postgres
from tests.support.deployed import Chain, deployed

# The plan's first brand, by the registry's id.
CDNOW = 1
DRAIN_TIMEOUT_S = 60.0
STEPS_IN_VAIN_MAX = 20
# Nothing waits in tests: batches go at once and receipts are asked for at once.
RELAYER = RelayerSettings(batch_delay_ms=0, receipt_grace_s=0.0, resend_after_s=0.2, poll_s=0.005)
MIRROR = MirrorSettings(poll_s=0.01, behind_grace_s=0.0)


@dataclass
class OnChain:
    """One test's world: a deployed chain and an empty database."""

    node: Node
    deployment: Deployment
    keystore: LocalKeystore
    engine: Engine
    rpc: Rpc
    folder: Path
    keystore_path: Path
    deployments: Path
    _mirror: Mirror | None = None
    _relayer: Relayer | None = None
    _number: int = field(default=0)
    _rpcs: list[Rpc] = field(default_factory=list)

    @cached_property
    def brands(self) -> dict[str, RegisteredBrand]:
        """By the names that the plan gives them, from the chain."""
        there = {brand.id: brand for brand in registered(self.rpc, self.deployment)}
        return {one.slug: there[one.id] for one in of_chain(self.rpc, self.deployment)}

    @property
    def relayer(self) -> Relayer:
        if self._relayer is None:
            self._relayer = self.new_relayer()
        return self._relayer

    @property
    def mirror(self) -> Mirror:
        if self._mirror is None:
            self._mirror = self.new_mirror()
        return self._mirror

    def new_rpc(self) -> Rpc:
        self._rpcs.append(Rpc(self.node.url, timeout_s=30.0, decode_revert=self.deployment.codec.revert))
        return self._rpcs[-1]

    def close(self) -> None:
        for rpc in (self.rpc, *self._rpcs):
            rpc.close()

    def new_relayer(self, **changes: Any) -> Relayer:
        settings = RelayerSettings(**{**RELAYER.__dict__, **changes})
        return Relayer(self.engine, self.new_rpc(), self.deployment, self.keystore, settings)

    def new_mirror(self, **changes: Any) -> Mirror:
        settings = MirrorSettings(**{**MIRROR.__dict__, **changes})
        return Mirror(self.engine, self.new_rpc(), self.deployment, settings)

    def restart(self) -> None:
        """Forgets everything that was only in memory, as a new process would."""
        self._relayer = self._mirror = None

    def member(self, name: str = "ada") -> str:
        return self.keystore.address_of(f"member/{name}")

    def enqueue(self, *asked: NewOperation) -> list[int]:
        with writing(self.engine) as connection:
            return operations.enqueue_many(connection, asked)

    def award(self, member: str = "ada", base_amount: int = 1000, brand: str = "cdnow", **values: Any) -> NewOperation:
        self._number += 1
        rule = values.pop("rule", self.brands[brand].rules["purchase"])
        key = values.pop("key", f"award {self._number}")
        return calls.award(
            key=key, brand=self.brands[brand].id, member=self.member(member), rule=rule, base_amount=base_amount
        )

    def hold(self, member: str, points: int, brand: str = "cdnow", **values: Any) -> tuple[NewOperation, str]:
        """A signed hold and its id."""
        self._number += 1
        nonce, now = authorisation.fresh_nonce(), int(time.time())
        request = {
            "member": self.member(member),
            "brandId": self.brands[brand].id,
            "points": points,
            "rewardId": "0x" + "11" * 32,
            "holdUntil": now + values.pop("hold_s", 3600),
            "nonce": nonce,
            "deadline": now + 1800,
        }
        signer = values.pop("signed_by", member)
        domain = Domains(self.rpc, self.deployment.codec).of(
            "RedemptionDesk", self.deployment.address("RedemptionDesk")
        )
        signature = self.keystore.sign(f"member/{signer}", authorisation.digest(domain, "Hold", request))
        asked = calls.hold(
            key=f"hold {self._number}",
            brand=request["brandId"],
            member=self.member(member),
            points=points,
            reward_id=request["rewardId"],
            hold_until=request["holdUntil"],
            nonce=nonce,
            deadline=request["deadline"],
            signature="0x" + signature.hex(),
        )
        return asked, authorisation.record_id(self.member(member), nonce)

    def exchange(self, member: str, points_in: int, minimum_out: int = 1) -> NewOperation:
        """A signed exchange from cdnow to hanok (agreement 1)."""
        self._number += 1
        quote = {
            "member": self.member(member),
            "agreementId": 1,
            "version": 1,
            "pointsIn": points_in,
            "minimumOut": minimum_out,
            "nonce": authorisation.fresh_nonce(),
            "deadline": int(time.time()) + 1800,
        }
        address = self.deployment.address("PartnerExchange")
        domain = Domains(self.rpc, self.deployment.codec).of("PartnerExchange", address)
        signature = self.keystore.sign(f"member/{member}", authorisation.digest(domain, "Exchange", quote))
        return calls.exchange(
            key=f"exchange {self._number}",
            brand=self.brands["cdnow"].id,
            member=self.member(member),
            agreement_id=1,
            version=1,
            points_in=points_in,
            minimum_out=minimum_out,
            nonce=quote["nonce"],
            deadline=quote["deadline"],
            signature="0x" + signature.hex(),
        )

    def drain(self, *, mirrored: bool = True, timeout_s: float = DRAIN_TIMEOUT_S) -> None:
        """Steps relayer and mirror in turns until every operation is finished."""
        until = time.monotonic() + timeout_s
        while True:
            self.relayer.step()
            if mirrored:
                while self._mirrored():
                    pass
            decided = (
                "('confirmed', 'failed', 'waiting', 'cancelled')"
                if mirrored
                else "('mined', 'confirmed', 'failed', 'waiting', 'cancelled')"
            )
            open_ = self.count("operation", f"state NOT IN {decided}")
            open_ += self.count("chain_transaction", "state IN ('assigned', 'signed', 'sent')")
            if open_ == 0:
                return
            assert time.monotonic() < until, self.rows("SELECT id, kind, state, error FROM operation")[:20]
            time.sleep(0.005)

    def _mirrored(self) -> bool:
        """A step; a node that cannot answer at the moment is asked again, as the mirror's loop does."""
        for _ in range(STEPS_IN_VAIN_MAX):
            try:
                return self.mirror.step()
            except (NodeUnavailable, RpcError, AnswerInconsistent):
                time.sleep(0.05)
        return self.mirror.step()

    def operation(self, id: int) -> OperationView:
        with reading(self.engine) as connection:
            found = operations.get(connection, id)
        assert found is not None
        return found

    def rows(self, query: str, **values: Any) -> list[Any]:
        with reading(self.engine) as connection:
            return list(connection.execute(text(query), values))

    def count(self, table: str, where: str = "1 = 1") -> int:
        return int(self.rows(f"SELECT count(*) FROM {table} WHERE {where}")[0][0])

    def balance_on_chain(self, member: str, brand: str = "cdnow") -> int:
        data = self.deployment.codec.calldata("LoyaltyToken", "balanceOf", self.member(member))
        to = self.brands[brand].token
        return int(self.rpc.call("eth_call", {"to": to, "data": "0x" + data.hex()}, "latest"), 16)

    def balance_in_mirror(self, member: str, brand: str = "cdnow") -> int:
        found = self.rows(
            "SELECT points FROM balance WHERE token = :token AND account = :account",
            token=self.brands[brand].token,
            account=self.member(member),
        )
        return int(found[0][0]) if found else 0

    def awarded_on_chain(self) -> list[str]:
        """Operation ids that counted on the chain, once for each Awarded event."""
        topic = next(shape.topic for shape in self.deployment.codec.events.values() if shape.name == "Awarded")
        rules = self.deployment.address("RewardRules")
        wanted = {"address": rules, "topics": [topic], "fromBlock": "0x0", "toBlock": "latest"}
        logs = self.rpc.call("eth_getLogs", wanted)
        return [str(int(log["topics"][2], 16)) for log in logs]

    def snapshot(self) -> str:
        return str(self.rpc.call("evm_snapshot"))

    def revert(self, snapshot: str) -> None:
        assert self.rpc.call("evm_revert", snapshot) is True

    def mine(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self.rpc.call("evm_mine")


@pytest.fixture(scope="session")
def ganache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    with deployed("ganache", tmp_path_factory.mktemp("ganache")) as chain:
        yield chain


@pytest.fixture
def own_ganache(tmp_path: Path) -> Iterator[Chain]:
    """A node of the test's own, deployed already, that keeps its port when it is killed and started again."""
    with deployed("ganache", tmp_path, port=free_port()) as chain:
        yield chain


@pytest.fixture(scope="session")
def anvil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    with deployed("anvil", tmp_path_factory.mktemp("anvil")) as chain:
        yield chain


@pytest.fixture
def postgresql(postgres_server: Postgres) -> Iterator[str]:
    """The address of a PostgreSQL database with the chain's tables and their guard."""
    url = postgres_server.copy("chain", lambda made: _with_tables(make_engine(made)).dispose())
    yield url
    postgres_server.drop(url)


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'moa.db'}"


@pytest.fixture(scope="session")
def sqlite_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of SQLite with the chain's tables and their guard, to copy."""
    file = tmp_path_factory.mktemp("sqlite") / "moa.db"
    _with_tables(make_engine(f"sqlite:///{file}")).dispose()
    return file


@pytest.fixture
def engine(database_url: str, sqlite_tables: Path) -> Iterator[Engine]:
    if database_url.startswith("sqlite:///"):
        shutil.copyfile(sqlite_tables, database_url.removeprefix("sqlite:///"))
    made = make_engine(database_url)
    yield made
    made.dispose()


def _with_tables(engine: Engine) -> Engine:
    with writing(engine) as connection:
        SQLModel.metadata.create_all(connection)
        guard(connection)
    return engine


@pytest.fixture
def chain(ganache: Chain) -> Chain:
    return ganache


@pytest.fixture
def world(chain: Chain, engine: Engine, tmp_path: Path) -> Iterator[OnChain]:
    """Everything a test mines is gone after it: the chain goes back to where the test began."""
    if not chain.node.alive():
        chain.node.start()
    rpc = Rpc(chain.node.url, timeout_s=30.0)
    snapshot = rpc.call("evm_snapshot")
    deployment = Deployment.load(chain.deployments, chain.node.chain_id)
    made = OnChain(
        chain.node, deployment, chain.keystore, engine, rpc, tmp_path, chain.keystore_path, chain.deployments
    )
    yield made
    with suppress(ChainError):
        rpc.call("evm_revert", snapshot)
    made.close()


@pytest.fixture
def loops(world: OnChain) -> Iterator[Callable[[], threading.Event]]:
    """Starts relayer and mirror in threads; ends them after the test, and fails it when one of them failed."""
    stop = threading.Event()
    with ThreadPoolExecutor() as pool:
        running: list[Future[None]] = []

        def start() -> threading.Event:
            running.extend(pool.submit(work.run, stop) for work in (world.new_relayer(), world.new_mirror()))
            return stop

        yield start
        stop.set()
        for one in running:
            one.result(30)


def until(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Returns when the condition holds; fails the test when it does not in time."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., None]:
    return until
