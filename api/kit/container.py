"""What the running gateway holds: put together once at its start, handed to routes by `state_of`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fastapi import FastAPI, Request

from api.kit.clock import now_ms
from api.kit.database import Database
from api.kit.log import log
from api.kit.settings import Settings
from chain.base.errors import ChainError
from chain.contracts.authorisation import Domain, Domains
from chain.contracts.deployment import Deployment
from chain.node.rpc import Rpc
from chain.storage.keystore import Keystore, LocalKeystore
from chain.telemetry import metrics
from chain.tlog.checkpoints import origin_of

T = TypeVar("T")
DECIMALS = "0x313ce567"
DECIMALS_S = 2.0


class Node:
    """The chain's node for reading; an Rpc belongs to one thread, so each thread has its own."""

    def __init__(
        self, deployment: Deployment, url: str, timeout_s: float, *, domains: Mapping[str, Domain] | None = None
    ) -> None:
        self._deployment = deployment
        self._url = url
        self._timeout_s = timeout_s
        self._local = threading.local()
        self._domains: dict[str, Domain] = dict(domains or {})
        self._settlement_decimals: int | None = None

    @property
    def rpc(self) -> Rpc:
        found: Rpc | None = getattr(self._local, "rpc", None)
        if found is None:
            found = self._local.rpc = Rpc(
                self._url,
                timeout_s=self._timeout_s,
                decode_revert=self._deployment.codec.revert,
                observe=metrics.observed,
            )
        return found

    def patient(self, timeout_s: float) -> Rpc:
        """A connection of its own for one long piece of work; the caller closes it."""
        return Rpc(self._url, timeout_s=timeout_s, decode_revert=self._deployment.codec.revert)

    def settlement_decimals(self) -> int | None:
        """Decimals of the token in which brands settle; asked until it answers once, because they can never change.

        None: the node does not answer now. To be called off the loop.
        """
        if self._settlement_decimals is None:
            try:
                token = self._deployment.address("SettlementToken")
                answer = self.rpc.call("eth_call", {"to": token, "data": DECIMALS}, "latest", timeout_s=DECIMALS_S)
                self._settlement_decimals = int(answer, 16)
            except (ChainError, ValueError, TypeError) as fault:
                log.warning("the decimals of the settlement token are not known yet: %s", fault)
        return self._settlement_decimals

    def domain(self, contract: str, at: str | None = None) -> Domain:
        """The EIP-712 domain of a contract, or of the one of this kind `at` an address (a brand's token); asked once,
        because it can never change."""
        name = at or contract
        if name not in self._domains:
            domains = Domains(self.rpc, self._deployment.codec)
            self._domains[name] = domains.of(contract, at or self._deployment.address(contract))
        return self._domains[name]


@dataclass(slots=True)
class State:
    settings: Settings
    database: Database
    keystore: Keystore
    deployment: Deployment
    node: Node
    # What a layer keeps for itself while the gateway runs, by its type: the layers below know nothing of it.
    kept: dict[type[Any], Any] = field(default_factory=dict)
    started_at_ms: int = field(default_factory=now_ms)
    # Key id → last use; written down every few seconds, because a write per read would cost more than the read.
    key_uses: dict[str, int] = field(default_factory=dict)
    waiters: int = 0
    # The highest block that a view was ever told of; a lower one afterwards says that the chain took blocks back.
    block_told: int = 0
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def log_origin(self) -> str:
        """The name of the log of acts: the settings', else one that the chain's own first block makes unlike others."""
        chosen = self.settings.log_origin
        return chosen or origin_of(self.deployment.chain_id, self.deployment.genesis_hash)

    def singleton(self, kind: type[T]) -> T:
        """The one object of a kind, made at its first use."""
        found: T | None = self.kept.get(kind)
        if found is None:
            found = self.kept[kind] = kind()
        return found

    def close(self) -> None:
        self.database.close()


def open_state(settings: Settings) -> State:
    """Opens what the settings name; the database is migrated already."""
    deployment = Deployment.load(settings.deployments, settings.chain_id)
    return State(
        settings=settings,
        database=Database(settings.database_url),
        keystore=LocalKeystore.open(settings.keystore_path, settings.keystore_password),
        deployment=deployment,
        node=Node(deployment, settings.rpc_url, settings.rpc_timeout.total_seconds()),
    )


def state_of(request: Request) -> State:
    """The state of the gateway that answers this request."""
    state: State = request.app.state.moa
    return state


def put_state(app: FastAPI, state: State) -> None:
    app.state.moa = state
