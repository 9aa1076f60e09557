"""Tells the WebSocket clients of the line about new heads, as the node behind it finds them."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, Final

from tests.support.scripted_node.server import Server

POLL_S: Final = 0.008


@dataclass(frozen=True)
class Announced:
    """A block of which subscribers are told."""

    fields: dict[str, Any]

    def logs_json(self, addresses: Any, topics: Any = ()) -> list[bytes]:
        """Only heads are announced."""
        return []


@dataclass(frozen=True)
class Moved:
    """A new head."""

    added: tuple[Announced, ...]
    removed: tuple[Announced, ...] = ()


class Heads:
    """A thread that looks at the node while anyone has subscribed. `mode`: all, doubled, or none."""

    def __init__(self, server: Server, ask: Any):
        self._server = server
        self._ask = ask
        self._stop = threading.Event()
        self._last = ""
        self.mode = "all"
        self._thread = threading.Thread(target=self._run, name="heads of the line", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread."""
        self._stop.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        while not self._stop.wait(POLL_S):
            if self.mode == "none" or not any(session.subscriptions for session in list(self._server.sessions)):
                continue
            block = self._ask("eth_getBlockByNumber", "latest", False)
            if block and block["hash"] != self._last:
                self._last = block["hash"]
                self._server.push(Moved((Announced(block),)), self.mode)  # type: ignore[arg-type]
