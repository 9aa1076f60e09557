"""One HTTP/1.1 connection, bounded in every direction: what a caller may send before it is answered, and how slowly.

uvicorn's own protocol reads a header of any size (in quadratic time) and waits for ever for the end of a request.
Here bytes that lead nowhere are counted: those of a request line and its headers, of the sizes and extensions of
chunks, of trailers. Time is looked at once a second over all connections (`api.server`), so a request costs no timer.

Problem
├── HttpMalformed        400   no HTTP at all
├── RequestLineTooLong   414
├── HeadersTooLarge      431   bytes or number
├── RequestTimedOut      408   headers or body did not come in time
└── ConnectionsTooMany   503   of one address, or of all together
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, ClassVar, Final

import orjson
import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api.kit.problems import MEDIA_TYPE, Problem
from api.kit.settings import Settings

# A request line and its headers are handed to the parser in pieces of this size, so that the count is exact enough.
PIECE_BYTES: Final = 4 * 1024


class HttpMalformed(Problem):
    """What came is no HTTP request."""

    status = 400


class RequestLineTooLong(Problem):
    """The address that was asked for is longer than an address may be."""

    status = 414


class HeadersTooLarge(Problem):
    """The request's headers are more, or larger, than a request may have."""

    status = 431


class RequestTimedOut(Problem):
    """The request did not come whole within its time."""

    status = 408
    headers: ClassVar = {"Connection": "close"}


class ConnectionsTooMany(Problem):
    """More connections are open than one address, or all together, may have."""

    status = 503


class Config(uvicorn.Config):
    """uvicorn's configuration with our bounds in it."""

    def __init__(self, app: Any, settings: Settings, **more: Any) -> None:
        super().__init__(app, http=Connection, **more)
        self.settings = settings
        self.header_timeout_s = settings.header_timeout.total_seconds()
        self.lines_timeout_s = settings.lines_timeout.total_seconds()
        self.body_idle_timeout_s = settings.body_idle_timeout.total_seconds()
        self.write_timeout_s = settings.write_timeout.total_seconds()
        self.open_by_address: Counter[str] = Counter()


class Connection(HttpToolsProtocol):
    """A connection that ends itself when its caller goes beyond a bound.

    due: the second (of the loop's clock) by which something must have happened; None: it is our turn.
    """

    config: Config
    due: float | None = None

    def __init__(self, *, config: Config, **more: Any) -> None:
        super().__init__(config=config, **more)
        self._settings = config.settings
        self._in_headers = True
        self._awaits_body = False
        self._header_count = self._header_bytes = 0
        self._idle_bytes = 0
        self._body_due: float | None = None
        # By when what was written must be read; None: nothing waits to be read.
        self._write_due: float | None = None
        self._counted = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        settings = self._settings
        crowded = len(self.connections) > settings.connections_max
        if not crowded and address and address not in settings.proxies:
            self._counted = True
            self.config.open_by_address[address] += 1
            crowded = self.config.open_by_address[address] > settings.connections_per_address_max
        if crowded:
            self.refuse(ConnectionsTooMany("Too many connections are open; close some, or try again in a moment."))
            return
        self._wait(self.config.header_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self.due = None
        if self._counted and self.client:
            self._counted = False
            self.config.open_by_address[self.client[0]] -= 1
            if self.config.open_by_address[self.client[0]] <= 0:
                del self.config.open_by_address[self.client[0]]
        super().connection_lost(exc)

    # What comes

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if not self._in_headers or len(data) <= PIECE_BYTES:
            self._feed(data)
            return
        view = memoryview(data)
        while view and self.parser is not None and not self.transport.is_closing():
            # Once the headers are whole, what is left is a body or the requests after it.
            piece = len(view) if not self._in_headers else PIECE_BYTES
            self._feed(bytes(view[:piece]))
            view = view[piece:]

    def _feed(self, data: bytes) -> None:
        if self.due is None and self._in_headers:
            # The first bytes of the next request on this connection.
            self._wait(self.config.header_timeout_s)
        self._idle_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._idle_bytes > self._settings.header_bytes_max:
            self._refuse_size()
        elif self._awaits_body:
            self._wait(self.config.body_idle_timeout_s)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_headers, self._header_count, self._header_bytes = True, 0, 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > self._settings.url_bytes_max:
            self.refuse(RequestLineTooLong(f"An address has at most {self._settings.url_bytes_max} bytes."))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_count += 1
        self._header_bytes += len(name) + len(value)
        if self._header_count > self._settings.headers_max:
            self.refuse(HeadersTooLarge(f"A request has at most {self._settings.headers_max} headers."))
            return
        if self._header_bytes > self._settings.header_bytes_max:
            self._refuse_size()
            return
        # Trailers come here too, long after the application has read the headers: they are nobody's.
        if self._in_headers:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_headers, self._idle_bytes = False, 0
        if self.transport.is_closing():
            return
        self._awaits_body = True
        self._body_due = self.loop.time() + self.config.lines_timeout_s
        self._wait(self.config.body_idle_timeout_s)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._idle_bytes = 0
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_headers, self._awaits_body, self._idle_bytes = True, False, 0
        self.due = self._body_due = None
        if not self.transport.is_closing():
            super().on_message_complete()

    # What goes

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_due = self.loop.time() + self.config.write_timeout_s

    def resume_writing(self) -> None:
        super().resume_writing()
        self._write_due = None

    def _refuse_size(self) -> None:
        bound = self._settings.header_bytes_max
        self.refuse(HeadersTooLarge(f"A request's headers have at most {bound} bytes together."))

    # Time

    def overdue(self, now: float) -> None:
        """Looked at once a second: ends a connection that let its time pass."""
        if self.transport is None or self.transport.is_closing():
            return
        if self._write_due is not None and now >= self._write_due:
            # A caller that does not read gets no farewell either. Nothing that it sends meanwhile puts this off.
            self.transport.abort()
            return
        body_over = self._body_due is not None and now >= self._body_due
        if not body_over and (self.due is None or now < self.due):
            return
        if self._awaits_body and self._write_due is None and not body_over and self.flow.read_paused:
            # It is we who do not read: the caller's time stands still.
            self._wait(self.config.body_idle_timeout_s)
            return
        if self._in_headers and self.cycle is not None and not self.cycle.response_complete:
            # The answer to the request before is still ours to give; the one that comes slowly waits behind it.
            self._wait(self.config.header_timeout_s)
            return
        if self._write_due is not None:
            self.transport.abort()
            return
        self.refuse(RequestTimedOut("The request did not come whole in time; nothing was changed."))

    def _wait(self, seconds: float) -> None:
        self.due = self.loop.time() + seconds

    # The end

    def refuse(self, problem: Problem) -> None:
        """Answers with the problem where an answer is still possible, and closes."""
        if self.transport.is_closing():
            return
        self.due = self._body_due = None
        if self._awaits_body:
            answerable = not self.cycle.response_started and not self.pipeline
        else:
            answerable = self.cycle is None or self.cycle.response_complete
        if answerable:
            body = orjson.dumps(problem.document())
            head = (
                f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\ncache-control: no-store\r\n"
                "x-content-type-options: nosniff\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(STATUS_LINE[problem.status] + head.encode() + body)
        if self.cycle is not None and not self.cycle.response_complete:
            # Whoever still works on this request learns that its caller is gone.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP at all: a problem like any other."""
        self.refuse(HttpMalformed(msg))

    def _unsupported_upgrade_warning(self) -> None:
        """An upgrade is answered over HTTP/1.1; two lines in the log for each would be the caller's to write."""
