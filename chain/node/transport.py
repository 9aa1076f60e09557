"""The two ways to a node, HTTP and WebSocket: a body goes out, a body comes back, in bounded time and size.

A wire belongs to one thread. Whatever goes wrong below JSON comes out as NodeUnavailable or a class under it.
"""

import base64
import http.client
import time
from email.utils import parsedate_to_datetime
from typing import Final, Protocol
from urllib.parse import SplitResult, urlsplit

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from chain.base.errors import AnswerTooLarge, NodeTimeout, NodeUnavailable, RequestTooLarge, TooManyRequests

ANSWER_MAX_BYTES: Final = 256 * 1024 * 1024
CHUNK_BYTES: Final = 1 << 18
IDLE_S_MAX: Final = 1.0
CLOSE_TIMEOUT_S: Final = 0.5
MESSAGE_TOO_BIG: Final = 1009
PORTS: Final = {"http": 80, "ws": 80, "https": 443, "wss": 443}


class Transport(Protocol):
    """One connection, opened when it is needed."""

    shown: str

    def exchange(self, body: bytes, timeout_s: float) -> bytes:
        """The answer's body. Raises NodeUnavailable or a class below it."""

    def close(self) -> None:
        """Gives the connection back; the next exchange opens another."""


def open_transport(url: str, answer_max_bytes: int = ANSWER_MAX_BYTES) -> Transport:
    """The wire for an address that begins with http, https, ws or wss; larger answers are not read."""
    parts = split(url)
    return (HttpTransport if parts.scheme in ("http", "https") else WebSocketTransport)(parts, answer_max_bytes)


def split(url: str) -> SplitResult:
    """The parts of a node's address; refuses what is none."""
    try:
        parts = urlsplit(url)
        port = parts.port
        (parts.hostname or "").encode("idna")
        (parts.path + parts.query).encode("ascii")
    except ValueError as error:
        # What the library says of it may hold a part of a key.
        raise NodeUnavailable("This is no address of a node: its host, port or path cannot be read.") from error
    if parts.scheme not in PORTS or not parts.hostname or port == 0:
        raise NodeUnavailable(
            "A node's address begins with http://, https://, ws:// or wss:// and names a host, "
            f"not with {parts.scheme + '://' if parts.scheme else 'nothing'}."
        )
    return parts


def shown(parts: SplitResult) -> str:
    """Host and port. The path, the query and the user may hold a key: they are never shown."""
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


class HttpTransport:
    """One keep-alive connection."""

    def __init__(self, parts: SplitResult, answer_max_bytes: int):
        self._answer_max_bytes = answer_max_bytes
        self._make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        assert parts.hostname, "checked by `split`"
        self._host, self._port = parts.hostname, parts.port
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._headers = {"Content-Type": "application/json"}
        if parts.username is not None:
            pair = f"{parts.username}:{parts.password or ''}".encode()
            self._headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()
        self.shown = shown(parts)
        self._connection: http.client.HTTPConnection | None = None
        self._used_at = 0.0

    def close(self) -> None:
        """Gives the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def exchange(self, body: bytes, timeout_s: float) -> bytes:
        """The answer's body, whatever it holds."""
        until = time.monotonic() + timeout_s
        try:
            connection = self._connect(timeout_s)
            connection.request("POST", self._path, body, self._headers)
            response = connection.getresponse()
            payload = self._read(response, until)
        except TimeoutError as error:
            self.close()
            raise NodeTimeout(f"{self.shown} did not answer within {timeout_s:g} s.") from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise NodeUnavailable(f"{self.shown} cannot be reached: {error or type(error).__name__}.") from error
        except NodeUnavailable:
            self.close()
            raise
        if response.status >= 500 or response.status in (413, 429):
            self.close()
            raise refusal(self.shown, response.status, response.getheader("Retry-After"))
        if response.status >= 300 and payload.lstrip()[:1] not in (b"{", b"["):
            # A wrong path or key; some nodes put JSON-RPC errors into such answers, and those say more.
            self.close()
            raise refusal(self.shown, response.status, None)
        return payload

    def _connect(self, timeout_s: float) -> http.client.HTTPConnection:
        # A node may close an idle connection at any moment; a write must not be the one to find out.
        if time.monotonic() - self._used_at > IDLE_S_MAX:
            self.close()
        self._used_at = time.monotonic()
        if self._connection is None:
            self._connection = self._make(self._host, self._port, timeout=timeout_s)
            self._connection.connect()
        self._connection.sock.settimeout(timeout_s)
        return self._connection

    def _read(self, response: http.client.HTTPResponse, until: float) -> bytes:
        if response.length is not None and response.length > self._answer_max_bytes:
            raise AnswerTooLarge(self._answer_max_bytes)
        parts: list[bytes] = []
        size = 0
        while chunk := response.read1(CHUNK_BYTES):
            size += len(chunk)
            if size > self._answer_max_bytes:
                raise AnswerTooLarge(self._answer_max_bytes)
            # A node that drips a byte at a time keeps every single read short; the whole has a bound too.
            if time.monotonic() > until:
                raise TimeoutError
            parts.append(chunk)
        if response.length:
            raise http.client.IncompleteRead(b"", response.length)
        # read1 leaves a fully read response open, and an open one blocks the next request.
        response.close()
        return b"".join(parts)


class WebSocketTransport:
    """One WebSocket, for nodes that have nothing else."""

    def __init__(self, parts: SplitResult, answer_max_bytes: int):
        self._answer_max_bytes = answer_max_bytes
        self._url = parts.geturl()
        self.shown = shown(parts)
        self._connection: ClientConnection | None = None

    def close(self) -> None:
        """Ends the connection in good order, within CLOSE_TIMEOUT_S."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def exchange(self, body: bytes, timeout_s: float) -> bytes:
        """The next message after ours: nothing was subscribed to here, so it is the answer."""
        until = time.monotonic() + timeout_s
        try:
            if self._connection is None:
                self._connection = open_socket(self._url, timeout_s, self._answer_max_bytes)
            self._connection.send(body, text=True)
            answer = self._connection.recv(max(0.0, until - time.monotonic()), decode=False)
        except TimeoutError as error:
            # The late answer must not be taken for that of the next question.
            self.close()
            raise NodeTimeout(f"{self.shown} did not answer within {timeout_s:g} s.") from error
        except ConnectionClosed as error:
            self.close()
            if error.sent is not None and error.sent.code == MESSAGE_TOO_BIG:
                raise AnswerTooLarge(self._answer_max_bytes) from error
            raise NodeUnavailable(f"{self.shown} ended the connection.") from error
        except InvalidStatus as error:
            response = error.response
            raise refusal(self.shown, response.status_code, response.headers.get("Retry-After")) from error
        except (OSError, WebSocketException) as error:
            self.close()
            raise NodeUnavailable(f"{self.shown} cannot be reached: {error or type(error).__name__}.") from error
        return answer if isinstance(answer, bytes) else answer.encode()


def open_socket(url: str, timeout_s: float, answer_max_bytes: int = ANSWER_MAX_BYTES) -> ClientConnection:
    """A WebSocket to a node; raises what websockets raises."""
    return connect(
        url,
        open_timeout=timeout_s,
        close_timeout=CLOSE_TIMEOUT_S,
        max_size=answer_max_bytes,
        compression=None,
        proxy=None,
    )


def refusal(who: str, status: int, retry_after: str | None) -> NodeUnavailable:
    """The error for a status of HTTP that is no answer."""
    if status == 413:
        return RequestTooLarge(f"{who} answered HTTP 413: the request is too large.")
    if status == 429:
        return TooManyRequests(f"{who} answered HTTP 429: too many requests.", retry_after_s(retry_after))
    return NodeUnavailable(f"{who} answered HTTP {status}.")


def retry_after_s(header: str | None) -> float | None:
    """Seconds to wait, from a Retry-After header in either of its forms (RFC 9110 10.2.3)."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except (ValueError, TypeError):
        return None
