"""`moa mirror`: runs the follower of a plain ERC-20 until SIGTERM, and turns what may go wrong into exit codes."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Callable
from contextlib import closing

from chain.base.errors import (
    AnswerInconsistent,
    ArgumentInvalid,
    ChainError,
    ChainReplaced,
    DatabaseAway,
    DatabaseUnusable,
    MirrorMismatch,
    NodeUnavailable,
    RpcError,
)
from chain.erc20.check import SAMPLE_MAX, Findings, check_balances
from chain.erc20.digest import digest
from chain.erc20.follower import Follower, FollowerSettings, open_store
from chain.erc20.store import Checkpoint, Store, check_asked
from chain.node import transport
from chain.node.head_subscription import HeadSubscription
from chain.node.rpc import Rpc
from chain.worker import gc_tuning
from chain.worker.shutdown import ended_by_signals

STOPPED = DIFFERS = 1
REFUSED = 2
UNFINISHED = 3


def run(settings: FollowerSettings) -> int:
    """0 after SIGTERM or SIGINT, 2 when it was asked for what cannot be and never began, 1 when it stopped itself."""
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
    """Prints one hash over all rows of a mirror, as of one block; as JSON with that block."""

    def show(store: Store, held: Checkpoint) -> int:
        found = digest(store)
        told = {"sha256": found, "block_number": held.block_number, "block_hash": held.block_hash}
        sys.stdout.write((json.dumps(told) if as_json else found) + "\n")
        return 0

    return _reading(settings, show)


def show_check(settings: FollowerSettings, sample: int | None, seed: int, *, as_json: bool = False) -> int:
    """Compares balances with the token's own at the mirror's block: 0 when all agree, 1 when some differ."""

    def show(store: Store, held: Checkpoint) -> int:
        with closing(Rpc(settings.rpc_url, timeout_s=settings.timeout_s)) as rpc:
            found = check_balances(store, rpc, held, sample=sample, seed=seed)
        sys.stdout.write(_as_json(found, sample, seed) if as_json else _in_words(found, held, sample, seed))
        return 0 if found.agrees else DIFFERS

    return _reading(settings, show)


def _reading(settings: FollowerSettings, show: Callable[[Store, Checkpoint], int]) -> int:
    """Opens a mirror that is there and is of what was asked for; makes and changes nothing."""
    try:
        if settings.rpc_url:
            transport.split(settings.rpc_url)
        store = open_store(settings.database_url)
        with closing(store):
            store.open_to_read()
            held = store.checkpoint()
            assert held is not None, "a mirror that is open to be read has a checkpoint"
            check_asked(held, settings.token, settings.from_block)
            return show(store, held)
    except (NodeUnavailable, RpcError, AnswerInconsistent, DatabaseAway) as error:
        return _say(error, UNFINISHED)
    except ChainError as error:
        return _say(error, REFUSED)


def _in_words(found: Findings, held: Checkpoint, sample: int | None, seed: int) -> str:
    which = "every address that ever gave or took" if sample is None else f"by lot, --seed {seed}"
    lines = [f"block {found.block_number} {found.block_hash}: {found.compared} balances compared ({which})"]
    for one in found.differences:
        says = "does not say" if one.token_says is None else f"says {one.token_says}"
        lines.append(f"{one.address}: the mirror has {one.mirrored}, the token {says}")
    if found.differ > len(found.differences):
        lines.append(f"... and {found.differ - len(found.differences)} more")
    if found.below_zero:
        lines.append(f"{found.below_zero} balances are below zero")
    if found.supply is not None:
        lines.append(f"sum of the balances {found.supply[0]}, totalSupply {found.supply[1]}")
    if found.agrees:
        lines.append("all agree")
    else:
        lines.append(
            f"{found.differ} differ: the token moves balances without a Transfer, or is older than block "
            f"{held.from_block}, where the mirror begins"
        )
    return "\n".join(lines) + "\n"


def _as_json(found: Findings, sample: int | None, seed: int) -> str:
    """Amounts as text: they are larger than what JSON readers keep whole."""
    supply = found.supply and {"sum": str(found.supply[0]), "total_supply": str(found.supply[1])}
    differences = [
        {
            "address": one.address,
            "mirrored": str(one.mirrored),
            "token_says": None if one.token_says is None else str(one.token_says),
        }
        for one in found.differences
    ]
    told = {
        "agrees": found.agrees,
        "block_number": found.block_number,
        "block_hash": found.block_hash,
        "sample": sample,
        "seed": seed,
        "compared": found.compared,
        "differ": found.differ,
        "below_zero": found.below_zero,
        "differences": differences,
        "supply": supply,
    }
    return json.dumps(told) + "\n"


def sample_of(text: str) -> int | None:
    """How many balances to compare: a number, or None for `all`. Raises ArgumentInvalid."""
    if text == "all":
        return None
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= SAMPLE_MAX and len(text) <= 9):
        raise ArgumentInvalid(f"--check-balances is `all` or a number from 1 to {SAMPLE_MAX}.")
    return int(text)


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
    if isinstance(error, MirrorMismatch | DatabaseUnusable | ChainReplaced) and not begun:
        return _say(error, REFUSED)
    if isinstance(error, ChainError):
        return _say(error, STOPPED)
    raise error


def _say(error: Exception, code: int) -> int:
    sys.stderr.write(f"{type(error).__name__}: {error}\n")
    return code
