"""`moa audit`: checks the whole books against one pinned block hash, and says what differs.

Exit codes: 0 all agree; 1 something differs; 2 the command was given wrongly (pin, file, deployment); 3 the audit could
not be finished (node or database away, mirror behind the pin).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from sqlalchemy.exc import SQLAlchemyError

from chain.audit.errors import AuditError, KindUnknown, MirrorMissing, PinMissing
from chain.audit.report import Plan, Report, Sample
from chain.audit.run import Audit
from chain.database import engine
from chain.deployment import Deployment
from chain.errors import ChainError, DeploymentError
from chain.proofs import hexes
from chain.proofs.errors import ProofError
from chain.rpc import Rpc
from chain.tlog.checkpoints import open_checkpoint
from chain.tlog.errors import TlogError
from chain.tlog.notes import Verifier
from scripts.printed import plain

AGREES, DIFFERS, WRONG_USE, UNFINISHED = 0, 1, 2, 3
TIMEOUT_S: Final = 60.0
SHOWN_MAX: Final = 50


class Bar:
    """A progress bar on standard error; nothing where nobody watches."""

    def __init__(self, *, shown: bool):
        console = Console(stderr=True, soft_wrap=True)
        columns = (TextColumn("  {task.description:<36}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bar = Progress(*columns, console=console, disable=not shown or not console.is_terminal)
        self._task: TaskID | None = None

    def __enter__(self) -> Bar:
        self._bar.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._bar.stop()

    def stage(self, name: str, total: int) -> None:
        """A stage begins."""
        self._task = self._bar.add_task(name, total=total)

    def walked(self, count: int) -> None:
        """So many steps more."""
        if self._task is not None:
            self._bar.advance(self._task, count)


def pin_of(pin: str | None, checkpoint: Path | None, log_key: str | None, chain_id: int) -> bytes:
    """The block hash to trust: given, or the one that a signed checkpoint of the log names. Raises ValueError."""
    if (pin is None) == (checkpoint is None):
        raise ValueError("Give the hash of a block you trust (--pin), or a signed checkpoint (--checkpoint).")
    if pin is not None:
        return hexes.to_bytes(pin.lower(), 32, "block hash")
    assert checkpoint is not None, "one of the two was given"
    if log_key is None:
        raise ValueError("A checkpoint is worth what its key is: give the log's key with --log-key.")
    block = open_checkpoint(checkpoint.read_text(), Verifier.parse(log_key)).block
    if block is None:
        raise ValueError(f"{checkpoint} names no block. Take a later one.")
    if block.chain_id != chain_id:
        raise ValueError(f"{checkpoint} names a block of chain {block.chain_id}, not of {chain_id}.")
    return hexes.to_bytes(block.hash, 32, "block hash")


def show(
    *,
    pin: str | None,
    checkpoint: Path | None,
    log_key: str | None,
    database_url: str,
    rpc_url: str,
    chain_id: int,
    deployments: Path,
    sample: int,
    seed: int,
    every_block: bool,
    from_checkpoint: Path | None,
    save: Path | None,
    as_json: bool,
) -> int:
    """Runs the audit and prints its report; the exit code."""
    console = Console(highlight=False, soft_wrap=True)

    def told(code: int, error: Exception) -> int:
        if as_json:
            answer = {"agrees": False, "error": type(error).__name__, "message": str(error)}
            console.out(orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode(), highlight=False)
        else:
            console.print(f"[bold red]The audit was not finished.[/] {plain(error)}")
        return code

    try:
        trusted = pin_of(pin, checkpoint, log_key, chain_id)
        if sample and (from_checkpoint or save):
            raise ValueError("A sample is not a finished audit: it neither continues one nor can be continued.")
        deployment = Deployment.load(deployments, chain_id)
    except (ValueError, OSError, ProofError, TlogError, DeploymentError) as error:
        return told(WRONG_USE, error)
    plan = Plan(
        pin=trusted,
        sample=Sample(sample, seed) if sample else None,
        every_block=every_block,
        finished=from_checkpoint,
        save=save,
    )
    try:
        report = audit(rpc_url, database_url, deployment, plan, shown=not as_json)
    except (ChainError, KindUnknown, PinMissing, MirrorMissing, SQLAlchemyError) as error:
        return told(UNFINISHED, error)
    except AuditError as error:
        return told(WRONG_USE, error)
    if as_json:
        console.out(orjson.dumps(answer_of(report), option=orjson.OPT_INDENT_2).decode(), highlight=False)
    else:
        say(report, console.print)
    return AGREES if report.agrees else DIFFERS


def audit(rpc_url: str, database_url: str, deployment: Deployment, plan: Plan, *, shown: bool) -> Report:
    """One audit with a bar. Raises AuditError or ChainError when it cannot be finished."""
    books = engine(database_url)
    try:
        with Bar(shown=shown and sys.stderr.isatty()) as bar:
            return Audit(lambda: Rpc(rpc_url, timeout_s=TIMEOUT_S), books, deployment, plan, bar).run()
    finally:
        books.dispose()


def answer_of(report: Report) -> dict[str, Any]:
    """The report as JSON values; amounts are strings."""
    return {
        "agrees": report.agrees,
        "finished": report.finished,
        "pin": {"hash": report.pin, "number": report.number, "time": report.time},
        "sample": None if report.sample is None else {"size": report.sample.size, "seed": report.sample.seed},
        "continues": report.since,
        "saved": report.saved,
        "counts": report.counts,
        "seconds": {stage: round(seconds, 3) for stage, seconds in report.seconds.items()},
        "found": report.found,
        "differences": [difference.as_dict() for difference in report.differences],
    }


def say(report: Report, print_line: Callable[[str], None]) -> None:
    """Counts, differences, and one line of verdict."""
    for difference in report.differences[:SHOWN_MAX]:
        print_line(f"[bold red]✗[/] {plain(difference.what)} · {plain(difference.where)}")
        print_line(f"    said   {plain(difference.said)}")
        print_line(f"    right  {plain(difference.right)}   (SPEC {difference.rule})")
        print_line(f"    look   {plain(difference.look)}")
    if report.found > SHOWN_MAX:
        print_line(f"  … {report.found - SHOWN_MAX:,} more; --json shows {len(report.differences):,}")
    looked = ", ".join(f"{count:,} {what}" for what, count in report.counts.items() if count)
    print_line(f"  looked at {looked} in {sum(report.seconds.values()):.1f} s")
    if report.since is not None:
        print_line(f"  goes on from the audit that was finished at block {report.since:,}")
    if report.saved is not None:
        print_line(f"  can be continued: its file's SHA-256 is {report.saved}")
    block = f"block {report.number:,} ({report.pin})"
    if not report.agrees:
        ended = "" if report.finished else " The audit stopped there: what rests on it cannot be judged."
        print_line(f"[bold red]{report.found:,} DIFFERENCES[/] as of {block}.{ended}")
    elif report.sample is not None:
        chosen = f"{report.sample.size:,} blocks and accounts, seed {report.sample.seed}"
        print_line(f"[bold green]The sample agrees[/] as of {block}.")
        print_line(f"  A sample only ({chosen}): it proves nothing of the rest.")
    else:
        print_line(f"[bold green]All agree[/] as of {block}: headers, events, rules, mirror and storage.")
