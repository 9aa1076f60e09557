"""Runs the gateway on uvicorn, and stops it promptly: live streams end first, then the connections."""

from __future__ import annotations

import asyncio
import resource
import sys
from contextlib import suppress
from types import FrameType
from typing import Any

import uvicorn

from api import migrate
from api.app import create_app
from api.connections import Config, Connection
from api.kit.log import access_log
from api.kit.settings import Settings
from chain.worker import gc_tuning

BACKLOG = 2_048
# uvicorn ticks ten times a second; connections are looked at every fifth time.
TICKS_A_LOOK = 5


class Server(uvicorn.Server):
    """A server that tells open streams of its end, instead of waiting for them."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        state = getattr(self.config.app.state, "moa", None)  # type: ignore[union-attr]
        hub = getattr(self.config.app.state, "hub", None)  # type: ignore[union-attr]
        if state is not None:
            # Signals come between two steps of the loop, so setting the event here wakes its waiters.
            state.stopping.set()
        if hub is not None:
            hub.wake_all(changed=False)
        super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Writes the access log; ends the connections whose time is over."""
        access_log.flush()
        if counter % TICKS_A_LOOK == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, Connection):
                    connection.overdue(now)
        return await super().on_tick(counter)


def configured(settings: Settings, app: Any = None) -> Server:
    """The server, not yet running. app: without it, the application of these settings."""
    config = Config(
        create_app(settings) if app is None else app,
        settings,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=int(settings.keep_alive.total_seconds()),
        timeout_graceful_shutdown=int(settings.shutdown_grace.total_seconds()),
    )
    return Server(config)


def run(settings: Settings) -> None:
    """Migrates the database, then serves until told to stop."""
    migrate.run(settings.database_url)
    if settings.access_log:
        # On the error stream, beside the gateway's other words.
        access_log.keep(sys.stderr)
    _allow_files(settings.connections_max)
    server = configured(settings)
    gc_tuning.for_chunks()
    try:
        server.run()
    finally:
        access_log.flush()


def _allow_files(connections: int) -> None:
    """As many open files as connections may be, and as many again for all else; less where the system says less."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * connections if hard == resource.RLIM_INFINITY else min(2 * connections, hard)
    if wanted > soft:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
