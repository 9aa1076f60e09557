"""`moa audit`: checks the whole books against one pinned block hash, and says what differs.

Exit codes: 0 all agree; 1 something differs; 2 the command was given wrongly (pin, file, deployment); 3 the audit could
not be finished (node or database away, mirror behind the pin).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError

from chain.audit.errors import AuditError, KindUnknown, MirrorMissing, PinMissing
from chain.audit.report import Plan, Report, Sample
from chain.base.errors import ChainError, DeploymentError
from chain.contracts.deployment import Deployment
from chain.proofs import hexes
from chain.proofs.errors import ProofError
from chain.tlog.checkpoints import open_checkpoint
from chain.tlog.errors import TlogError
from chain.tlog.notes import Verifier
from scripts.console.audited import audit, say
from scripts.console.printed import plain

AGREES, DIFFERS, WRONG_USE, UNFINISHED = 0, 1, 2, 3


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
