"""A line to a real node that misbehaves on command: the faults of the scripted node, before the answers of Anvil."""

from __future__ import annotations

import http.client
import json
import threading
from collections import defaultdict
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import orjson

from tests.simulation.node.heads import Heads
from tests.simulation.stage import Removed
from tests.support.scripted_node.faults import BATCH, Faults, padding_of
from tests.support.scripted_node.node import NO_NOTIFICATIONS, SUBSCRIBING, _envelope, _settle
from tests.support.scripted_node.pool import ANVIL, TEXTS, Sent
from tests.support.scripted_node.replies import Failure, Refusal, Reply, Request, Result, Wire
from tests.support.scripted_node.server import HOST, Server
from tests.support.scripted_node.sockets import Session

UPSTREAM_TIMEOUT_S: Final = 20.0
TAGS: Final = ("latest", "pending", "safe", "finalized")


class Upstream:
    """The honest node, asked over one connection that may break."""

    def __init__(self, url: str):
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or HOST, parts.port, timeout=UPSTREAM_TIMEOUT_S)
        self._lock = threading.Lock()

    def post(self, body: bytes) -> bytes:
        """The node's whole answer."""
        with self._lock:
            for attempt in (1, 2):
                try:
                    self._connection.request("POST", "/", body, {"Content-Type": "application/json"})
                    return self._connection.getresponse().read()
                except (OSError, http.client.HTTPException):
                    self._connection.close()
                    if attempt == 2:
                        raise
        raise AssertionError("unreachable")

    def call(self, method: str, params: list[Any]) -> Reply:
        """One call's reply."""
        answer = orjson.loads(self.post(orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})))
        if "error" in answer:
            return Failure(answer["error"]["code"], answer["error"]["message"], answer["error"].get("data"))
        return Result(answer["result"])

    def value(self, method: str, *params: Any) -> Any:
        """One call's result; None for an error."""
        reply = self.call(method, list(params))
        return reply.value if isinstance(reply, Result) else None


class Seen:
    """A block as the faults want it: its JSON and its logs."""

    def __init__(self, block: dict[str, Any], logs: list[dict[str, Any]]):
        self.json = orjson.dumps(block)
        self.full_json = self.json
        self._logs = logs

    def logs_json(self, addresses: frozenset[str] | None, topics: Any = ()) -> list[bytes]:
        """The logs that match a filter."""
        return [
            orjson.dumps(log)
            for log in self._logs
            if (addresses is None or log["address"].lower() in addresses)
            and all(
                wanted is None or (at < len(log["topics"]) and log["topics"][at] in wanted)
                for at, wanted in enumerate(topics)
            )
        ]


class Blocks:
    """The present chain by number."""

    def __init__(self, upstream: Upstream):
        self._upstream = upstream

    def __getitem__(self, number: int) -> Seen:
        block = self._upstream.value("eth_getBlockByNumber", hex(number), False)
        logs = self._upstream.value("eth_getLogs", {"fromBlock": hex(number), "toBlock": hex(number)})
        return Seen(block or {}, logs or [])


class ChainSeen:
    """The chain as the faults want it."""

    def __init__(self, upstream: Upstream):
        self._upstream = upstream
        self.blocks = Blocks(upstream)
        self.orphans: dict[int, list[Seen]] = defaultdict(list)

    def block(self, number: int) -> Seen | None:
        """The block of that number, or None."""
        if number < 0:
            return None
        found = self._upstream.value("eth_getBlockByNumber", hex(number), False)
        return Seen(found, []) if found else None


class PoolSeen:
    """The pool as the faults want it."""

    def __init__(self, upstream: Upstream):
        self._upstream = upstream

    def refusal(self, reason: str, sent: Sent) -> Refusal:
        """The node's error for a reason, in its words."""
        code, text = TEXTS[ANVIL][reason]
        has = int(self._upstream.value("eth_getTransactionCount", sent.sender, "latest"), 16)
        fee = sent.fee_cap_wei
        return Refusal(code, text.format(has=has, nonce=sent.nonce, sender=sent.sender, fee=fee, base_fee=10**9))


class NodeMethods:
    """What the faults know of the node behind them."""

    def __init__(self, upstream: Upstream):
        self._upstream = upstream
        self.chain = ChainSeen(upstream)
        self.pool = PoolSeen(upstream)

    def head(self) -> int:
        """The newest block's number."""
        return int(self._upstream.value("eth_blockNumber"), 16)

    def answer(self, request: Request, *, behind: int = 0) -> Reply:
        """The node's answer, or that of a node whose head is some blocks behind."""
        if not behind:
            return self._upstream.call(request.method, request.params)
        top = max(0, self.head() - behind)
        params = list(request.params)
        if request.method == "eth_blockNumber":
            return Result(hex(top))
        if request.method == "eth_getBlockByNumber":
            number = self._number(params[0], top)
            return Result(None) if number > top else self._upstream.call(request.method, [hex(number), *params[1:]])
        if request.method == "eth_getLogs" and "blockHash" not in params[0]:
            first, last = (self._number(params[0].get(key, "latest"), top) for key in ("fromBlock", "toBlock"))
            if first > top:
                return Result([])
            wanted = {**params[0], "fromBlock": hex(first), "toBlock": hex(min(last, top))}
            return self._upstream.call(request.method, [wanted])
        reply = self._upstream.call(request.method, params)
        value = reply.value if isinstance(reply, Result) else None
        if isinstance(value, dict) and value.get("blockNumber") and int(value["blockNumber"], 16) > top:
            return Result(None)
        return reply

    def log_range(self, params: list[Any]) -> tuple[int, int]:
        """First and last block of a filter."""
        if "blockHash" in params[0]:
            return 0, 0
        top = self.head()
        first = self._number(params[0].get("fromBlock", "latest"), top)
        return first, min(top, self._number(params[0].get("toBlock", "latest"), top))

    def count_logs(self, params: list[Any]) -> int:
        """How many logs an honest answer has."""
        return len(self._upstream.value("eth_getLogs", *params) or [])

    def _number(self, tag: str, top: int) -> int:
        return {"earliest": 0, **dict.fromkeys(TAGS, top)}[tag] if not tag.startswith("0x") else int(tag, 16)


class Proxy:
    """Where workers believe the node to be. `watch` is told before and after each request is passed on."""

    def __init__(self, node_url: str):
        self._node_url = node_url
        self._upstream = Upstream(node_url)
        self.methods = NodeMethods(self._upstream)
        self.faults = Faults(0)
        self.requests = 0
        self.watch: Callable[[str, int], None] = lambda place, number: None
        self._server = Server(self._http, self._socket)

    def __enter__(self) -> Self:
        self._server.start()
        self.heads = Heads(self._server, Upstream(self._node_url).value)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.heads.close()
        self._server.stop()

    @property
    def url(self) -> str:
        """For the workers."""
        return f"http://{HOST}:{self._server.port}"

    def reset(self, seed: int) -> None:
        """A new episode: an honest line, nothing counted."""
        self.faults = Faults(seed)
        self.heads.mode = ("all", "all", "doubled", "none")[seed % 4]
        self.methods.chain.orphans.clear()
        self.requests = 0
        self.watch = lambda place, number: None
        self._server.up()

    def remember(self, removed: list[Removed]) -> None:
        """Blocks that left the chain: some faults answer with them."""
        for one in removed:
            self.methods.chain.orphans[one.number].append(Seen(one.block, one.logs))

    def down(self) -> None:
        """Connections are refused and broken."""
        self._server.down()

    def up(self) -> None:
        """Listens again."""
        self._server.up()

    def drop(self) -> None:
        """Breaks what is open."""
        self._server.drop_connections()

    def _http(self, body: bytes) -> tuple[float, Wire]:
        return self._answer(body, None)

    def _socket(self, body: bytes, session: Session) -> tuple[float, Wire]:
        return self._answer(body, session)

    def _answer(self, body: bytes, session: Session | None) -> tuple[float, Wire]:
        self.requests += 1
        number = self.requests
        self.watch("request", number)
        delay_s, wire = self._through(body, session)
        self.watch("answer", number)
        return delay_s, wire

    def _through(self, body: bytes, session: Session | None) -> tuple[float, Wire]:
        if not self.faults._active and session is None:
            return 0.0, Wire("keep", body=self._upstream.post(body))
        asked = json.loads(body)
        calls = asked if isinstance(asked, list) else [asked]
        requests = [Request(str(call.get("method")), call.get("params") or []) for call in calls]
        waited_s, answers = 0.0, []
        for call, request in zip(calls, requests, strict=True):
            delay_s, reply = _settle(self._call(request, session))
            waited_s += delay_s
            if isinstance(reply, Wire):
                return waited_s, self._wire(reply, body)
            if not isinstance(asked, list):
                return waited_s, Wire("keep", body=b" " * padding_of(reply) + _envelope(asked.get("id"), reply))
            answers.append(orjson.Fragment(_envelope(call.get("id"), reply)))
        whole = Request(BATCH, calls)
        delay_s, reply = _settle(self.faults.through(whole, self.methods, lambda: Result(answers)))
        if isinstance(reply, Wire):
            return waited_s + delay_s, self._wire(reply, body)
        return waited_s + delay_s, Wire(
            "keep", body=orjson.dumps(reply.value) if isinstance(reply, Result) else _envelope(None, reply)
        )

    def _call(self, request: Request, session: Session | None) -> Reply:
        def honest() -> Reply:
            if request.method in SUBSCRIBING:
                return session.subscribe(request) if session is not None else NO_NOTIFICATIONS
            return self.methods.answer(request)

        return self.faults.through(request, self.methods, honest)

    def _wire(self, wire: Wire, body: bytes) -> Wire:
        """A cut needs an answer to cut."""
        return wire if wire.ending != "cut" else Wire("cut", body=self._upstream.post(body))
