"""Runs the gateway on uvicorn, and stops it promptly: live streams end first, then the connections."""

from __future__ import annotations

from types import FrameType

import uvicorn

from api import migrate
from api.app import create_app
from api.kit.settings import Settings

BACKLOG = 2_048
KEEP_ALIVE_S = 30


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


def configured(settings: Settings) -> Server:
    """The server, not yet running."""
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(settings.shutdown_grace.total_seconds()),
    )
    return Server(config)


def run(settings: Settings) -> None:
    """Migrates the database, then serves until told to stop."""
    migrate.run(settings.database_url)
    configured(settings).run()
