"""`moa status`: the mirror, the loops, the queue and the signers, and in a sentence each what is wrong."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import orjson
from rich import box
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from chain.base.errors import ChainError
from chain.contracts.rate_cycles import gaining, rate
from chain.health.loops import SystemHealth, system_health
from chain.mirror.queries import programmes
from chain.node import blocks
from chain.node.rpc import Rpc
from chain.storage.database import engine as make_engine
from chain.storage.database import snapshot
from chain.storage.looks import looking

NODE_TIMEOUT_S: Final = 3.0
WEI_PER_ETHER: Final = 10**18
HEALTHY, UNHEALTHY, UNKNOWN = 0, 1, 2
# A mirror that follows is a block or two behind whenever one looks.
LAG_BLOCKS_MAX: Final = 20
AGREEMENTS_MAX: Final = 10_000
TOLD_OF_MIRROR: Final = (
    "block_number", "block_hash", "block_time", "head_number", "safe_number", "final_number", "history_from", "state",
    "reason", "updated_at_ms",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AtNode:
    """What the node says: its head, and of each signer the balance in wei and the count of its transactions."""

    chain_id: int
    head_number: int
    head_time: int
    signers: dict[str, tuple[int, int]]


def show(*, database_url: str, rpc_url: str, chain_id: int, as_json: bool) -> int:
    """0: all is well; 1: something is wrong; 2: the database cannot be read."""
    console = Console(highlight=False, soft_wrap=True)
    try:
        found, warnings = _read(database_url)
    except (SQLAlchemyError, FileNotFoundError) as error:
        reason = unreadable(error)
        _told(console, {"healthy": False, "troubles": [reason]}) if as_json else console.print(f"[bold red]{reason}[/]")
        return UNKNOWN
    node, troubles = _asked(rpc_url, chain_id, found)
    troubles = found.troubles() + troubles
    if as_json:
        _told(console, _document(found, node, troubles) | {"warnings": warnings})
    else:
        _printed(console, found, node, troubles, warnings)
    return UNHEALTHY if troubles else HEALTHY


def unreadable(error: Exception) -> str:
    """In a sentence, why a database cannot be read."""
    return f"The database cannot be read: {str(getattr(error, 'orig', error)).splitlines()[0]}"


def existing(database_url: str) -> Engine:
    """The engine of a database that is there. Raises FileNotFoundError or SQLAlchemyError."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        # SQLite would make an empty one; to look must not.
        raise FileNotFoundError(f"there is no file {url.database}")
    return make_engine(database_url)


def _read(database_url: str) -> tuple[SystemHealth, list[str]]:
    engine = existing(database_url)
    try:
        with snapshot(engine) as connection:
            return system_health(connection), _gains(connection)
    finally:
        engine.dispose()


def _gains(connection: Connection) -> list[str]:
    """A sentence for each round of agreements that makes points out of nothing, of what is in force or will be."""
    rates = []
    for row in programmes.agreements(looking(connection), limit=AGREEMENTS_MAX, proposed=False):
        accepted = [each for each in row.versions if each["in_force_at"] is not None and not each["withdrawn"]]
        pair = int(row.agreement_id), int(row.from_brand_id), int(row.to_brand_id)
        rates += [rate(*pair, each["terms"]) for each in accepted[-1:]]
    return [
        f"Agreements {' → '.join(str(each.agreement_id) for each in found.rates)} make"
        f" {float(found.product):.4f} points of each that goes round."
        for found in gaining(rates)
    ]


def _asked(rpc_url: str, chain_id: int, found: SystemHealth) -> tuple[AtNode | None, list[str]]:
    rpc = Rpc(rpc_url, timeout_s=NODE_TIMEOUT_S)
    try:
        node = _at_node(rpc, found)
    except ChainError as error:
        return None, [f"The node: {error}"]
    finally:
        rpc.close()
    troubles = []
    if node.chain_id != chain_id:
        troubles.append(f"The node is on chain {node.chain_id}, not on {chain_id}.")
    if found.position and node.head_number - found.position.block_number > LAG_BLOCKS_MAX:
        troubles.append(f"The mirror is {node.head_number - found.position.block_number} blocks behind the node.")
    return node, troubles


def _at_node(rpc: Rpc, found: SystemHealth) -> AtNode:
    head = blocks.latest(rpc)
    calls: list[tuple[str, list[Any]]] = [("eth_chainId", [])]
    for signer in found.signers:
        calls += [
            ("eth_getBalance", [signer.address, "latest"]),
            ("eth_getTransactionCount", [signer.address, "latest"]),
        ]
    with blocks.believable("a number"):
        chain_id, *numbers = (int(answer, 16) for answer in rpc.batch(calls))
    pairs = zip(numbers[::2], numbers[1::2], strict=True)
    signers = {signer.address: pair for signer, pair in zip(found.signers, pairs, strict=True)}
    return AtNode(chain_id, head.number, head.time, signers)


def _lag(found: SystemHealth, node: AtNode | None) -> tuple[int, int] | None:
    """Blocks and seconds of chain time that the mirror is behind the node."""
    if found.position is None or node is None:
        return None
    number = max(0, node.head_number - found.position.block_number)
    return number, max(0, node.head_time - found.position.block_time) if number else 0


def _document(found: SystemHealth, node: AtNode | None, troubles: list[str]) -> dict[str, Any]:
    lag = _lag(found, node)
    return {
        "healthy": not troubles,
        "troubles": troubles,
        "mirror": {name: getattr(found.position, name) for name in TOLD_OF_MIRROR} if found.position else None,
        "lag": {"blocks": lag[0], "seconds": lag[1]} if lag else None,
        "node": {"chain_id": node.chain_id, "head_number": node.head_number, "head_time": node.head_time}
        if node
        else None,
        "loops": [asdict(loop) for loop in found.loops.values()],
        "queue": found.queue,
        "oldest_queued_s": found.oldest_queued_s,
        "reorgs": asdict(found.reorgs),
        "signers": [
            {
                **asdict(signer),
                "balance_wei": str(node.signers[signer.address][0]) if node else None,
                "nonce_on_chain": node.signers[signer.address][1] if node else None,
            }
            for signer in found.signers
        ],
    }


def _told(console: Console, document: dict[str, Any]) -> None:
    console.out(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode(), highlight=False)


def _printed(
    console: Console, found: SystemHealth, node: AtNode | None, troubles: list[str], warnings: list[str]
) -> None:
    _print_mirror(console, found, node)
    _print_loops(console, found)
    _print_signers(console, found, node)
    for sentence in warnings:
        console.print(f"[bold yellow]![/] {sentence}")
    for sentence in troubles:
        console.print(f"[bold red]✗[/] {sentence}")
    console.print("[bold red]NOT healthy[/]" if troubles else "[bold green]healthy[/]")


def _print_mirror(console: Console, found: SystemHealth, node: AtNode | None) -> None:
    table = Table(box=box.SIMPLE_HEAD, show_header=False, title="Mirror and queue", title_justify="left")
    at, lag = found.position, _lag(found, node)
    if at:
        table.add_row("block", f"{at.block_number:,}  {at.block_hash}")
        table.add_row("state", at.state + (f": {at.reason}" if at.reason else ""))
        table.add_row("safe, final", f"{at.safe_number:,}, {at.final_number:,}")
        table.add_row("history from", f"{at.history_from:,}")
    table.add_row("behind the node", f"{lag[0]:,} blocks, {lag[1]:,} s" if lag else "unknown")
    reorgs = found.reorgs
    last = f", last {_ago(time.time() - reorgs.last_at_ms / 1000)}" if reorgs.last_at_ms else ""
    table.add_row("reorgs", f"{reorgs.count}, deepest {reorgs.deepest}{last}")
    table.add_row("queue", "  ".join(f"{state} {count:,}" for state, count in found.queue.items()))
    table.add_row("oldest waiting", "none" if found.oldest_queued_s is None else _ago(found.oldest_queued_s))
    console.print(table)


def _print_loops(console: Console, found: SystemHealth) -> None:
    table = Table(box=box.SIMPLE_HEAD, title="Loops", title_justify="left")
    for title in ("loop", "state", "heard of", "progress", "detail"):
        table.add_column(title)
    for loop in found.loops.values():
        progress = "never" if loop.progress_s is None else _ago(loop.progress_s)
        table.add_row(loop.name, loop.state, _ago(loop.silent_s), progress, loop.detail)
    console.print(table)


def _print_signers(console: Console, found: SystemHealth, node: AtNode | None) -> None:
    table = Table(box=box.SIMPLE_HEAD, title="Signers", title_justify="left")
    for title in ("address", "next nonce", "on chain", "on the way", "ether"):
        table.add_column(title, justify="left" if title == "address" else "right")
    for signer in found.signers:
        balance, count = node.signers[signer.address] if node else (None, None)
        table.add_row(
            signer.address,
            str(signer.next_nonce),
            "?" if count is None else str(count),
            str(signer.pending),
            "?" if balance is None else _ether(balance),
        )
    console.print(table)


def _ether(wei: int) -> str:
    """Ether to six digits behind the point, cut off."""
    return f"{wei // WEI_PER_ETHER:,}.{wei % WEI_PER_ETHER // 10**12:06d}"


def _ago(seconds: float) -> str:
    return f"{seconds:.1f} s ago" if seconds < 120 else f"{seconds / 60:.0f} min ago"
