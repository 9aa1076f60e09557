"""The reports over HTTP, asked by everyone: the brand, another brand, an auditor, a member, nobody."""

from __future__ import annotations

import hashlib
import io
import itertools
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from api import migrate
from api.app import create_app
from api.audit_log.keys import log_signers
from api.kit.container import Node, State
from api.kit.database import Database
from api.kit.settings import Settings
from api.members import service as identity
from chain.contracts.deployment import Deployment
from chain.mirror import history
from chain.mirror.loop import Mirror
from chain.mirror.settings import MirrorSettings
from chain.node.rpc import Rpc
from chain.reports import bundle
from chain.storage.database import engine as make_engine
from chain.storage.database import snapshot, writing
from chain.storage.keystore import LocalKeystore
from tests.differential.world import TwoSides
from tests.reports.conftest import database

pytestmark = pytest.mark.slow
SLUGS = ("cafe", "mart")
MEMBER = f"mem_{7:032x}"
PLACES = ("", "?block=120", "?at=2030-01-02T00:00:00Z")


@dataclass(frozen=True)
class Gateway:
    """A gateway over the walk's mirror, and a key of everyone."""

    client: TestClient
    url: str
    rpc: Rpc
    deployment: Deployment
    member: str
    address: str
    keys: dict[str, str]

    def get(self, path: str, who: str = "") -> Any:
        headers = {"Authorization": f"Bearer {self.keys[who]}"} if who else {}
        return self.client.get(path, headers=headers)

    def told(self, path: str, who: str) -> Any:
        answer = self.get(path, who)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="module", params=["SQLite", "PostgreSQL"])
def gateway(
    request: pytest.FixtureRequest,
    walk_on_anvil: tuple[TwoSides, Rpc, Deployment],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Gateway]:
    world, rpc, deployment = walk_on_anvil
    folder = tmp_path_factory.mktemp("gateway")
    with database(folder, request.param) as url:
        migrate.run(url)
        engine = make_engine(url)
        Mirror(engine, rpc, deployment, MirrorSettings()).catch_up(timeout_s=120)
        engine.dispose()
        yield from opened(folder, url, rpc, deployment, world.cast.members[0])


def opened(folder: Path, url: str, rpc: Rpc, deployment: Deployment, address: str) -> Iterator[Gateway]:
    settings = Settings(
        database_url=url,
        rpc_url="http://127.0.0.1:9",
        chain_id=deployment.chain_id,
        deployments=folder,
        keystore_path=folder / "keystore.json",
        keystore_password="",
        wallet_dist=folder / "dist",
    )
    store = Database(url)
    made = identity.bootstrap(store, brand_keys=True)
    store.close()
    member = MEMBER
    with writing(make_engine(url)) as connection:
        connection.execute(
            text("INSERT INTO member (id, address, created_at_ms) VALUES (:i, :a, 1)"), {"i": member, "a": address}
        )
        connection.execute(
            text("INSERT INTO enrolment (brand, identifier, member_id, created_at_ms) VALUES ('cafe', 'w', :i, 1)"),
            {"i": member},
        )

    def state(found: Settings) -> State:
        node = Node(deployment, found.rpc_url, 0.5, domains={})
        return State(found, Database(found.database_url), LocalKeystore(b"\x07" * 32), deployment, node)

    with TestClient(create_app(settings, opened=state), raise_server_exceptions=False) as client:
        operator, numbers = made.operator_key or "", itertools.count()

        def write(path: str) -> Any:
            headers = {"Authorization": f"Bearer {operator}", "Idempotency-Key": f"k-{next(numbers)}"}
            answer = client.post(path, headers=headers)
            assert answer.status_code == 201, answer.text
            return answer.json()

        auditor = write("/v1/auditors/keys")
        session = write(f"/v1/members/{member}/sessions")
        keys = {
            "operator": operator,
            "auditor": auditor.get("token") or auditor["key"],
            "member": session["token"],
            **{slug: made.brand_keys[slug] or "" for slug in SLUGS},
        }
        yield Gateway(client, url, rpc, deployment, member, address, keys)


def state_of(gateway: Gateway) -> State:
    state: State = gateway.client.app.state.moa  # type: ignore[attr-defined]
    return state


REPORTS = ("/v1/supply", "/v1/obligations", "/v1/reports/liability?brand=cafe", "/v1/exports",
           "/v1/reports/roll-forward?brand=cafe&from_block=100&price=1")  # fmt: skip


@pytest.mark.parametrize("path", [*REPORTS, "/v1/me/balances", f"/v1/members/{MEMBER}/balances"])
def test_nobody_is_told_nothing(gateway: Gateway, path: str) -> None:
    """SPEC 15.3"""
    assert gateway.get(path).status_code == 401


@pytest.mark.parametrize("path", REPORTS)
def test_a_member_sees_no_report(gateway: Gateway, path: str) -> None:
    """SPEC 15.3"""
    assert gateway.get(path, "member").json()["error"] == "NotYours"


def test_a_brand_never_sees_another_brands_report(gateway: Gateway) -> None:
    """SPEC 15.3"""
    for path in REPORTS:
        joined = path if "brand=" in path else f"{path}?brand=cafe"
        answer = gateway.get(joined, "mart")
        assert (answer.status_code, answer.json()["error"]) == (403, "NotYours"), path
    # Who holds its points is a brand's member too: of those points alone.
    seen = gateway.told(f"/v1/members/{gateway.member}/balances", "mart")["balances"]
    assert {one["brand"] for one in seen} == {"mart"}
    assert {one["brand"] for one in gateway.told("/v1/supply", "mart")["supplies"]} == {"mart"}
    whole = gateway.told("/v1/obligations", "auditor")["obligations"]
    told = gateway.told("/v1/obligations", "mart")["obligations"]
    assert told == [one for one in whole if "mart" in (one["debtor"], one["creditor"])]


@pytest.mark.parametrize(
    ("query", "status", "error"),
    [
        ("block=99999999", 404, "HistoryNotAvailable"),
        ("at=1999-01-01T00:00:00Z", 404, "HistoryNotAvailable"),
        ("at=2031-01-01T00:00:00", 422, "RequestMalformed"),
        ("at=1893456000", 422, "RequestMalformed"),
        ("block=1_0", 422, "RequestMalformed"),
        ("blok=1", 422, "RequestMalformed"),
        ("block=1&block=2", 422, "RequestMalformed"),
        ("at=9999-12-31T23:59:59-23:59", 422, "RequestMalformed"),
        ("at=0001-01-01T00:00:00%2B23:59", 422, "RequestMalformed"),
        ("block=1&at=2031-01-01T00:00:00Z", 422, "AsOfMalformed"),
        ("block=-1", 422, "RequestMalformed"),
        ("block=9223372036854775808", 422, "RequestMalformed"),
        ("at=soon", 422, "RequestMalformed"),
    ],
)
def test_a_block_that_is_none_is_told_so(gateway: Gateway, query: str, status: int, error: str) -> None:
    """SPEC 15.1"""
    for path in ("/v1/supply", "/v1/reports/liability", "/v1/exports"):
        answer = gateway.get(f"{path}?{query}", "cafe")
        assert (answer.status_code, answer.json()["error"]) == (status, error), path


@pytest.mark.parametrize(
    ("query", "status", "error"),
    [
        ("from_block=100&to_block=100&price=1", 422, "PeriodInvalid"),
        ("from_block=100&price=0.5", 422, "FractionInvalid"),
        ("from_block=100&price=1/0", 422, "FractionInvalid"),
        ("from_block=100&price=1&breakage=2", 422, "FractionInvalid"),
        ("from_block=100", 422, "RequestMalformed"),
        (f"from_block=100&price={'9' * 41}", 422, "RequestMalformed"),
    ],
)
def test_a_roll_forward_that_is_none_is_refused(gateway: Gateway, query: str, status: int, error: str) -> None:
    """SPEC 15.5, 15.6"""
    answer = gateway.get(f"/v1/reports/roll-forward?{query}", "cafe")
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_an_auditor_names_the_brand_of_a_report(gateway: Gateway) -> None:
    """SPEC 15.3"""
    assert gateway.get("/v1/reports/liability", "auditor").json()["error"] == "RequestMalformed"
    assert gateway.get("/v1/reports/liability?brand=nobody", "auditor").json()["error"] == "BrandUnknown"
    assert gateway.told("/v1/reports/liability?brand=mart", "auditor")["brand"] == "mart"


@pytest.mark.parametrize("place", PLACES)
def test_supply_liability_and_the_chain_agree(gateway: Gateway, place: str) -> None:
    """SPEC 15.2"""
    supplies = gateway.told(f"/v1/supply{place}", "auditor")
    block = supplies["as_of"]["block_number"]
    codec = gateway.deployment.codec
    for one in supplies["supplies"]:
        data = "0x" + codec.calldata("LoyaltyToken", "totalSupply").hex()
        answer = gateway.rpc.call("eth_call", {"to": one["token"], "data": data}, hex(block))
        assert int(answer, 16) == int(one["live"])
        assert int(one["minted"]) - int(one["burnt"]) - int(one["expired"]) == int(one["live"])
    live = {one["brand"]: one["live"] for one in supplies["supplies"]}
    assert live.keys() >= set(SLUGS)
    for slug in SLUGS:
        told = gateway.told(f"/v1/reports/liability{place}", slug)
        assert told["outstanding"] == live[slug]
        assert sum(int(bucket["points"]) for bucket in told["buckets"]) == int(live[slug])


def test_a_member_and_its_brand_see_the_balance_of_then(gateway: Gateway) -> None:
    """SPEC 15.1, 15.3"""
    engine = make_engine(gateway.url)
    for block in (90, 250, 400):
        mine = gateway.told(f"/v1/me/balances?block={block}", "member")
        assert mine["as_of"]["block_number"] == block
        assert {one["brand"] for one in mine["balances"]} >= set(SLUGS)
        with snapshot(engine) as connection:
            for one in mine["balances"]:
                right = history.points_of(connection, one["token"].lower(), gateway.address, block)
                assert int(one["points"]) == right == sum(int(lot["points"]) for lot in one["lots"])
        theirs = gateway.told(f"/v1/members/{gateway.member}/balances?block={block}", "cafe")
        assert theirs["balances"] == [one for one in mine["balances"] if one["brand"] == "cafe"]
    engine.dispose()


def test_a_roll_forward_adds_up_over_http(gateway: Gateway) -> None:
    """SPEC 15.8"""
    told = gateway.told("/v1/reports/roll-forward?from_block=100&price=3/10&breakage=5/100", "cafe")
    money = {name: int(value) for name, value in told["money"].items()}
    came = money["deferred"] + money["renewed"]
    left = money["used"] + money["taken_back"] + money["breakage"]
    assert money["opening"] + came - left == money["closing"]
    assert told["adds_up"] is True
    assert told["opening"]["expected_breakage"] == "1/20"


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
def test_an_export_over_http_adds_up_and_is_an_act(gateway: Gateway, format: str, tmp_path: Path) -> None:
    """SPEC 15.9, 15.10, 15.12, 14"""
    state = state_of(gateway)
    log = log_signers(state.keystore, origin=state.log_origin, number=0)[0].verifier
    digests = {}
    for who in ("cafe", "auditor"):
        answer = gateway.get(f"/v1/exports?format={format}&block=300", who)
        assert answer.headers["content-type"] == "application/zip"
        zipfile.ZipFile(io.BytesIO(answer.content)).extractall(tmp_path / who)
        manifest, problems = bundle.check(tmp_path / who, log)
        assert problems == []
        assert manifest["block"]["number"] == 300
        digests[hashlib.sha256((tmp_path / who / "manifest.json").read_bytes()).hexdigest()] = who
    engine = make_engine(gateway.url)
    with engine.connect() as connection:
        pending = connection.execute(text("SELECT leaf FROM act_pending")).scalars().all()
        done = connection.execute(text("SELECT leaf FROM log_entry")).scalars().all()
    engine.dispose()
    acts = [act for act in map(orjson.loads, (*pending, *done)) if act["act"] == "export.made"]
    ours = [act for act in acts if act["detail"]["digest"] in digests]
    # An act is put in order while it is read: it may be seen in both places, and is the same.
    assert {act["detail"]["digest"] for act in ours} == digests.keys()
    brands = {digests[act["detail"]["digest"]]: act["detail"].get("brand") for act in ours}
    assert brands == {"cafe": "cafe", "auditor": None}


def test_of_many_exports_at_once_the_rest_are_told_to_wait(gateway: Gateway) -> None:
    """SPEC 15.9"""
    from api.reports.service import EXPORTS_MAX, Exports

    state = state_of(gateway)
    slots = state.singleton(Exports).slots
    for _ in range(EXPORTS_MAX):
        assert slots.acquire(blocking=False)
    answer = gateway.get("/v1/exports", "cafe")
    assert (answer.status_code, answer.json()["error"]) == (429, "ExportsTooMany")
    for _ in range(EXPORTS_MAX):
        slots.release()
    assert gateway.get("/v1/exports", "cafe").status_code == 200


def test_before_a_brand_there_is_nothing_of_it_to_export(gateway: Gateway) -> None:
    """SPEC 15.2: it was a fault of ours."""
    for path in ("/v1/exports?block=0", "/v1/reports/liability?block=0"):
        answer = gateway.get(path, "cafe")
        assert (answer.status_code, answer.json()["error"]) == (404, "BrandUnknown"), path
    assert gateway.get("/v1/exports?block=0", "auditor").status_code == 200
