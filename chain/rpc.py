"""A thin JSON-RPC client: one keep-alive connection, batches, bounded time and size, typed errors.

An Rpc belongs to one thread; each loop makes its own. Reads are asked again a bounded number of times when the node
does not answer; a write never is, because its effect is then unknown and only its sender knows how to find out.
"""

import http.client
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from chain.errors import (
    AlreadyKnown,
    AnswerTooLarge,
    InsufficientFunds,
    MethodMissing,
    NodeTimeout,
    NodeUnavailable,
    NonceTooHigh,
    NonceTooLow,
    ResultTooWide,
    Reverted,
    RpcError,
    Underpriced,
)

ANSWER_MAX_BYTES: Final = 256 * 1024 * 1024
BATCH_MAX: Final = 200
READ_ATTEMPTS_MAX: Final = 4
RETRY_DELAY_S: Final = 0.1
CHUNK_BYTES: Final = 1 << 16
IDLE_S_MAX: Final = 1.0

WRITES: Final = frozenset({"eth_sendRawTransaction", "eth_sendTransaction", "evm_mine", "evm_revert", "evm_snapshot"})

# The words of Ganache, Anvil, geth and Besu, lower case; the first match decides. Sources: field/chain.md 2.6 for
# Ganache, core/txpool/errors.go for geth, crates/anvil/src/eth/error.rs for Anvil.
TEXTS: Final[tuple[tuple[str, type[RpcError]], ...]] = (
    ("already known", AlreadyKnown),
    ("known transaction", AlreadyKnown),
    ("transaction already imported", AlreadyKnown),
    ("already in mempool", AlreadyKnown),
    ("mining has already started", AlreadyKnown),
    ("nonce too low", NonceTooLow),
    ("nonce too high", NonceTooHigh),
    ("nonce gap", NonceTooHigh),
    ("nonce is too distant", NonceTooHigh),
    ("underpriced", Underpriced),
    ("fee too low", Underpriced),
    ("max fee per gas less than block base fee", Underpriced),
    ("gas price below", Underpriced),
    ("less than the block's basefeepergas", Underpriced),
    ("insufficient funds", InsufficientFunds),
    ("doesn't have enough funds", InsufficientFunds),
    ("query returned more than", ResultTooWide),
    ("block range", ResultTooWide),
    ("too many results", ResultTooWide),
    ("response size", ResultTooWide),
    ("method not found", MethodMissing),
    ("does not exist/is not available", MethodMissing),
    ("not supported", MethodMissing),
)
GANACHE_NONCE: Final = "the tx doesn't have the correct nonce. account has nonce of: "

RevertDecoder = Callable[[bytes], tuple[str, dict[str, Any]]]


def plain_revert(data: bytes) -> tuple[str, dict[str, Any]]:
    """Name and values of a revert when no ABI is at hand: Error(string), Panic(uint256) or the selector."""
    if data[:4] == b"\x08\xc3y\xa0" and len(data) >= 68:
        length = int.from_bytes(data[36:68])
        return "Error", {"message": data[68 : 68 + length].decode("utf-8", "replace")}
    if data[:4] == b"NH{q" and len(data) >= 36:
        return "Panic", {"code": str(int.from_bytes(data[4:36]))}
    return "UnknownError", {"data": "0x" + data[:256].hex()}


class Rpc:
    """Asks one node. Results come back as plain JSON values; errors as the classes of chain.errors."""

    def __init__(self, url: str, *, timeout_s: float = 10.0, decode_revert: RevertDecoder = plain_revert):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise NodeUnavailable(f"A node's address begins with http:// or https://, not {parts.scheme or 'nothing'}.")
        self._make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._host, self._port = parts.hostname, parts.port
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        # The path and the query may hold a key: only host and port are ever shown.
        self.shown = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
        self.timeout_s = timeout_s
        self._decode_revert = decode_revert
        self._batch_max = BATCH_MAX
        self._connection: http.client.HTTPConnection | None = None
        self._used_at = 0.0
        self._id = 0
        self.requests = 0

    def close(self) -> None:
        """Gives the connection back; the next call opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def call(self, method: str, *params: Any, timeout_s: float | None = None) -> Any:
        """The result of one method. Raises RpcError or a class below it, or NodeUnavailable."""
        body = self._envelope(method, params)
        answer = self._exchange(orjson.dumps(body), reading=method not in WRITES, timeout_s=timeout_s)
        if not isinstance(answer, Mapping):
            raise NodeUnavailable(f"{self.shown} answered {method} with something that is not JSON-RPC.")
        return self._result(method, answer)

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]], *, timeout_s: float | None = None) -> list[Any]:
        """The results of many reads, in their order; the first error of any is raised."""
        results = self.try_batch(calls, timeout_s=timeout_s)
        for result in results:
            if isinstance(result, RpcError):
                raise result
        return results

    def try_batch(self, calls: Sequence[tuple[str, Sequence[Any]]], *, timeout_s: float | None = None) -> list[Any]:
        """As `batch`, but an RpcError stands in the list where its result would be."""
        results: list[Any] = []
        while len(results) < len(calls):
            size = self._batch_max
            try:
                results += self._batch_once(calls[len(results) : len(results) + size], timeout_s)
            except RpcError:
                # The node refused the batch as a whole: most likely it is too large for it.
                if size == 1:
                    raise
                self._batch_max = size // 2
        return results

    def _batch_once(self, calls: Sequence[tuple[str, Sequence[Any]]], timeout_s: float | None) -> list[Any]:
        bodies = [self._envelope(method, params) for method, params in calls]
        reading = all(method not in WRITES for method, _ in calls)
        answers = self._exchange(orjson.dumps(bodies), reading=reading, timeout_s=timeout_s)
        if isinstance(answers, Mapping):
            raise self._error("batch", answers.get("error"))
        if not isinstance(answers, list):
            raise NodeUnavailable(f"{self.shown} answered a batch with something that is not JSON-RPC.")
        by_id = {answer.get("id"): answer for answer in answers if isinstance(answer, Mapping)}
        if len(answers) == 1 < len(bodies) and isinstance(answers[0], Mapping) and answers[0].get("error"):
            # geth's way to refuse a batch as a whole.
            raise self._error("batch", answers[0]["error"])
        results: list[Any] = []
        for body in bodies:
            answer = by_id.get(body["id"])
            if answer is None:
                raise NodeUnavailable(f"{self.shown} left {body['method']} out of its answer to a batch.")
            try:
                results.append(self._result(body["method"], answer))
            except RpcError as error:
                results.append(error)
        return results

    def _envelope(self, method: str, params: Sequence[Any]) -> dict[str, Any]:
        self._id += 1
        return {"jsonrpc": "2.0", "id": self._id, "method": method, "params": list(params)}

    def _result(self, method: str, answer: Mapping[str, Any]) -> Any:
        if answer.get("error") is not None:
            raise self._error(method, answer["error"])
        if "result" not in answer:
            raise NodeUnavailable(f"{self.shown} answered {method} with neither result nor error.")
        return answer["result"]

    def _error(self, method: str, error: Any) -> RpcError:
        """One table maps the words of many nodes to our types."""
        if not isinstance(error, Mapping):
            return RpcError(method, -32603, str(error)[:500])
        code, message, data = int(error.get("code") or -32603), str(error.get("message"))[:2000], error.get("data")
        text = message.lower()
        revert = revert_data(data)
        if revert is not None and (revert or "revert" in text):
            name, values = self._decode_revert(revert) if revert else ("EmptyRevert", {})
            return Reverted(method, code, message, data, name, values)
        if text.startswith(GANACHE_NONCE):
            has, _, tx = text[len(GANACHE_NONCE) :].partition(" tx has nonce of: ")
            return (NonceTooLow if int(tx or 0) < int(has or 0) else NonceTooHigh)(method, code, message, data)
        for words, kind in TEXTS:
            if words in text:
                return kind(method, code, message, data)
        if "revert" in text:
            return Reverted(method, code, message, data, "EmptyRevert", {})
        return MethodMissing(method, code, message, data) if code == -32601 else RpcError(method, code, message, data)

    def _exchange(self, body: bytes, *, reading: bool, timeout_s: float | None) -> Any:
        attempts_max = READ_ATTEMPTS_MAX if reading else 1
        for attempt in range(attempts_max):
            try:
                return self._once(body, timeout_s or self.timeout_s)
            except (NodeTimeout, AnswerTooLarge):
                raise
            except NodeUnavailable:
                if attempt == attempts_max - 1:
                    raise
                # The first retry is at once: a keep-alive connection which the node closed while idle looks the same.
                time.sleep(RETRY_DELAY_S * attempt)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _once(self, body: bytes, timeout_s: float) -> Any:
        until = time.monotonic() + timeout_s
        self.requests += 1
        try:
            connection = self._connect(timeout_s)
            connection.request("POST", self._path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            payload = self._read(response, until)
            if response.status >= 500 or response.status == 429:
                raise NodeUnavailable(f"{self.shown} answered HTTP {response.status}.")
            return orjson.loads(payload)
        except TimeoutError as error:
            self.close()
            raise NodeTimeout(f"{self.shown} did not answer within {timeout_s:g} s.") from error
        except orjson.JSONDecodeError as error:
            self.close()
            raise NodeUnavailable(f"{self.shown} answered with something that is not JSON.") from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise NodeUnavailable(f"{self.shown} cannot be reached: {error or type(error).__name__}.") from error
        except NodeUnavailable:
            self.close()
            raise

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
        if response.length is not None and response.length > ANSWER_MAX_BYTES:
            raise AnswerTooLarge(ANSWER_MAX_BYTES)
        parts: list[bytes] = []
        size = 0
        while chunk := response.read1(CHUNK_BYTES):
            size += len(chunk)
            if size > ANSWER_MAX_BYTES:
                raise AnswerTooLarge(ANSWER_MAX_BYTES)
            # A node that drips a byte at a time keeps every single read short; the whole has a bound too.
            if time.monotonic() > until:
                raise TimeoutError
            parts.append(chunk)
        # read1 leaves a fully read response open, and an open one blocks the next request.
        response.close()
        return b"".join(parts)


def revert_data(data: Any) -> bytes | None:
    """The bytes a contract reverted with, wherever the node put them; None when it put none.

    geth and Anvil: the hex itself. Ganache: {"result": hex, ...} for a transaction, the hex for a call.
    """
    if isinstance(data, Mapping):
        data = data.get("result") or data.get("data") or data.get("return")
    if isinstance(data, str) and data.startswith("0x"):
        try:
            return bytes.fromhex(data[2:])
        except ValueError:
            return None
    return None
