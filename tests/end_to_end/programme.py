"""A gateway over a chain of its own: nothing goes on by itself, relayer and mirror step when they are told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from api import migrate
from api.app import create_app
from api.kit.settings import Settings
from api.members import service as identity
from chain.contracts.deployment import Deployment
from chain.node.blocks import mined
from chain.node.rpc import Rpc
from chain.outbox import calls
from chain.storage.database import engine as make_engine
from tests.api.conftest import documented
from tests.chain.conftest import CDNOW, OnChain
from tests.support.callers import Caller
from tests.support.deployed import PASSWORD, deployed


@dataclass
class Programme:
    """A gateway on a chain of its own, with relayer and mirror that step when they are told."""

    world: OnChain
    client: TestClient
    brands: dict[str, Caller]
    operator: Caller

    def member(self, identifier: str, base_amount: int = 0) -> tuple[Caller, str, str]:
        """A member's session, id and address; with an award, if it is to have points."""
        told = self.brands["cdnow"].write("/v1/members", {"identifier": identifier}).json()
        token = self.operator.write(f"/v1/members/{told['id']}/sessions").json()["token"]
        address = told["address"].lower()
        if base_amount:
            rule = self.world.brands["cdnow"].rules["purchase"]
            self.world.enqueue(
                calls.award(key=identifier, brand=CDNOW, member=address, rule=rule, base_amount=base_amount)
            )
            self.world.drain()
        return Caller(self.client, token, told["id"]), told["id"], address

    def send(self, contract: str, function: str, *values: Any, account: int = 1) -> None:
        """A call by one of the node's accounts: 1 owns the first brand."""
        data = "0x" + self.world.deployment.codec.calldata(contract, function, *values).hex()
        sender = self.world.rpc.call("eth_accounts")[account]
        asked = {"from": sender, "to": self.world.deployment.address(contract), "data": data, "gas": hex(3_000_000)}
        receipt = mined(self.world.rpc, self.world.rpc.call("eth_sendTransaction", asked))
        assert receipt["status"] == "0x1", (contract, function)
        self.world.mirror.catch_up(timeout_s=60)

    def read(self, contract: str, function: str, *values: Any) -> Any:
        data = "0x" + self.world.deployment.codec.calldata(contract, function, *values).hex()
        answer = self.world.rpc.call(
            "eth_call", {"to": self.world.deployment.address(contract), "data": data}, "latest"
        )
        return self.world.deployment.codec.result(contract, function, answer)


@contextmanager
def programme_on(node: str, folder: Path, database_url: str = "") -> Iterator[Programme]:
    """Its database is SQLite in the folder where none is named."""
    with deployed(node, folder) as chain, closing(Rpc(chain.node.url, timeout_s=30.0)) as rpc:
        settings = Settings(
            database_url=database_url or f"sqlite:///{folder}/moa.db",
            rpc_url=chain.node.url,
            chain_id=chain.node.chain_id,
            deployments=chain.deployments,
            keystore_path=chain.keystore_path,
            keystore_password=PASSWORD,
            wallet_dist=folder / "dist",
        )
        migrate.run(settings.database_url)
        engine = make_engine(settings.database_url)
        deployment = Deployment.load(chain.deployments, chain.node.chain_id)
        where = folder, chain.keystore_path, chain.deployments
        world = OnChain(chain.node, deployment, chain.keystore, engine, rpc, *where)
        world.mirror.catch_up(timeout_s=60)
        app = create_app(settings)
        with TestClient(app, raise_server_exceptions=False) as client:
            made = identity.bootstrap(app.state.moa.database, brand_keys=True)
            client.event_hooks = {"response": [documented]}
            brands = {slug: Caller(client, key or "", slug) for slug, key in made.brand_keys.items()}
            yield Programme(world, client, brands, Caller(client, made.operator_key or "", "operator"))
        world.close()
        engine.dispose()
