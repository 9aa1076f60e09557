"""Every fault of the scripted node, by name: what an episode chooses from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from tests.support.scripted_node import faults, limits
from tests.support.scripted_node.faults import RECEIPT, SEND, Behaviour
from tests.support.scripted_node.methods import Methods
from tests.support.scripted_node.pool import decode
from tests.support.scripted_node.replies import GoOn, Reply, Request, Result

# Longer than a worker waits for an answer (tempo.py).
LATE_S: Final = 0.6
SOON_S: Final = 0.03
CALL: Final = "eth_call"
COUNT: Final = "eth_getTransactionCount"


def forgets() -> Behaviour:
    """As faults.forgets, for a node that mines at once: the transaction never reaches it."""

    def act(request: Request, go_on: GoOn, methods: Methods) -> Reply:
        return Result(decode(bytes.fromhex(request.params[0][2:])).hash)

    return Behaviour("forgotten transaction", act, (SEND,))


def only(make: Callable[[], Behaviour], *methods: str) -> Callable[[], Behaviour]:
    """The same, for some methods alone."""

    def made() -> Behaviour:
        behaviour = make()
        return Behaviour(behaviour.name, behaviour.act, methods, behaviour.when)

    return made


# Left out: faults.missing_logs. A node that leaves out some of a block's logs and answers its receipts alike cannot be
# told from an honest one; the bloom betrays only a block without any.
TROUBLES: Final[Mapping[str, Callable[[], Behaviour]]] = {
    "late": partial(faults.slow, SOON_S),
    "too late": partial(faults.slow, LATE_S),
    "hangs": faults.hang,
    "reset": faults.reset,
    "closed": faults.close,
    "cut": faults.cut,
    "429": faults.too_many_requests,
    "502": faults.bad_gateway,
    "503": partial(faults.http, 503),
    "text": faults.text,
    "internal error": partial(faults.error, -32603, "internal error"),
    "error text in a 200": partial(faults.error, -32000, "header not found"),
    "null": partial(faults.answers, None),
    "wrong shape": partial(faults.answers, {}),
    "wrong kind": partial(faults.answers, "busy"),
    "empty logs": faults.empty_logs,
    "removed logs": faults.removed_logs,
    "unordered logs": faults.unordered_logs,
    "doubled logs": faults.doubled_logs,
    "capital letters": faults.other_case,
    "orphan logs": faults.orphan_logs,
    "null block": faults.null_block,
    "null receipt": faults.null_receipt,
    "stale block": faults.stale_block,
    "wrong block": faults.wrong_block,
    "head 1 behind": partial(faults.behind, 1),
    "head 3 behind": partial(faults.behind, 3),
    "oversized": partial(faults.padded, 300_000),
    "shuffled batch": faults.shuffled,
    "short batch": faults.drops_one,
    "batch too large": partial(faults.batch_limit, 3),
    "batch too large (geth)": partial(faults.batch_limit, 3, like_geth=True),
    "too many results": partial(limits.too_many_results, "infura", 3),
    "too many results (words of base)": partial(limits.too_many_results, "base", 3),
    "range too wide": partial(limits.range_too_wide, "quicknode", 2),
    "range too wide (words of ankr)": partial(limits.range_too_wide, "ankr", 2),
    "send: answer lost by a reset": faults.loses_answer,
    "send: answer lost in silence": partial(faults.loses_answer, faults.hang()),
    "send: answer lost by 502": partial(faults.loses_answer, faults.bad_gateway()),
    "send: answer lost by an error": partial(faults.loses_answer, faults.error(-32603, "internal error")),
    "send: answered late": partial(faults.loses_answer, faults.slow(LATE_S)),
    "send: forgotten": forgets,
    "send: already known": partial(faults.refuses, "already known"),
    "send: nonce too low": partial(faults.refuses, "nonce too low"),
    "send: nonce too high": partial(faults.refuses, "nonce too high"),
    "send: underpriced": partial(faults.refuses, "underpriced"),
    "send: fee too low": partial(faults.refuses, "fee too low"),
    "send: insufficient funds": partial(faults.refuses, "insufficient funds"),
    "send: reset": only(faults.reset, SEND),
    "send: null": only(partial(faults.answers, None), SEND),
    "receipt: wrong shape": only(partial(faults.answers, {}), RECEIPT),
    "simulation: error": only(partial(faults.error, -32000, "state is not available"), CALL),
    "count: null": only(partial(faults.answers, None), COUNT),
}
