"""Misbehaviour on command. A fault stands between a request and its honest answer and may do anything with either.

    node.faults.add(slow(2.0), "eth_getLogs", times=3)      # the next three
    with node.faults.add(bad_gateway()):                    # everything, while the block lasts
        ...

Of several faults that want a request, the one added last has the first word; behind it stand the others and the
honest node. `fault.hits` counts what was really done; `faults.counts()` adds it up by name; `faults.unmet()` names
those that never struck: whoever plants a fault asks for it at the end. What strikes by chance has `sure=False`.
"""

import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

from tests.support.scripted_node.methods import Methods, addresses_of, fragment, shown, topics_of
from tests.support.scripted_node.pool import decode
from tests.support.scripted_node.replies import Failure, GoOn, Late, Refusal, Reply, Request, Result, Wire, plain

BATCH: Final = "batch"
SEND: Final = "eth_sendRawTransaction"
LOGS: Final = "eth_getLogs"
BY_NUMBER: Final = "eth_getBlockByNumber"
RECEIPT: Final = "eth_getTransactionReceipt"
HEADS: Final = (BY_NUMBER, "eth_blockNumber", LOGS, RECEIPT, "eth_getBlockReceipts", "eth_getTransactionByHash")
# Everything but a batch as a whole: its calls are asked one by one.
ANY: Final = ()

Act = Callable[[Request, GoOn, Methods], Reply]
When = Callable[[Request, Methods], bool]


def always(request: Request, methods: Methods) -> bool:
    """Every request."""
    return True


def now_and_then(chance: float, seed: int) -> When:
    """The first request that it may strike, so that it is never nothing, and of the others as many as dice say."""
    dice, fresh = random.Random(seed), iter([True])

    def strikes(request: Request, methods: Methods) -> bool:
        return next(fresh, False) or dice.random() < chance

    return strikes


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a fault does, to which methods if nothing else is said, and under which condition."""

    name: str
    act: Act
    methods: tuple[str, ...] = ANY
    when: When = always


@dataclass(eq=False)
class Fault:
    """A behaviour at work. A context manager that ends it."""

    behaviour: Behaviour
    methods: tuple[str, ...]
    times: int | None
    when: When
    chance: float
    sure: bool
    faults: "Faults" = field(repr=False)
    hits: int = 0

    def clear(self) -> None:
        """Ends it; its hits stay."""
        self.faults.remove(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def wants(self, request: Request, methods: Methods, dice: random.Random) -> bool:
        """Whether this request is taken; counts it if so."""
        if self.methods and request.method not in self.methods:
            return False
        if not self.methods and request.method == BATCH:
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        if not (self.behaviour.when(request, methods) and self.when(request, methods)):
            return False
        if self.chance < 1 and dice.random() >= self.chance:
            return False
        self.hits += 1
        return True


class Faults:
    """All faults at work, oldest first. Dice are seeded."""

    def __init__(self, seed: int):
        self._lock = threading.RLock()
        self._active: list[Fault] = []
        self._all: list[Fault] = []
        self._dice = random.Random(seed)

    def add(
        self,
        behaviour: Behaviour,
        *methods: str,
        times: int | None = None,
        when: When = always,
        chance: float = 1.0,
        sure: bool = True,
    ) -> Fault:
        """From now on; `times` bounds how often, `chance` how likely for each request, `when` looks at the request."""
        fault = Fault(behaviour, methods or behaviour.methods, times, when, chance, sure, self)
        with self._lock:
            self._active.append(fault)
            self._all.append(fault)
        return fault

    def remove(self, fault: Fault) -> None:
        """Ends one."""
        with self._lock:
            if fault in self._active:
                self._active.remove(fault)

    def clear(self) -> None:
        """Ends all."""
        with self._lock:
            self._active.clear()

    def counts(self) -> Counter[str]:
        """How often each kind struck, ended ones included."""
        with self._lock:
            return Counter({name: hits for name, hits in self._sums().items() if hits})

    def unmet(self) -> list[str]:
        """Names of those that were sure to strike and never did."""
        with self._lock:
            return [fault.behaviour.name for fault in self._all if fault.sure and not fault.hits]

    def _sums(self) -> Counter[str]:
        sums: Counter[str] = Counter()
        for fault in self._all:
            sums[fault.behaviour.name] += fault.hits
        return sums

    def through(self, request: Request, methods: Methods, honest: GoOn) -> Reply:
        """The reply that comes out at the end."""
        with self._lock:
            active = self._active[::-1]
        return self._from(active, request, methods, honest)

    def _from(self, active: list[Fault], request: Request, methods: Methods, honest: GoOn) -> Reply:
        for index, fault in enumerate(active):
            if fault.wants(request, methods, self._dice):
                rest = active[index + 1 :]
                return fault.behaviour.act(request, partial(self._from, rest, request, methods, honest), methods)
        return honest()


# The connection misbehaves


def slow(delay_s: float) -> Behaviour:
    """The right answer, late."""
    return Behaviour("slow", lambda request, go_on, methods: Late(delay_s, go_on()))


def hang() -> Behaviour:
    """No answer, ever; the connection stays open."""
    return _wire("hang", Wire("hang"))


def reset() -> Behaviour:
    """The connection is reset instead of an answer."""
    return _wire("reset", Wire("reset"))


def close() -> Behaviour:
    """The connection is closed in good order instead of an answer."""
    return _wire("close", Wire("close"))


def cut() -> Behaviour:
    """Half of the answer, then a reset."""
    return _wire("cut", Wire("cut"))


def http(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> Behaviour:
    """A status of HTTP, with any body."""
    return _wire(f"http {status}", Wire("keep", status, body, headers or {}))


def too_many_requests(retry_after_s: int = 1) -> Behaviour:
    """429 with Retry-After, and the JSON that providers put beside it."""
    body = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32005,"message":"request rate limited"}}'
    return http(429, body, {"Retry-After": str(retry_after_s)})


def bad_gateway() -> Behaviour:
    """502 with the page of a proxy."""
    return http(502, b"<html><head><title>502 Bad Gateway</title></head></html>")


def text(body: str = "backend is overloaded, please retry") -> Behaviour:
    """200 with a body that is no JSON."""
    return _wire("text", Wire("keep", 200, body.encode()))


def _wire(name: str, wire: Wire) -> Behaviour:
    return Behaviour(name, lambda request, go_on, methods: wire)


# The answer is wrong


def error(code: int, message: str, data: Any = None) -> Behaviour:
    """A JSON-RPC error."""
    return Behaviour("error", lambda request, go_on, methods: Failure(code, message, data))


def answers(value: Any, *methods: str) -> Behaviour:
    """This result whatever was asked: a text instead of a list, null, an empty list."""
    return Behaviour("wrong answer", lambda request, go_on, methods_: Result(value), methods)


def changes(name: str, change: Callable[[Any], Any], *methods: str) -> Behaviour:
    """The honest result, changed; another fault's null stays null."""

    def act(request: Request, go_on: GoOn, methods_: Methods) -> Reply:
        reply = go_on()
        if not isinstance(reply, Result) or reply.value is None:
            return reply
        return Result(change(plain(reply.value)))

    return Behaviour(name, act, methods)


def empty_logs() -> Behaviour:
    """No logs, whatever the blooms say."""
    return Behaviour("empty logs", lambda request, go_on, methods: Result([]), (LOGS,))


def missing_logs(every: int = 2) -> Behaviour:
    """Each second log is left out (or each third, ...)."""
    return changes("missing logs", lambda logs: [one for at, one in enumerate(logs) if (at + 1) % every], LOGS)


def removed_logs() -> Behaviour:
    """Every log says that it was removed."""
    return changes("removed logs", lambda logs: [{**one, "removed": True} for one in logs], LOGS)


def unordered_logs() -> Behaviour:
    """The logs of a range, last first: no specification promises an order."""
    return changes("unordered logs", lambda logs: logs[::-1], LOGS)


def doubled_logs() -> Behaviour:
    """Every log twice, as when a proxy joins the answers of two nodes."""
    return changes("doubled logs", lambda logs: [one for one in logs for _ in range(2)], LOGS)


def other_case() -> Behaviour:
    """Addresses of logs with the capital letters of a checksum; both are legal."""
    return changes("capital letters", lambda logs: [{**one, "address": _upper(one["address"])} for one in logs], LOGS)


def _upper(address: str) -> str:
    return "0x" + address[2:].upper()


def orphan_logs() -> Behaviour:
    """The logs of the branch that was left, where there was one, under the numbers asked for."""

    def act(request: Request, go_on: GoOn, methods: Methods) -> Reply:
        first, last = methods.log_range(request.params)
        wanted = request.params[0]
        found: list[bytes] = []
        for number in range(first, last + 1):
            left = methods.chain.orphans.get(number)
            block = left[-1] if left else methods.chain.blocks[number]
            found += block.logs_json(addresses_of(wanted), topics_of(wanted))
        return Result(fragment(found))

    return Behaviour("orphan logs", act, (LOGS,))


def null_block(number: int | None = None) -> Behaviour:
    """Null for a block by number, though the node just announced it; None: for any number, but not for tags."""

    def asked(request: Request, methods: Methods) -> bool:
        tag = str(request.params[0])
        return tag.startswith("0x") and (number is None or int(tag, 16) == number)

    return Behaviour("null block", lambda request, go_on, methods: Result(None), (BY_NUMBER,), asked)


def null_receipt() -> Behaviour:
    """Null for a receipt of a mined transaction. A mirror asks for one where logs are in doubt: add empty_logs()."""
    return Behaviour("null receipt", lambda request, go_on, methods: Result(None), (RECEIPT,))


def stale_block() -> Behaviour:
    """The block of that number which was reorganised away, where there was one."""

    def left(request: Request, methods: Methods) -> bool:
        tag = str(request.params[0])
        return tag.startswith("0x") and bool(methods.chain.orphans.get(int(tag, 16)))

    def act(request: Request, go_on: GoOn, methods: Methods) -> Reply:
        full = bool(request.params[1]) if len(request.params) > 1 else False
        return Result(shown(methods.chain.orphans[int(request.params[0], 16)][-1], full=full))

    return Behaviour("stale block", act, (BY_NUMBER,), left)


def wrong_block(off_by: int = -1) -> Behaviour:
    """Another block than the one asked for by number."""

    def act(request: Request, go_on: GoOn, methods: Methods) -> Reply:
        full = bool(request.params[1]) if len(request.params) > 1 else False
        return Result(shown(methods.chain.block(int(request.params[0], 16) + off_by), full=full))

    return Behaviour("wrong block", act, (BY_NUMBER,), lambda request, methods: str(request.params[0]).startswith("0x"))


def behind(blocks: int) -> Behaviour:
    """The node answers as if its head were lower: one of several behind a balancer, or one that fell back."""
    return Behaviour("behind", lambda request, go_on, methods: methods.answer(request, behind=blocks), HEADS)


def padded(size_bytes: int) -> Behaviour:
    """The honest answer with that much white space before it: legal JSON of any size."""
    return Behaviour("oversized", lambda request, go_on, methods: _Padded.of(go_on(), size_bytes))


@dataclass(frozen=True, slots=True)
class _Padded(Result):
    padding: int = 0

    @classmethod
    def of(cls, reply: Reply, padding: int) -> Reply:
        """Only results are padded."""
        return cls(reply.value, padding) if isinstance(reply, Result) else reply


def padding_of(reply: Reply) -> int:
    """Bytes of white space to send before this reply."""
    return reply.padding if isinstance(reply, _Padded) else 0


# Batches as a whole


def shuffled() -> Behaviour:
    """The answers of a batch in another order."""
    return changes("shuffled batch", lambda answers_: answers_[1:] + answers_[:1], BATCH)


def drops_one() -> Behaviour:
    """One answer of a batch is missing."""
    return changes("short batch", lambda answers_: answers_[:-1], BATCH)


def batch_limit(calls_max: int, *, like_geth: bool = False) -> Behaviour:
    """Larger batches are refused as a whole by one error; geth puts it into a list, with the first call's id."""
    message = "batch too large" if like_geth else f"batch limit {calls_max} exceeded"

    def act(request: Request, go_on: GoOn, methods: Methods) -> Reply:
        if not like_geth:
            return Failure(-32600, message)
        return Result(
            [{"jsonrpc": "2.0", "id": request.params[0].get("id"), "error": {"code": -32600, "message": message}}]
        )

    return Behaviour("batch too large", act, (BATCH,), lambda request, methods: len(request.params) > calls_max)


# Sending


def refuses(reason: str) -> Behaviour:
    """Refuses a transaction for a reason of pool.TEXTS, in the node's words, though nothing is wrong with it."""

    def act(request: Request, go_on: GoOn, methods: Methods) -> Reply:
        try:
            refusal = methods.pool.refusal(reason, decode(bytes.fromhex(request.params[0][2:])))
        except Refusal as bad:
            refusal = bad
        return Failure(refusal.code, refusal.message)

    return Behaviour(f"refuses: {reason}", act, (SEND,))


def loses_answer(how: Behaviour | None = None) -> Behaviour:
    """Does what is asked; the answer is lost: by a reset, or as `how` says (hang(), bad_gateway(), ...)."""
    instead = how or reset()

    def act(request: Request, go_on: GoOn, methods: Methods) -> Reply:
        go_on()
        return instead.act(request, go_on, methods)

    return Behaviour("lost answer", act, (SEND,))


def forgets() -> Behaviour:
    """Accepts a transaction with its hash and throws it away."""

    def act(request: Request, go_on: GoOn, methods: Methods) -> Reply:
        reply = go_on()
        sent = decode(bytes.fromhex(request.params[0][2:]))
        methods.pool.waiting.pop((sent.sender, sent.nonce), None)
        return reply

    return Behaviour("forgotten transaction", act, (SEND,))
