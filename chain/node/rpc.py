"""A thin JSON-RPC client over HTTP or WebSocket: batches, bounded time, size and rate, typed errors.

An Rpc belongs to one thread; each loop makes its own. Reads are asked again a bounded number of times when the node
does not answer; a write never is, because its effect is then unknown and only its sender knows how to find out. All
Rpcs of one process share one limiter for each node (chain.node.outage_limiter), so that an outage costs it a few
requests a second.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import orjson

from chain.base.errors import (
    AlreadyKnown,
    AnswerTooLarge,
    ChainError,
    InsufficientFunds,
    MethodMissing,
    NodeAway,
    NodeTimeout,
    NodeUnavailable,
    NonceTooHigh,
    NonceTooLow,
    RequestTooLarge,
    ResultTooWide,
    Reverted,
    RpcError,
    TooManyRequests,
    Underpriced,
)
from chain.base.reverts import plain_revert, storable
from chain.node import transport
from chain.node.outage_limiter import OutageLimiter, limiter_of

BATCH_MAX: Final = 200
BATCH_STEP: Final = 5
READ_ATTEMPTS_MAX: Final = 4
RETRY_DELAY_S: Final = 0.1

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
    ("range too large", ResultTooWide),
    ("range is too large", ResultTooWide),
    ("is limited to a", ResultTooWide),
    ("too many results", ResultTooWide),
    ("max results", ResultTooWide),
    ("response size", ResultTooWide),
    ("response too large", ResultTooWide),
    ("too many blocks", ResultTooWide),
    ("requested blocks", ResultTooWide),
    ("blocks distance", ResultTooWide),
    ("query must be smaller", ResultTooWide),
    ("limit the query", ResultTooWide),
    ("logs matched by query", ResultTooWide),
    ("exceeds the range", ResultTooWide),
    ("method not found", MethodMissing),
    ("does not exist/is not available", MethodMissing),
    ("not supported", MethodMissing),
)
# A provider's refusal of the pace, put into JSON with a status of 200 or 429. Sources: Infura, Alchemy, QuickNode.
PACE_TEXTS: Final = ("rate limit", "too many requests", "exceeded its compute units", "request limit reached")
PACE_CODES: Final = (429, -32097)
GANACHE_NONCE: Final = "the tx doesn't have the correct nonce. account has nonce of: "

# (method or "batch", seconds, the error's name or None): called after every exchange with the node.
Observe = Callable[[str, float, str | None], None]
RevertDecoder = Callable[[bytes], tuple[str, dict[str, Any]]]


class Rpc:
    """Asks one node. Results come back as plain JSON values; errors as the classes of chain.base.errors."""

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = 10.0,
        decode_revert: RevertDecoder = plain_revert,
        observe: Observe | None = None,
        paced: bool = True,
        answer_max_bytes: int = transport.ANSWER_MAX_BYTES,
    ):
        self._transport = transport.open_transport(url, answer_max_bytes)
        # The path and the query may hold a key: only host and port are ever shown.
        self.shown = self._transport.shown
        self.timeout_s = timeout_s
        self._decode_revert = decode_revert
        self._observe = observe
        self._limiter = limiter_of(self.shown) if paced else OutageLimiter(self.shown, rationed=False)
        # What the node takes in one batch, and what it takes at the moment.
        self._batch_limit = BATCH_MAX
        self._batch_max = BATCH_MAX
        self._id = 0
        self.requests = 0

    def close(self) -> None:
        """Gives the connection back; the next call opens another."""
        self._transport.close()

    def call(self, method: str, *params: Any, timeout_s: float | None = None) -> Any:
        """The result of one method. Raises RpcError or a class below it, or NodeUnavailable."""
        body = self._envelope(method, params)
        answer = self._exchange(method, orjson.dumps(body), reading=method not in WRITES, timeout_s=timeout_s)
        if not isinstance(answer, Mapping):
            raise NodeUnavailable(f"{self.shown} answered {method} with something that is not JSON-RPC.")
        if answer.get("error") is None and answer.get("id") != body["id"]:
            raise NodeUnavailable(f"{self.shown} answered {method} with what was asked another time.")
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
                self._batch_max = min(self._batch_limit, self._batch_max + BATCH_STEP)
            except (RpcError, RequestTooLarge, AnswerTooLarge):
                # The node refused the batch as a whole, or we its answer: it is too large for one of us.
                if size == 1:
                    raise
                self._batch_max = self._batch_limit = size // 2
            except NodeUnavailable:
                # Perhaps it is too much for the node at the moment; the caller decides when to ask again.
                self._batch_max = max(1, size // 2)
                raise
        return results

    def _batch_once(self, calls: Sequence[tuple[str, Sequence[Any]]], timeout_s: float | None) -> list[Any]:
        if len(calls) == 1:
            # As a plain call: some providers take no batches at all, not even of one.
            method, params = calls[0]
            try:
                return [self.call(method, *params, timeout_s=timeout_s)]
            except RpcError as error:
                return [error]
        bodies = [self._envelope(method, params) for method, params in calls]
        reading = all(method not in WRITES for method, _ in calls)
        methods = {method for method, _ in calls}
        what = methods.pop() if len(methods) == 1 else "batch"
        answers = self._exchange(what, orjson.dumps(bodies), reading=reading, timeout_s=timeout_s)
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
        self._limiter.answered()
        return answer["result"]

    def _error(self, method: str, error: Any) -> ChainError:
        """One table maps the words of many nodes to our types."""
        if not isinstance(error, Mapping):
            return RpcError(method, -32603, storable(str(error)[:500]))
        code, message, data = _code(error.get("code")), storable(str(error.get("message"))[:2000]), error.get("data")
        text = message.lower()
        if code in PACE_CODES or any(words in text for words in PACE_TEXTS):
            self._limiter.failed()
            return TooManyRequests(f"{self.shown} refuses {method} for now: {message[:200]}")
        self._limiter.answered()
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

    def _exchange(self, method: str, body: bytes, *, reading: bool, timeout_s: float | None) -> Any:
        attempts_max = READ_ATTEMPTS_MAX if reading else 1
        for attempt in range(attempts_max):
            try:
                return self._once(method, body, timeout_s or self.timeout_s)
            except (NodeTimeout, AnswerTooLarge, RequestTooLarge, NodeAway):
                raise
            except NodeUnavailable:
                if attempt == attempts_max - 1:
                    raise
                # The first retry is at once: a keep-alive connection which the node closed while idle looks the same.
                time.sleep(RETRY_DELAY_S * attempt)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _once(self, method: str, body: bytes, timeout_s: float) -> Any:
        self._limiter.turn()
        self.requests += 1
        began = time.monotonic()
        failure: str | None = None
        try:
            return orjson.loads(self._transport.exchange(body, timeout_s))
        except orjson.JSONDecodeError as error:
            self._transport.close()
            self._limiter.failed()
            failure = "NotJson"
            raise NodeUnavailable(f"{self.shown} answered with something that is not JSON.") from error
        except NodeUnavailable as error:
            # An answer above our own bound came from a node that is well.
            if not isinstance(error, AnswerTooLarge | RequestTooLarge):
                self._limiter.failed(error.retry_after_s if isinstance(error, TooManyRequests) else None)
            failure = error.name
            raise
        finally:
            if self._observe is not None:
                self._observe(method, time.monotonic() - began, failure)


def _code(value: Any) -> int:
    """A number, whatever the node put into its place."""
    return value if isinstance(value, int) and value else -32603


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
