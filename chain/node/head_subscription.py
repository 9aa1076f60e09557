"""New heads as the node announces them (eth_subscribe over WebSocket), with polling behind it.

An announcement only says "look now": what is believed comes from the reads that follow. So a node that announces
nothing, too late, twice, or in the wrong order costs time at most, never rows.
"""

import logging
import threading
import time
from typing import Final
from urllib.parse import urlunsplit

import orjson
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.connection import Connection

from chain.base.errors import NodeAway, NodeUnavailable
from chain.node import outage_limiter, transport

log = logging.getLogger(__name__)

OPEN_TIMEOUT_S: Final = 5.0
RECONNECT_S: Final = 0.5
RECONNECT_MAX_S: Final = 15.0
# An address of HTTP that offers no WebSocket today may do so after an upgrade; asking costs one request.
NOT_OFFERED_RETRY_S: Final = 300.0
JOIN_TIMEOUT_S: Final = 2.0


class HeadSubscription:
    """Listens in a thread of its own from the start until `close`. Never raises: without a subscription `wait` waits.

    For an address of HTTP the WebSocket of the same host, port and path is tried, as geth, Besu, Anvil and Ganache
    offer it.
    """

    def __init__(self, url: str, *, socket_url: str | None = None):
        parts = transport.split(socket_url or url)
        scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
        self._url = urlunsplit(parts._replace(scheme=scheme))
        self._guessed = scheme != parts.scheme
        self._limiter = outage_limiter.limiter_of(transport.shown(parts))
        self._shown = transport.shown(parts)
        self._news = threading.Event()
        self._closed = threading.Event()
        self.subscribed = threading.Event()
        self.announced = 0
        self._connection: Connection | None = None
        self._thread = threading.Thread(target=self._run, name=f"heads of {self._shown}", daemon=True)
        self._thread.start()

    def wait(self, timeout_s: float) -> bool:
        """True as soon as a head was announced since the last wait, False after the timeout."""
        news = self._news.wait(timeout_s)
        self._news.clear()
        return news

    def wake(self) -> None:
        """Ends the wait of another thread, as an announcement would."""
        self._news.set()

    def close(self) -> None:
        """Ends the thread; waits for it for a bounded time."""
        self._closed.set()
        self._news.set()
        if (connection := self._connection) is not None:
            # Ends the reading in the other thread.
            connection.close()
        self._thread.join(JOIN_TIMEOUT_S)

    def _run(self) -> None:
        delay_s = RECONNECT_S
        while not self._closed.is_set():
            began = time.monotonic()
            try:
                self._listen()
            except InvalidStatus as error:
                status = error.response.status_code
                if self._guessed and status < 500 and status != 429:
                    log.info("%s offers no WebSocket here (HTTP %d): polling", self._shown, status)
                    delay_s = NOT_OFFERED_RETRY_S
            except NodeAway:
                pass
            except (OSError, WebSocketException, NodeUnavailable, ValueError) as error:
                if not self._closed.is_set():
                    self._limiter_failed(error)
            finally:
                self.subscribed.clear()
            # What happened while nobody listened is found by looking.
            self._news.set()
            if time.monotonic() - began > RECONNECT_MAX_S:
                delay_s = RECONNECT_S
            self._closed.wait(delay_s)
            delay_s = min(NOT_OFFERED_RETRY_S if delay_s > RECONNECT_MAX_S else RECONNECT_MAX_S, delay_s * 2)

    def _limiter_failed(self, error: Exception) -> None:
        log.info("no announcements from %s: %s", self._shown, type(error).__name__)
        if isinstance(error, ConnectionRefusedError):
            self._limiter.failed()

    def _listen(self) -> None:
        """Until the connection ends."""
        self._limiter.turn()
        with transport.open_socket(self._url, OPEN_TIMEOUT_S) as connection:
            self._subscribe(connection)
            self.subscribed.set()
            self._news.set()
            # Set before the question below: whoever closes us sees the connection, or is seen.
            self._connection = connection
            while not self._closed.is_set():
                note = orjson.loads(connection.recv())
                if isinstance(note, dict) and note.get("method") == "eth_subscription":
                    self.announced += 1
                    self._news.set()

    def _subscribe(self, connection: Connection) -> None:
        ask = {"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]}
        connection.send(orjson.dumps(ask), text=True)
        answer = orjson.loads(connection.recv(OPEN_TIMEOUT_S))
        # A head may be announced before the answer to the subscription arrives; either proves that it is there.
        if not isinstance(answer, dict) or not ("result" in answer or "method" in answer):
            raise NodeUnavailable(f"{self._shown} does not take subscriptions.")
