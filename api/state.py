"""What the running gateway holds: put together once in app.py, handed to routes by `state_of`."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fastapi import Request

from api.clock import now_ms
from api.database import Database
from api.settings import Settings
from chain.deployment import Deployment
from chain.keystore import Keystore
from chain.rpc import Rpc

if TYPE_CHECKING:
    from starlette.applications import Starlette


@dataclass(slots=True)
class State:
    settings: Settings
    database: Database
    keystore: Keystore
    deployment: Deployment
    rpc: Rpc
    started_at_ms: int = field(default_factory=now_ms)
    # Key id → last use; written down every few seconds, because a write per read would cost more than the read.
    key_uses: dict[str, int] = field(default_factory=dict)
    waiters: int = 0
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


def state_of(request: Request) -> State:
    """The state of the gateway that answers this request."""
    state: State = request.app.state.moa
    return state


def put_state(app: Starlette, state: State) -> None:
    app.state.moa = state
