"""Whether the gateway lives, and whether it can do its work; if not, what is wrong."""

from __future__ import annotations

from collections.abc import Callable

from starlette.concurrency import run_in_threadpool

from api import migrate
from api.channels.as_of import moment
from api.channels.errors import ViewUnavailable
from api.channels.schemas import AsOf, Check, Health, Ready
from api.clock import now_ms
from api.database import Snapshot
from api.state import State
from chain.errors import ChainError

NODE_TIMEOUT_S = 2.0
LOOPS = ("relayer", "mirror")
_BEAT = "SELECT state, detail, at_ms FROM heartbeat WHERE name = ?"
_MIRROR = "SELECT state, reason, block_number, head_number, updated_at_ms FROM mirror_checkpoint WHERE id = 1"


def health(state: State) -> Health:
    return Health(uptime_s=(now_ms() - state.started_at_ms) / 1000)


async def ready(state: State) -> Ready:
    """Every check, each with its sentence; never raises."""
    return await run_in_threadpool(_ready, state)


def _ready(state: State) -> Ready:
    checks = [
        _check("database", lambda: migrate.refuse_outdated(state.database.engine)),
        _check("node", lambda: _node(state)),
        _check("mirror", lambda: state.database.reads(lambda read: _mirror(state, read))),
        *(_loop_check(state, name) for name in LOOPS),
    ]
    as_of = None
    try:
        as_of = AsOf(**state.database.reads(moment).told(state))
    except ViewUnavailable:
        pass
    except Exception as fault:
        checks.append(Check(name="view", ok=False, detail=str(fault)))
    return Ready(ready=all(check.ok for check in checks), checks=checks, as_of=as_of)


class _Wrong(Exception):
    """A check that does not hold; its text says why."""


def _check(name: str, look: Callable[[], str | None]) -> Check:
    """Runs one look; whatever it raises is what is wrong."""
    try:
        return Check(name=name, ok=True, detail=look() or "")
    except Exception as fault:
        return Check(name=name, ok=False, detail=str(fault) or type(fault).__name__)


def _loop_check(state: State, name: str) -> Check:
    return _check(f"{name} loop", lambda: state.database.reads(lambda read: _loop(state, read, name)))


def _node(state: State) -> str:
    try:
        chain_id = int(state.node.rpc.call("eth_chainId", timeout_s=NODE_TIMEOUT_S), 16)
    except ChainError as fault:
        raise _Wrong(str(fault)) from fault
    if chain_id != state.deployment.chain_id:
        raise _Wrong(f"The node is on chain {chain_id}, the deployment is for {state.deployment.chain_id}.")
    return f"chain {chain_id}"


def _mirror(state: State, read: Snapshot) -> str:
    row = read.row(_MIRROR)
    if row is None:
        raise _Wrong("The mirror has not read its first block yet.")
    standing, reason, block_number, head_number, _ = row
    if standing == "stopped":
        raise _Wrong(f"The mirror stopped at block {block_number}: {reason}")
    if standing != "live":
        raise _Wrong(f"The mirror is at block {block_number} of {head_number}.")
    return f"block {block_number} of {head_number}"


def _loop(state: State, read: Snapshot, name: str) -> str:
    row = read.row(_BEAT, name)
    if row is None:
        raise _Wrong(f"The {name} has never run on this database; start `moa worker`.")
    standing, detail, at_ms = row
    silent_ms = now_ms() - at_ms
    if silent_ms > state.settings.mirror_silence_max.total_seconds() * 1000:
        raise _Wrong(f"The {name} was last heard of {silent_ms // 1000} s ago; is `moa worker` running?")
    return f"{standing} {detail}".strip()
