"""An audit with a bar, and what is said of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from sqlalchemy import Connection

from api.cross_checks import run as cross_checks
from chain.audit.report import Plan, Report
from chain.audit.run import Audit
from chain.base.difference import Difference
from chain.contracts.deployment import Deployment
from chain.node.rpc import Rpc
from chain.storage.database import engine
from scripts.console.printed import plain

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


def audit(rpc_url: str, database_url: str, deployment: Deployment, plan: Plan, *, shown: bool) -> Report:
    """One audit with a bar. Raises AuditError or ChainError when it cannot be finished."""
    books = engine(database_url)
    try:
        with Bar(shown=shown and sys.stderr.isatty()) as bar:
            return Audit(lambda: Rpc(rpc_url, timeout_s=TIMEOUT_S), books, deployment, plan, bar, _gateway).run()
    finally:
        books.dispose()


def _gateway(connection: Connection, found: Callable[[Difference], None], block: int) -> int:
    """The gateway's own tables (SPEC 25)."""
    return cross_checks.check(connection, found, block=block)


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
        print_line(f"[bold green]All agree[/] as of {block}: headers, events, rules, mirror, storage and gateway.")
