"""A worker that is killed (SIGKILL, by itself) at a named place: `python crashing.py PLACE SETTINGS.json`.

Places are functions of the chain room; the process dies when the function is entered, or right after it returned.
"""

import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from chain.mirror import loop as mirror_loop
from chain.mirror.rows import row_cache
from chain.mirror.settings import MirrorSettings
from chain.node.rpc import Rpc
from chain.outbox import locked, operations, transactions
from chain.relayer import deadlines, sender
from chain.relayer.loop import Relayer, RelayerSettings
from chain.worker import run


def die(*_: Any, **__: Any) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def after(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        function(*args, **options)
        die()

    return call


def once_true(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        if function(*args, **options):
            die()
        return False

    return call


def after_sending(call: Callable[..., Any]) -> Callable[..., Any]:
    def sent(self: Rpc, method: str, *params: Any, **options: Any) -> Any:
        answer = call(self, method, *params, **options)
        if method == "eth_sendRawTransaction":
            die()
        return answer

    return sent


def arm(place: str) -> None:
    """Each place lies between two steps of the order of writing."""
    if place == "inside the transaction that gives nonces":
        transactions.assign = after(transactions.assign)
    elif place == "after the nonce, before signing":
        sender.sign = die  # type: ignore[assignment]
    elif place == "inside the transaction that stores raw and hash":
        transactions.keep_signed = after(transactions.keep_signed)
    elif place == "after raw and hash, before sending":
        sender.Sender._send = die  # type: ignore[method-assign]
    elif place == "after sending, before it is stored as sent":
        Rpc.call = after_sending(Rpc.call)  # type: ignore[method-assign]
    elif place == "inside the transaction that stores sent":
        transactions.keep_sent = after(transactions.keep_sent)
    elif place == "before the mirror writes":
        mirror_loop.Mirror._commit = die  # type: ignore[method-assign]
    elif place == "inside the mirror's transaction, after the rows":
        row_cache.RowCache.flush = after(row_cache.RowCache.flush)  # type: ignore[method-assign]
    elif place == "inside the mirror's transaction, after the operations":
        operations.record_outcomes = after(operations.record_outcomes)
    elif place == "right after the mirror's transaction":
        mirror_loop.Mirror._commit = after(mirror_loop.Mirror._commit)  # type: ignore[method-assign]
    elif place == "inside the transaction that asks for a release":
        deadlines.owe = after(deadlines.owe)
    elif place == "right after a release was asked for":
        deadlines.Deadlines._ask = after(deadlines.Deadlines._ask)  # type: ignore[method-assign]
    elif place == "inside the transaction that queues what is due":
        locked.queue_due = once_true(locked.queue_due)
    elif place == "right after what is due was queued":
        Relayer._in_time = once_true(Relayer._in_time)  # type: ignore[method-assign]
    elif place != "nowhere":
        raise SystemExit(f"no place is called {place!r}")


if __name__ == "__main__":
    # Tests read in its log how far it is.
    logging.basicConfig(level=logging.INFO)
    arm(sys.argv[1])
    given = json.loads(Path(sys.argv[2]).read_text())
    run.run(
        run.WorkerSettings(
            **{**given, "deployments": Path(given["deployments"]), "keystore_path": Path(given["keystore_path"])},
            relayer=RelayerSettings(batch_delay_ms=0, batch_items_max=5, receipt_grace_s=0.2, resend_after_s=0.5),
            mirror=MirrorSettings(poll_s=0.01),
        )
    )
