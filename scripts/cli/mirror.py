"""`moa mirror`: runs the follower of a plain ERC-20 until SIGTERM, and turns what may go wrong into exit codes."""

from __future__ import annotations

import json
import logging
import sys
import threading

from chain.base.errors import (
    ArgumentInvalid,
    ChainError,
    ChainReplaced,
    DatabaseUnusable,
    MirrorMismatch,
    NodeUnavailable,
)
from chain.erc20.digest import digest
from chain.erc20.follower import Follower, FollowerSettings
from chain.node import transport
from chain.node.head_subscription import HeadSubscription
from chain.worker import gc_tuning
from chain.worker.shutdown import ended_by_signals

REFUSED, STOPPED = 2, 1


def run(settings: FollowerSettings) -> int:
    """0 after SIGTERM or SIGINT, 2 when it was asked for something that cannot be, 1 when it stopped by itself."""
    gc_tuning.for_rows()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    # What the libraries say of a connection that was refused is said in one line by us.
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    stop = threading.Event()
    # A node or a database that hangs is left in the middle of an answer or a transaction when the grace is over: the
    # transaction rolls back, and the next start goes on from the block before.
    with ended_by_signals(stop):
        try:
            follower, heads = _prepared(settings)
        except ChainError as error:
            return _say(error, REFUSED)
        failures: list[BaseException] = []
        loop = threading.Thread(target=_loop, args=(follower, heads, stop, failures), name="mirror", daemon=True)
        loop.start()
        while loop.is_alive() and not stop.is_set():
            stop.wait(0.2)
        heads.wake()
        # A loop that hangs holds locks that the interpreter's end would wait for: the grace ends it.
        loop.join()
        heads.close()
        follower.close()
        return _verdict(failures, begun=follower.begun)


def show_digest(settings: FollowerSettings, *, as_json: bool = False) -> int:
    """Prints one hash over all rows of a mirror that does not run; as JSON with the block that they are of."""
    try:
        follower = Follower(settings)
        follower.store.open()
        found, held = digest(follower.store), follower.store.checkpoint()
        told = {"sha256": found, "block_number": held and held.block_number, "block_hash": held and held.block_hash}
        sys.stdout.write((json.dumps(told) if as_json else found) + "\n")
        follower.close()
    except (ChainError, ValueError) as error:
        return _say(error, REFUSED)
    return 0


def settings_of(**arguments: object) -> FollowerSettings | int:
    """The settings, or the exit code after saying what is wrong with them."""
    try:
        return FollowerSettings(**arguments)  # type: ignore[arg-type]
    except ArgumentInvalid as error:
        return _say(error, REFUSED)


def _prepared(settings: FollowerSettings) -> tuple[Follower, HeadSubscription]:
    try:
        transport.split(settings.rpc_url)
    except NodeUnavailable as error:
        raise ArgumentInvalid(f"--rpc: {error}") from error
    return Follower(settings), HeadSubscription(settings.rpc_url)


def _loop(follower: Follower, heads: HeadSubscription, stop: threading.Event, failures: list[BaseException]) -> None:
    try:
        follower.run(stop, heads)
    except BaseException as error:
        failures.append(error)


def _verdict(failures: list[BaseException], *, begun: bool) -> int:
    if not failures:
        return 0
    (error,) = failures
    if isinstance(error, MirrorMismatch | DatabaseUnusable) or (isinstance(error, ChainReplaced) and not begun):
        return _say(error, REFUSED)
    if isinstance(error, ChainError):
        return _say(error, STOPPED)
    raise error


def _say(error: Exception, code: int) -> int:
    sys.stderr.write(f"{type(error).__name__}: {error}\n")
    return code
