"""A gateway on a fresh SQLite database with two brands; no node, so operations stay queued.

What needs the chain is in tests/end_to_end. The mirror's rows are written here as the mirror would write them.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from starlette.testclient import TestClient

from api import migrate
from api.app import create_app, openapi
from api.kit.clock import now_ms
from api.kit.container import Node, State
from api.kit.database import Database
from api.kit.problems import methods_at
from api.kit.settings import Settings
from api.members import service as identity
from api.server import Server, configured
from chain.base.patience import Patience
from chain.contracts.authorisation import Domain
from chain.contracts.codec import Codec
from chain.contracts.deployment import Contract, Deployment
from chain.storage.keystore import LocalKeystore
from tests.support.callers import Caller as Caller
from tests.support.databases import Postgres

TOKENS = {"cdnow": "0x" + "c1" * 20, "beans": "0x" + "be" * 20}
DESK = "0x" + "de" * 20
NDJSON = {"Content-Type": "application/x-ndjson"}
EPOCH_S = 86_400
# After this long the server cuts off what did not end by itself.
GRACE_S = 15


# 3 points for 2 cents, rounded down.
TERMS = (
    '{"activity": "0x7075726368617365", "kind": 0, "rounding": 0, "numerator": "3", "denominator": "2",'
    ' "capPerAward": "0", "returnWindow": "2592000", "shortfall": 1}'
)


def invited(database: Database) -> None:
    """The mirror has both brands and a rule for purchases of each, as their invitations and publications made them."""
    with database.write() as session:
        for number, (slug, token) in enumerate(TOKENS.items(), 1):
            session.execute(
                text(
                    "INSERT INTO brand_token (token, brand_id, name, symbol, decimals, origin, epoch_s,"
                    " lifetime_epochs, grace_s, since_block) VALUES (:t, :b, :n, :s, 2, 0, :e, 0, 0, 1)"
                ),
                {"t": token, "b": str(number), "n": slug.title(), "s": slug.upper(), "e": EPOCH_S},
            )
            session.execute(
                text(
                    "INSERT INTO rule (brand_id, rule_id, version, in_force_at, withdrawn, terms)"
                    " VALUES (:b, '1', 1, 1, false, :t)"
                ),
                {"b": str(number), "t": TERMS},
            )


def deployment() -> Deployment:
    names = ("RewardRules", "RedemptionDesk", "PartnerExchange", "SettlementToken")
    return Deployment(
        chain_id=1337,
        start_block=0,
        genesis_hash="0x" + "00" * 32,
        contracts={name: Contract(name, DESK, "0x" + "00" * 32) for name in names},
        codec=Codec.load(),
    )


@dataclass
class World:
    """The gateway, its database and everyone who calls it."""

    app: FastAPI
    client: TestClient
    database: Database
    settings: Settings
    operator: Caller
    brand: Caller
    other: Caller
    anyone: Caller

    def member(self, identifier: str = "m-1", brand: Caller | None = None) -> dict[str, Any]:
        """Enrols a member with the brand."""
        answer = (brand or self.brand).write("/v1/members", {"identifier": identifier})
        assert answer.status_code == 201, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def session(self, member: dict[str, Any]) -> Caller:
        """A caller who is the member."""
        answer = self.operator.write(f"/v1/members/{member['id']}/sessions")
        assert answer.status_code == 201, answer.text
        return Caller(self.client, answer.json()["token"], member["id"])

    def auditor(self) -> Caller:
        """A caller who is an auditor."""
        answer = self.operator.write("/v1/auditors/keys", key="auditor")
        if answer.json()["key"] is None:
            answer = self.operator.write("/v1/auditors/keys")
        assert answer.status_code == 201, answer.text
        return Caller(self.client, answer.json()["key"], "auditor")

    def run(self, sql: str, **values: Any) -> None:
        with self.database.write() as session:
            session.execute(text(sql), values)

    def rows(self, sql: str, **values: Any) -> list[Any]:
        with self.database.engine.connect() as connection:
            return list(connection.execute(text(sql), values))

    def everything(self) -> dict[str, int]:
        """Rows of each table that a refused write must leave as they are."""
        tables = (
            "brand member enrolment api_key member_session idempotent_write idempotent_batch event award goods_return"
            " operation"
            " hold_request hold_step exchange_request correction operation_counter"
        )
        return {table: self.rows(f"SELECT COUNT(*) FROM {table}")[0][0] for table in tables.split()}

    def mirror(self, block_number: int = 7, *, generation: str = "0") -> None:
        """The mirror is live at this block."""
        hash_ = f"0x{block_number:064x}"
        self.run("DELETE FROM mirror_checkpoint")
        self.run(
            "INSERT INTO mirror_checkpoint (id, genesis_hash, start_block, block_number, block_hash, block_time,"
            " head_number, safe_number, final_number, generation, state, updated_at_ms)"
            " VALUES (1, '0x00', 0, :n, :h, :t, :n, :s, :f, :g, 'live', :at)",
            n=block_number,
            h=hash_,
            t=now_ms() // 1000,
            s=block_number - 1,
            f=block_number - 3,
            g=generation,
            at=now_ms(),
        )

    def holds_points(self, address: str, points: int, brand: str = "cdnow") -> None:
        """The mirror has this balance: one lot that never expires."""
        token = TOKENS[brand]
        self.run("DELETE FROM balance WHERE token = :t AND account = :a", t=token, a=address.lower())
        self.run(
            "INSERT INTO balance (token, account, lots, points, block_number, log_index) VALUES (:t, :a, :l, :p, 7, 0)",
            t=token,
            a=address.lower(),
            l=f"{points << 48:064x}" + "0" * 192,
            p=str(points),
        )

    def entry(self, address: str, points: int, *, brand: str = "cdnow", block_number: int = 7, index: int = 0) -> None:
        """The mirror wrote an award."""
        self.run(
            "INSERT INTO entry (token, account, kind, points, held, tx_hash, block_number, block_hash, block_time,"
            " log_index, contract, brand_id, operation_id, detail)"
            " VALUES (:t, :a, 'award', :p, '0', :x, :n, :h, :at, :i, '0x' || :e, '1', NULL, :d)",
            t=TOKENS[brand],
            a=address.lower(),
            p=str(points),
            x="0x" + "aa" * 32,
            n=block_number,
            h=f"0x{block_number:064x}",
            at=now_ms() // 1000,
            i=index,
            e="de" * 20,
            d='{"rule": "1", "version": "1", "base_amount": "2933"}',
        )

    def agreement(self) -> None:
        """The mirror has an agreement from the first brand to the second: 3 for 2."""
        versions = (
            '[{"version": 1, "terms": {"numerator": "3", "denominator": "2", "feeBps": "0"},'
            ' "in_force_at": 1, "withdrawn": false}]'
        )
        self.run(
            "INSERT INTO agreement (agreement_id, from_brand_id, to_brand_id, state, proposed_by, versions)"
            " VALUES ('1', '1', '2', 'agreed', '1', :v)",
            v=versions,
        )

    def rule(self) -> None:
        """The mirror has the first brand's rule: 3 points for 2 cents, rounded down."""
        self.run("UPDATE rule SET terms = :t WHERE brand_id = '1'", t=TERMS)

    def settles(self, values: str) -> None:
        """From here on every operation is written with these values, as if the chain room were that quick."""
        if self.database.engine.dialect.name == "sqlite":
            self.run(
                f"CREATE TRIGGER settle AFTER INSERT ON operation BEGIN"
                f" UPDATE operation SET {values} WHERE id = NEW.id; END"
            )
            return
        self.run(
            f"CREATE FUNCTION settle() RETURNS trigger AS $$ BEGIN"
            f" UPDATE operation SET {values} WHERE id = NEW.id; RETURN NEW; END $$ LANGUAGE plpgsql"
        )
        self.run("CREATE TRIGGER settle AFTER INSERT ON operation FOR EACH ROW EXECUTE FUNCTION settle()")

    def finish(self, kind: str, state: str, error: str | None = None) -> None:
        """The chain room settled every operation of a kind."""
        self.run(
            "UPDATE operation SET state = :s, error = :e, error_args = :g WHERE kind = :k",
            s=state,
            e=error,
            g=None if error is None else "{}",
            k=kind,
        )


def purchase(number: int = 1, *, member: str = "m-1", amount: Any = "2933", **more: Any) -> dict[str, Any]:
    return {
        "id": f"order-{number}",
        "member": {"identifier": member},
        "amount": amount,
        "currency": "USD",
        "occurred_at": "1997-01-01T00:00:00Z",
        **more,
    }


def settings_in(folder: Path, url: str | None = None) -> Settings:
    return Settings(
        database_url=url or f"sqlite:///{folder}/moa.db",
        rpc_url="http://127.0.0.1:9",
        chain_id=1337,
        deployments=folder,
        keystore_path=folder / "keystore.json",
        keystore_password="",
        wallet_dist=folder / "dist",
    )


def state_without_node(settings: Settings) -> State:
    """What open_state gives, with a keystore of a known seed and the domains that a node would tell."""
    where = deployment()
    domains = {name: Domain(name, "1", 1337, DESK) for name in where.contracts}
    domains |= {token: Domain("LoyaltyToken", "1", 1337, token) for token in TOKENS.values()}
    return State(
        settings=settings,
        database=Database(settings.database_url),
        keystore=LocalKeystore(b"\x07" * 32),
        deployment=where,
        node=Node(where, settings.rpc_url, 0.5, domains=domains),
    )


@contextmanager
def served(world: World) -> Iterator[tuple[str, Server]]:
    """The world's application on a port of its own."""
    world.client.__exit__(None, None, None)
    server = configured(replace(world.settings, port=0, shutdown_grace=timedelta(seconds=GRACE_S)), world.app)
    thread = threading.Thread(target=server.run)
    thread.start()
    patience = Patience([os.getpid()])
    while not server.started:
        assert thread.is_alive(), "the server ended before it began to serve"
        patience.look()
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}", server
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()
        world.client.__enter__()


PATHS: dict[str, Any] = openapi()["paths"]


def documented(answer: Any) -> None:
    """Fails when an answer's status, or its error, is not one that the document gives its operation (SPEC 9.49)."""
    path, method = answer.request.url.path, answer.request.method.lower()
    # Of two templates that fit, the one with fewer parts left open is the route.
    for template, methods in sorted(PATHS.items(), key=lambda item: item[0].count("{")):
        if method in methods and methods_at({"paths": {template: methods}}, path):
            told = methods[method]["responses"]
            status = str(answer.status_code)
            assert status in told, f"{method} {template} answered {status}, the document has {list(told)}"
            if answer.headers.get("content-type") == "application/problem+json" and status != "409":
                answer.read()
                errors = told[status]["content"]["application/problem+json"]["examples"]
                assert answer.json()["error"] in errors, f"{method} {template}: {answer.json()} of {list(errors)}"
            return


@dataclass(frozen=True)
class Prepared:
    """A database with its brands and keys, to copy for each test."""

    file: Path
    operator_key: str
    brand_keys: dict[str, str]

    def fresh(self, folder: Path) -> str:
        """The address of a copy in this folder."""
        (folder / "moa.db").write_bytes(self.file.read_bytes())
        return settings_in(folder).database_url

    def drop(self, url: str) -> None:
        """Files go with their folder."""


@dataclass(frozen=True)
class PreparedPostgres:
    """The same as a template of the run's server."""

    server: Postgres
    operator_key: str
    brand_keys: dict[str, str]

    def fresh(self, folder: Path) -> str:
        """The address of a copy."""
        return self.server.copy("gateway", migrate.run)

    def drop(self, url: str) -> None:
        self.server.drop(url)


KINDS = ["sqlite", pytest.param("postgres", marks=pytest.mark.slow)]


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/moa.db"
        return
    server: Postgres = request.getfixturevalue("postgres_server")
    made = server.empty()
    yield made
    server.drop(made)


@pytest.fixture(params=KINDS)
def migrated(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of each kind with the newest schema."""
    if request.param == "sqlite":
        made = f"sqlite:///{tmp_path}/moa.db"
        migrate.run(made)
        yield made
        return
    server: Postgres = request.getfixturevalue("postgres_server")
    made = server.copy("migrated", migrate.run)
    yield made
    server.drop(made)


@pytest.fixture(scope="module")
def kind() -> str:
    """The database of a module's gateways; one that wants both says `from tests.api.conftest import both as kind`."""
    return "sqlite"


@pytest.fixture(scope="module", params=KINDS)
def both(request: pytest.FixtureRequest) -> str:
    """Each kind of database."""
    found: str = request.param
    return found


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Made as production makes it: by running the migrations and the bootstrap."""
    folder = tmp_path_factory.mktemp("prepared")
    url = settings_in(folder).database_url
    migrate.run(url)
    return Prepared(folder / "moa.db", *bootstrapped(url))


@pytest.fixture(scope="session")
def prepared_postgres(postgres_server: Postgres) -> PreparedPostgres:
    """The same in PostgreSQL."""
    keys: list[tuple[str, dict[str, str]]] = []

    def make(url: str) -> None:
        migrate.run(url)
        keys.append(bootstrapped(url))

    postgres_server.drop(postgres_server.copy("gateway", make))
    return PreparedPostgres(postgres_server, *keys[0])


def bootstrapped(url: str) -> tuple[str, dict[str, str]]:
    """The operator's key and the brands'."""
    database = Database(url)
    invited(database)
    made = identity.bootstrap(database, brand_keys=True)
    database.close()
    return made.operator_key or "", {slug: key or "" for slug, key in made.brand_keys.items()}


@contextmanager
def gateway(settings: Settings, operator_key: str, brand_keys: Mapping[str, str]) -> Iterator[World]:
    """A gateway on a database in which these keys are; every answer is held against the document."""
    app = create_app(settings, opened=state_without_node)
    database = Database(settings.database_url)
    with closing(database), TestClient(app, raise_server_exceptions=False) as client:
        client.event_hooks = {"response": [documented]}
        yield World(
            app=app,
            client=client,
            database=database,
            settings=settings,
            operator=Caller(client, operator_key, "operator"),
            brand=Caller(client, brand_keys["cdnow"], "cdnow"),
            other=Caller(client, brand_keys["beans"], "beans"),
            anyone=Caller(client, "", "anyone"),
        )


def new_gateway(settings: Settings) -> AbstractContextManager[World]:
    """A gateway on a database that has its tables and nothing in them: brands and keys are made."""
    return gateway(settings, *bootstrapped(settings.database_url))


class Worlds:
    """Makes gateways in one folder; all end together."""

    def __init__(self, folder: Path, prepared: Prepared | PreparedPostgres) -> None:
        self._folder = folder
        self._prepared = prepared
        self._opened = ExitStack()
        self._urls: list[str] = []

    def __call__(self, *, fresh: bool = True, **changes: Any) -> World:
        if fresh:
            self._urls.append(self._prepared.fresh(self._folder))
        settings = replace(settings_in(self._folder, self._urls[-1]), **changes)
        prepared = self._prepared
        return self._opened.enter_context(gateway(settings, prepared.operator_key, prepared.brand_keys))

    def end(self) -> None:
        self._opened.close()
        for url in self._urls:
            self._prepared.drop(url)


@pytest.fixture
def make_world(tmp_path: Path, kind: str, request: pytest.FixtureRequest) -> Iterator[Worlds]:
    worlds = Worlds(tmp_path, request.getfixturevalue("prepared" if kind == "sqlite" else "prepared_postgres"))
    yield worlds
    worlds.end()


@pytest.fixture
def world(make_world: Worlds) -> World:
    return make_world()


@pytest.fixture(scope="module")
def shared_world(
    tmp_path_factory: pytest.TempPathFactory, kind: str, request: pytest.FixtureRequest
) -> Iterator[World]:
    """One gateway for a module whose tests change nothing."""
    prepared = request.getfixturevalue("prepared" if kind == "sqlite" else "prepared_postgres")
    worlds = Worlds(tmp_path_factory.mktemp("shared"), prepared)
    yield worlds()
    worlds.end()
