"""`moa bench`: runs the benchmarks whose names match and writes build/bench.json."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from rich.console import Console

from scripts.bench.figures import Figure, show, write
from scripts.bench.gateway.latency import latency
from scripts.bench.gateway.reading import reading
from scripts.bench.ledger.earning import earning
from scripts.bench.ledger.fairness import fairness
from scripts.bench.ledger.gas import gas
from scripts.bench.ledger.idle import idle
from scripts.bench.ledger.minting import minting
from scripts.bench.ledger.relaying import relaying
from scripts.bench.mirror.backfill import backfill
from scripts.bench.mirror.committing import committing
from scripts.bench.proving.acts import acts_log
from scripts.bench.proving.auditing import auditing
from scripts.bench.proving.evidence import evidence
from scripts.stack.local_stack import ROOT

BENCHES: dict[str, Callable[[], list[Figure]]] = {
    "earn_ganache": lambda: earning("ganache"),
    "earn_anvil": lambda: earning("anvil"),
    "relay_ganache": lambda: relaying("ganache"),
    "relay_anvil": lambda: relaying("anvil"),
    "fairness_ganache": lambda: fairness("ganache"),
    "fairness_anvil": lambda: fairness("anvil"),
    "idle_ganache_sqlite": lambda: idle("ganache", "sqlite"),
    "idle_ganache_postgresql": lambda: idle("ganache", "postgresql"),
    "idle_anvil_sqlite": lambda: idle("anvil", "sqlite"),
    "idle_anvil_postgresql": lambda: idle("anvil", "postgresql"),
    "backfill_sqlite": lambda: backfill("sqlite"),
    "backfill_postgresql": lambda: backfill("postgresql"),
    "view_reads": reading,
    "award_batch": minting,
    "latency_ganache": latency,
    "commit_10m": committing,
    "audit_100k": auditing,
    "evidence": evidence,
    "log_sqlite": lambda: acts_log("sqlite"),
    "log_postgresql": lambda: acts_log("postgresql"),
    "gas": gas,
}


def run(*, only: str) -> int:
    """0 when every bar is met, 1 when one is not, 2 when no benchmark has such a name."""
    console = Console(soft_wrap=True, highlight=False)
    chosen = {name: bench for name, bench in BENCHES.items() if only in name}
    if not chosen:
        console.print(f"No benchmark's name contains {only!r}; there are {', '.join(BENCHES)}.")
        return 2
    figures: list[Figure] = []
    for name, bench in chosen.items():
        console.print(f"[bold]{name}[/]")
        figures += bench()
        write(figures, ROOT / "build" / "bench.json", commit=_commit())
    show(figures, console)
    console.print("written to build/bench.json")
    return 0 if all(figure.passes for figure in figures) else 1


def _commit() -> str:
    """The commit that is measured, with a plus when files differ from it; empty outside a repository."""
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"],  # noqa: S607 - whichever git there is
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip()
