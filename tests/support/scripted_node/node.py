"""A scripted node: a chain whose truth is known, served as JSON-RPC, that misbehaves on command.

with ScriptedNode(seed=7) as node:
    token = address_of("token")
    traffic = Traffic(node.chain, token)
    traffic.mine(blocks=20, transfers=5)
    ...                                    # point any client at node.url or node.ws_url
    traffic.reorg(3, "others")
    with node.faults.add(bad_gateway()):
        ...
    assert rows == node.truth(token).transfers
"""

import json
from types import TracebackType
from typing import Any, Final, Self

import orjson

from tests.support.scripted_node.chain import Chain, Change
from tests.support.scripted_node.faults import BATCH, Faults, padding_of
from tests.support.scripted_node.methods import Methods
from tests.support.scripted_node.pool import GETH, Pool
from tests.support.scripted_node.replies import Failure, Late, Reply, Request, Result, Wire
from tests.support.scripted_node.requests import RequestLog
from tests.support.scripted_node.server import HOST, Server
from tests.support.scripted_node.sockets import Session
from tests.support.scripted_node.truth import Truth, truth

SUBSCRIBING: Final = ("eth_subscribe", "eth_unsubscribe")
NO_NOTIFICATIONS: Final = Failure(-32001, "notifications not supported")


class ScriptedNode:
    """Everything a test commands: `chain`, `pool`, `faults`, `log`, `methods`, and the server itself.

    `dialect`: the node whose words and habits it has: geth, ganache or anvil. `automine`: a sent transaction is mined
    at once, in a block of its own. `push`: how subscribers are told: all, last, doubled or none.
    """

    def __init__(self, *, seed: int = 1, chain_id: int = 1337, dialect: str = GETH, chain: Chain | None = None):
        self.chain = chain or Chain(seed=seed, chain_id=chain_id)
        self.pool = Pool(self.chain, dialect)
        self.methods = Methods(self.chain, self.pool, dialect)
        self.methods.sent = self._sent
        self.faults = Faults(seed)
        self.log = RequestLog()
        self.automine = False
        self.push = "all"
        self._server = Server(self._http, self._socket)
        self.chain.listeners.append(self._changed)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.chain.listeners.remove(self._changed)
        self._server.stop()

    @property
    def url(self) -> str:
        """For HTTP."""
        return f"http://{HOST}:{self._server.port}"

    @property
    def ws_url(self) -> str:
        """For WebSocket, on the same port."""
        return f"ws://{HOST}:{self._server.port}"

    def truth(self, *tokens: str, at: int | None = None) -> Truth:
        """What an indexer of these tokens (all, without any) must hold as of a block, or of the head."""
        return truth(self.chain, *tokens, at=at)

    def mine_pool(self, count_max: int | None = None) -> list[str]:
        """A block of what was sent and may go; the hashes that went in."""
        with self.chain.lock:
            transactions = self.pool.take(count_max)
            self.chain.mine(transactions)
        return [transaction.hash for transaction in transactions]

    def reorg_pool(self, depth: int, *, blocks: int | None = None, back: bool = True) -> Change:
        """Takes `depth` blocks back and mines empty ones; with `back`, what was sent by someone waits again."""
        with self.chain.lock:
            change = self.chain.reorg(depth, *([()] * (depth + 1 if blocks is None else blocks)))
            if back:
                self.pool.put_back([one for block in change.removed[::-1] for one in block.transactions])
        return change

    def down(self) -> None:
        """Connections are refused, as when the process is gone."""
        self._server.down()

    def up(self) -> None:
        """Listens again on the same port."""
        self._server.up()

    def drop_connections(self) -> None:
        """Resets every open connection, WebSockets included; new ones are welcome."""
        self._server.drop_connections()

    @property
    def subscribers(self) -> int:
        """How many subscriptions are open."""
        return sum(len(session.subscriptions) for session in list(self._server.sessions))

    # Answering

    def _changed(self, change: Change) -> None:
        self._server.push(change, self.push)

    def _sent(self) -> None:
        if self.automine:
            self.mine_pool()

    def _http(self, body: bytes) -> tuple[float, Wire]:
        return self._answer(body, None)

    def _socket(self, body: bytes, session: Session) -> tuple[float, Wire]:
        return self._answer(body, session)

    def _answer(self, body: bytes, session: Session | None) -> tuple[float, Wire]:
        try:
            # The standard parser takes integers of any length, which a client may well send.
            asked = json.loads(body)
        except ValueError:
            return 0.0, Wire("keep", body=_envelope(None, Failure(-32700, "parse error")))
        calls = asked if isinstance(asked, list) else [asked]
        transport = "http" if session is None else "ws"
        requests = [Request(str(call.get("method")), call.get("params") or [], transport) for call in calls]
        self.log.note(transport, [(request.method, request.params) for request in requests])
        if isinstance(asked, list):
            return self._batch(calls, requests, session)
        delay_s, reply = _settle(self._call(requests[0], session))
        if isinstance(reply, Wire):
            return delay_s, self._wire(reply, calls, requests)
        return delay_s, Wire("keep", body=b" " * padding_of(reply) + _envelope(asked.get("id"), reply))

    def _batch(
        self, calls: list[dict[str, Any]], requests: list[Request], session: Session | None
    ) -> tuple[float, Wire]:
        waited_s, answers = 0.0, []
        for call, request in zip(calls, requests, strict=True):
            delay_s, reply = _settle(self._call(request, session))
            waited_s += delay_s
            if isinstance(reply, Wire):
                return waited_s, self._wire(reply, calls, requests)
            answers.append(orjson.Fragment(_envelope(call.get("id"), reply)))
        whole = Request(BATCH, calls, requests[0].transport if requests else "http")
        delay_s, reply = _settle(self.faults.through(whole, self.methods, lambda: Result(answers)))
        if isinstance(reply, Wire):
            return waited_s + delay_s, self._wire(reply, calls, requests)
        body = orjson.dumps(reply.value) if isinstance(reply, Result) else _envelope(None, reply)
        return waited_s + delay_s, Wire("keep", body=body)

    def _call(self, request: Request, session: Session | None) -> Reply:
        def honest() -> Reply:
            if request.method in SUBSCRIBING:
                return session.subscribe(request) if session is not None else NO_NOTIFICATIONS
            return self.methods.answer(request)

        return self.faults.through(request, self.methods, honest)

    def _wire(self, wire: Wire, calls: list[dict[str, Any]], requests: list[Request]) -> Wire:
        """A cut needs an answer to cut."""
        if wire.ending != "cut":
            return wire
        parts = [
            _envelope(call.get("id"), self.methods.answer(request))
            for call, request in zip(calls, requests, strict=True)
        ]
        return Wire("cut", body=b"[" + b",".join(parts) + b"]")


def _settle(reply: Reply) -> tuple[float, Result | Failure | Wire]:
    delay_s = 0.0
    while isinstance(reply, Late):
        delay_s += reply.delay_s
        reply = reply.reply
    return delay_s, reply


def _envelope(id: Any, reply: Reply) -> bytes:
    head = {"jsonrpc": "2.0", "id": id}
    if isinstance(reply, Result):
        return orjson.dumps({**head, "result": reply.value})
    assert isinstance(reply, Failure), "a wire is no answer"
    error = {"code": reply.code, "message": reply.message}
    return orjson.dumps({**head, "error": error if reply.data is None else {**error, "data": reply.data}})
