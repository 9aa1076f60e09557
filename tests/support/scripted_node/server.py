"""HTTP and WebSocket on one port of loopback, in a thread of its own; able to break every rule of either."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final

from scripts.stack.local_stack import free_port
from tests.support.scripted_node.chain import Change
from tests.support.scripted_node.replies import Wire
from tests.support.scripted_node.sockets import Answer, Session

HOST: Final = "127.0.0.1"
START_TIMEOUT_S: Final = 10.0
HEAD_BYTES_MAX: Final = 1 << 16
REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    429: "Too Many Requests",
    502: "Bad Gateway",
    503: "Service Unavailable",
}

HttpAnswer = Callable[[bytes], tuple[float, Wire]]


class Server:
    """Starts on a free port and keeps it: after `down`, `up` listens there again."""

    def __init__(self, answer: HttpAnswer, session_answer: Answer):
        self._answer = answer
        self._session_answer = session_answer
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="scripted node", daemon=True)
        self._listener: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self.sessions: set[Session] = set()
        self.port = 0

    def start(self) -> None:
        """Returns when the port is open."""
        self._thread.start()
        self.up()

    def stop(self) -> None:
        """Closes everything and ends the thread."""
        self.down()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_TIMEOUT_S)
        self._loop.close()

    def up(self) -> None:
        """Listens, on the same port as before."""
        self._do(self._up())

    def down(self) -> None:
        """Refuses connections and resets those that are open."""
        self._do(self._down())

    def drop_connections(self) -> None:
        """Resets what is open and goes on listening."""
        self._do(self._drop())

    def push(self, change: Change, mode: str) -> None:
        """Tells every WebSocket client of a change of the chain."""

        def tell() -> None:
            for session in list(self.sessions):
                session.push(change, mode)

        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(tell)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(START_TIMEOUT_S)

    async def _up(self) -> None:
        if self._listener is None:
            # Not one of those that the system gives out by itself: somebody else could be given it while we are down.
            self.port = self.port or free_port()
            self._listener = await asyncio.start_server(self._connected, HOST, self.port, limit=HEAD_BYTES_MAX)

    async def _down(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        await self._drop()

    async def _drop(self) -> None:
        tasks = dict(self._connections)
        for task, writer in tasks.items():
            reset(writer)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "a connection is served by a task"
        self._connections[task] = writer
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await self._serve(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            del self._connections[task]
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            headers = _headers(head)
            if headers.get("upgrade", "").lower() == "websocket":
                return await self._serve_session(head, reader, writer)
            if headers.get("expect") == "100-continue":
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            delay_s, wire = self._answer(body)
            if delay_s:
                await asyncio.sleep(delay_s)
            if not await self._send(wire, writer) or headers.get("connection", "").lower() == "close":
                return None

    async def _serve_session(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session(writer, self._session_answer, reset)
        self.sessions.add(session)
        try:
            await session.run(head, reader)
        finally:
            self.sessions.discard(session)

    async def _send(self, wire: Wire, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on."""
        if wire.ending == "hang":
            await asyncio.get_running_loop().create_future()
        if wire.ending == "reset":
            reset(writer)
        if wire.ending not in ("keep", "cut"):
            return False
        lines = [
            f"HTTP/1.1 {wire.status} {REASONS.get(wire.status, 'Status')}",
            f"Content-Length: {len(wire.body)}",
            *(f"{name}: {value}" for name, value in {"Content-Type": "application/json", **wire.headers}.items()),
        ]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
        writer.write(wire.body if wire.ending == "keep" else wire.body[: len(wire.body) // 2])
        await writer.drain()
        if wire.ending == "cut":
            writer.close()
            return False
        return True


def reset(writer: asyncio.StreamWriter) -> None:
    """Ends a connection as a crash would: with RST, and what was not sent yet is lost."""
    raw: socket.socket | None = writer.get_extra_info("socket")
    if raw is not None:
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _headers(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return {name.strip().lower(): value.strip() for name, value in pairs}
