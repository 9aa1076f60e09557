"""What this process counts and measures, in the words of Prometheus.

COMMON is of every process, LOOPS of those that run the relayer or the mirror: a gateway that told a lag of nought would
tell what it does not know.

Hooks cost a microsecond and never raise. Labels are bounded: methods of the node and kinds of error come from lists in
this code, signers are our own few hot keys, and nothing here names a member.
"""

from collections.abc import Callable, Iterator
from threading import Thread
from typing import Final
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, start_http_server
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from chain.base import errors

COMMON: Final = CollectorRegistry()
LOOPS: Final = CollectorRegistry()
OTHER: Final = "other"
NONE: Final = "none"
METHODS: Final = frozenset(
    {
        "batch",
        "eth_blockNumber",
        "eth_call",
        "eth_chainId",
        "eth_estimateGas",
        "eth_feeHistory",
        "eth_gasPrice",
        "eth_getBalance",
        "eth_getBlockByHash",
        "eth_getBlockByNumber",
        "eth_getBlockReceipts",
        "eth_getCode",
        "eth_getLogs",
        "eth_getProof",
        "eth_getTransactionByHash",
        "eth_getTransactionCount",
        "eth_getTransactionReceipt",
        "eth_sendRawTransaction",
        "eth_subscribe",
        "net_version",
        "web3_clientVersion",
    }
)
ERRORS: Final = frozenset(name for name, kind in vars(errors).items() if isinstance(kind, type))
SIGNERS_MAX: Final = 64
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
COUNTS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)


def _counter(name: str, says: str, *labels: str, registry: CollectorRegistry = LOOPS) -> Counter:
    return Counter(f"moa_{name}", says, labels, registry=registry)


def _gauge(name: str, says: str, *labels: str, registry: CollectorRegistry = LOOPS) -> Gauge:
    return Gauge(f"moa_{name}", says, labels, registry=registry)


def _histogram(
    name: str, says: str, buckets: tuple[float, ...], *labels: str, registry: CollectorRegistry = LOOPS
) -> Histogram:
    return Histogram(f"moa_{name}", says, labels, buckets=buckets, registry=registry)


_requests: Final = _counter(
    "node_requests", "Requests to the node, by method and error (none: answered)", "method", "error", registry=COMMON
)
_request_seconds: Final = _histogram(
    "node_request_seconds", "Time a request to the node took", SECONDS, "method", registry=COMMON
)

_lag_blocks: Final = _gauge("mirror_lag_blocks", "Blocks between the node's head and the mirror")
_lag_seconds: Final = _gauge("mirror_lag_seconds", "Seconds of chain time between the node's head and the mirror")
_head: Final = _gauge("node_head_block", "The node's newest block")
_mirrored: Final = _gauge("mirror_block", "The block the mirror is of")
_range_blocks: Final = _histogram("mirror_range_blocks", "Blocks of one commit", COUNTS)
_range_logs: Final = _histogram("mirror_range_logs", "Logs of one commit", COUNTS)
_commit_seconds: Final = _histogram("mirror_commit_seconds", "Time of one commit of the mirror", SECONDS)
_seen_to_commit: Final = _histogram(
    "mirror_block_to_commit_seconds", "From the first sight of a head to its commit", SECONDS
)
_reorgs: Final = _counter("mirror_reorgs", "Rollbacks of the mirror")
_reorg_depth: Final = _histogram("mirror_reorg_depth_blocks", "Blocks taken back by a rollback", COUNTS)
_waits: Final = _counter("mirror_waits", "Rounds in which the mirror had to wait, by error", "error")

_batch: Final = _histogram("relayer_batch_operations", "Operations of one transaction", COUNTS, "kind")
_sent: Final = _counter("relayer_sent", "Transactions handed to the node", "kind")
_replaced: Final = _counter("relayer_replaced", "Transactions signed again with a higher fee")
_settled: Final = _counter("relayer_settled", "Operations that reached a final state", "state")
_breaker: Final = _gauge("relayer_breaker_open", "1 while the circuit breaker is open")
_balance: Final = _gauge("signer_balance_ether", "What a signer can still pay gas with", "signer")
_pending: Final = _gauge("signer_pending_transactions", "Transactions of a signer on their way", "signer")
_signers: Final[set[str]] = set()


def observed(method: str, seconds: float, error: str | None = None) -> None:
    """One request to the node; `error`: the class of chain.base.errors, None when it was answered."""
    method = method if method in METHODS else OTHER
    _requests.labels(method, kind_of_error(error)).inc()
    _request_seconds.labels(method).observe(seconds)


def kind_of_error(error: str | None) -> str:
    """A label from a list that cannot grow."""
    if error is None:
        return NONE
    return error if error in ERRORS else OTHER


def head(number: int, time: int, mirrored_number: int, mirrored_time: int | None = None) -> None:
    """Where the node and the mirror are; times in unix seconds of the blocks."""
    _head.set(number)
    _mirrored.set(mirrored_number)
    _lag_blocks.set(max(0, number - mirrored_number))
    _lag_seconds.set(max(0, time - mirrored_time) if mirrored_time is not None and number > mirrored_number else 0)


def range_read(blocks: int, logs: int) -> None:
    """One range that went into one commit."""
    _range_blocks.observe(blocks)
    _range_logs.observe(logs)


def committed(commit_s: float, since_seen_s: float | None) -> None:
    """One commit: how long it took, and how long after the block was first seen it was done (None: backfilling)."""
    _commit_seconds.observe(commit_s)
    if since_seen_s is not None:
        _seen_to_commit.observe(since_seen_s)


def reorg(depth: int) -> None:
    """One rollback of so many blocks."""
    _reorgs.inc()
    _reorg_depth.observe(depth)


def waited(error: str) -> None:
    """A round that ended with expected trouble."""
    _waits.labels(kind_of_error(error)).inc()


def batch(kind: str, operations: int) -> None:
    """One transaction made of so many operations."""
    _batch.labels(kind[:32]).observe(operations)


def sent(kind: str) -> None:
    """One transaction handed to the node."""
    _sent.labels(kind[:32]).inc()


def replaced() -> None:
    """One transaction signed again with a higher fee."""
    _replaced.inc()


def settled(state: str, operations: int) -> None:
    """So many operations that reached a final state."""
    _settled.labels(state[:32]).inc(operations)


def breaker(open_: bool) -> None:
    """Whether the relayer's circuit breaker is open."""
    _breaker.set(1 if open_ else 0)


def signer(address: str, balance_wei: int, pending: int) -> None:
    """One of our own hot keys; at most SIGNERS_MAX of them are told."""
    if address not in _signers and len(_signers) >= SIGNERS_MAX:
        return
    _signers.add(address)
    # A gauge is a float by the protocol: ether to a millionth is all that anyone watches.
    _balance.labels(address).set(balance_wei // 10**12 / 10**6)
    _pending.labels(address).set(pending)


class _Of(Collector):
    """A registry as part of another."""

    def __init__(self, registry: CollectorRegistry):
        self._registry = registry

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        yield from self._registry.collect()


def together(*parts: CollectorRegistry | Collector) -> CollectorRegistry:
    """Several registries and collectors as one."""
    whole = CollectorRegistry()
    for part in parts:
        whole.register(_Of(part) if isinstance(part, CollectorRegistry) else part)
    return whole


def exposition(whole: CollectorRegistry) -> tuple[bytes, str]:
    """Everything in the text format, and its content type."""
    return generate_latest(whole), CONTENT_TYPE_LATEST


def serve(whole: CollectorRegistry, port: int, host: str = "127.0.0.1") -> Callable[[], None]:
    """Serves the metrics over HTTP on a thread of its own; gives what ends it. Raises OSError: the port is taken."""
    answer: tuple[WSGIServer, Thread] = start_http_server(port, host, whole)
    server, thread = answer

    def end() -> None:
        server.shutdown()
        server.server_close()
        thread.join(1.0)

    return end
