"""The WebSocket side: the same calls, and subscriptions to new heads and to logs."""

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Any, Final

import orjson
from websockets.frames import Frame, Opcode
from websockets.http11 import Request as Handshake
from websockets.server import ServerProtocol

from tests.support.scripted_node.chain import Change
from tests.support.scripted_node.methods import addresses_of, topics_of
from tests.support.scripted_node.replies import Failure, Reply, Request, Result, Wire

READ_BYTES: Final = 1 << 16
KINDS: Final = ("newHeads", "logs")

# (body, the session that asked) -> (seconds to wait, what then goes over the wire)
Answer = Callable[[bytes, "Session"], tuple[float, Wire]]


class Session:
    """One client. Each message is answered on its own, so a slow answer does not hold up the next."""

    def __init__(self, writer: asyncio.StreamWriter, answer: Answer, reset: Callable[[asyncio.StreamWriter], None]):
        self._writer = writer
        self._answer = answer
        self._reset = reset
        self._protocol = ServerProtocol(max_size=None)
        self._ids = count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self.subscriptions: dict[str, tuple[str, dict[str, Any]]] = {}

    async def run(self, handshake: bytes, reader: asyncio.StreamReader) -> None:
        """Until the client goes or is thrown out. `handshake`: the HTTP request that asked for the upgrade."""
        self._protocol.receive_data(handshake)
        parts: list[bytes] = []
        try:
            while self._open():
                for event in self._protocol.events_received():
                    self._take(event, parts)
                self._flush()
                data = await reader.read(READ_BYTES)
                self._protocol.receive_data(data) if data else self._protocol.receive_eof()
                if not data:
                    break
        finally:
            self.subscriptions.clear()
            for task in self._tasks:
                task.cancel()

    def push(self, change: Change, mode: str) -> None:
        """Tells the subscribers. `mode`: all, last (only the newest head), doubled, or none."""
        if mode == "none" or not self._open():
            return
        for id, (kind, wanted) in list(self.subscriptions.items()):
            notes = self._heads(change, mode) if kind == "newHeads" else self._logs(change, wanted)
            for note in notes:
                for _ in range(2 if mode == "doubled" else 1):
                    params = {"subscription": id, "result": note}
                    self._say({"jsonrpc": "2.0", "method": "eth_subscription", "params": params})

    def subscribe(self, request: Request) -> Reply:
        """eth_subscribe and eth_unsubscribe."""
        if request.method == "eth_unsubscribe":
            return Result(self.subscriptions.pop(request.params[0], None) is not None)
        kind = request.params[0] if request.params else None
        if kind not in KINDS:
            return Failure(-32601, f'no "{kind}" subscription in eth namespace')
        id = hex(next(self._ids))
        self.subscriptions[id] = (kind, request.params[1] if len(request.params) > 1 else {})
        return Result(id)

    def drop(self) -> None:
        """Resets the connection."""
        self._reset(self._writer)

    def _heads(self, change: Change, mode: str) -> list[Any]:
        blocks = change.added[-1:] if mode == "last" else change.added
        return [block.fields for block in blocks]

    def _logs(self, change: Change, wanted: dict[str, Any]) -> list[Any]:
        addresses, topics = addresses_of(wanted), topics_of(wanted)
        gone = [
            json.replace(b'"removed":false', b'"removed":true')
            for block in change.removed
            for json in block.logs_json(addresses, topics)
        ]
        come = [json for block in change.added for json in block.logs_json(addresses, topics)]
        return [orjson.Fragment(json) for json in gone + come]

    def _take(self, event: Handshake | Frame | Any, parts: list[bytes]) -> None:
        if isinstance(event, Handshake):
            self._protocol.send_response(self._protocol.accept(event))
        elif isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            parts.append(bytes(event.data))
            if event.fin:
                task = asyncio.create_task(self._reply(b"".join(parts)))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                parts.clear()

    async def _reply(self, body: bytes) -> None:
        delay_s, wire = self._answer(body, self)
        if delay_s:
            await asyncio.sleep(delay_s)
        if wire.ending == "hang" or not self._open():
            return
        if wire.ending in ("reset", "cut"):
            self.drop()
        elif wire.ending == "close" or wire.status != 200:
            self._protocol.send_close(1011)
            self._flush()
        else:
            self._protocol.send_text(wire.body)
            self._flush()

    def _say(self, message: Any) -> None:
        self._protocol.send_text(orjson.dumps(message))
        self._flush()

    def _open(self) -> bool:
        return self._protocol.state.name in ("CONNECTING", "OPEN") and not self._writer.is_closing()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._writer.write(data)
            else:
                self._writer.write_eof()
