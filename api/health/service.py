"""Whether the gateway lives, and whether it can do its work; if not, what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool

from api import migrate
from api.audit_log.loop import Standing
from api.health.schemas import Health, Ready
from api.kit.clock import now_ms
from api.kit.container import State
from api.kit.log import log
from api.views.as_of import moment, to_public
from api.views.errors import ViewUnavailable
from api.views.schemas import AsOf, Check
from chain.base.errors import ChainError
from chain.health import loops
from chain.health.loops import LOOPS, NOTICES, SystemHealth, system_health
from chain.storage.database import snapshot

NODE_TIMEOUT_S = 2.0
# An address with a scheme, or a host with a port: as chain.node.transport and drivers of databases write them.
_place = re.compile(r"[a-z][a-z0-9+.-]*://\S+|(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9_.-]+):\d{1,5}\b")


def health(state: State) -> Health:
    return Health(uptime_s=(now_ms() - state.started_at_ms) / 1000)


async def ready(state: State) -> Ready:
    """Every check, each with its sentence; never raises."""
    return await run_in_threadpool(_ready, state)


def _ready(state: State) -> Ready:
    checks = [
        _check("database", lambda: migrate.refuse_outdated(state.database.engine)),
        _check("node", lambda: _node(state)),
        *_loops(state),
        _check("log", lambda: _log(state)),
    ]
    as_of = None
    try:
        as_of = AsOf(**to_public(state.database.reads(moment), state))
    except ViewUnavailable:
        pass
    except Exception as fault:
        log.warning("no view for /ready: %s", fault)
        checks.append(Check(name="view", ok=False, detail=type(fault).__name__))
    return Ready(ready=all(check.ok for check in checks), checks=checks, as_of=as_of)


def public(sentence: str) -> str:
    """A sentence of a loop's, as anyone may read it: without the place of a node or of a database."""
    return _place.sub("its address", sentence)


class _Wrong(Exception):
    """A check that does not hold; its text says why."""


def _check(name: str, look: Callable[[], str | None]) -> Check:
    """Runs one look; whatever it raises is what is wrong."""
    try:
        return Check(name=name, ok=True, detail=public(look() or ""))
    except (_Wrong, migrate.DatabaseOutdated) as fault:
        return Check(name=name, ok=False, detail=public(str(fault)))
    except Exception as fault:
        log.warning("the check %s failed: %s", name, fault)
        return Check(name=name, ok=False, detail=f"{type(fault).__name__}; the gateway's log says more")


def _node(state: State) -> str:
    try:
        chain_id = int(state.node.rpc.call("eth_chainId", timeout_s=NODE_TIMEOUT_S), 16)
    except ChainError as fault:
        raise _Wrong(f"The chain's node does not answer as it should ({fault.name}).") from fault
    if chain_id != state.deployment.chain_id:
        raise _Wrong(f"The node is on chain {chain_id}, the deployment is for {state.deployment.chain_id}.")
    return f"chain {chain_id}"


def _log(state: State) -> str:
    fault = state.singleton(Standing).fault
    if fault is not None:
        raise _Wrong(f"The log of acts is not signed any more: {fault}")
    return state.log_origin


def _loops(state: State) -> list[Check]:
    """The mirror's place and each loop's life, from one moment of the tables."""
    names = ["mirror", *(f"{name} loop" for name in LOOPS)]
    try:
        with snapshot(state.database.engine) as connection:
            found = system_health(connection)
    except Exception as fault:
        log.warning("the loops cannot be looked at: %s", fault)
        return [Check(name=name, ok=False, detail=type(fault).__name__) for name in names]
    return [
        _check("mirror", lambda: _mirror(found)),
        *(_check(f"{name} loop", lambda name=name: _loop(state, found, name)) for name in LOOPS),  # type: ignore[misc]
        *(_check(name, lambda name=name: _loop(state, found, name)) for name in NOTICES if name in found.loops),  # type: ignore[misc]
    ]


def _mirror(found: SystemHealth) -> str:
    at = found.position
    if at is None:
        raise _Wrong("The mirror has not read its first block yet.")
    trouble = loops.trouble(at)
    if trouble:
        raise _Wrong(trouble)
    return f"block {at.block_number} of {at.head_number}"


def _loop(state: State, found: SystemHealth, name: str) -> str:
    loop = found.loops.get(name)
    if loop is None:
        raise _Wrong(f"The {name} has never run on this database; start `moa worker`.")
    silence_max = state.settings.mirror_silence_max.total_seconds()
    trouble = loop.trouble(silent_s=silence_max, stuck_s=silence_max)
    if trouble:
        raise _Wrong(trouble)
    return f"{loop.state} {loop.detail}".strip()
