"""The demo's own audit: everything it wrote, checked against the hash of its last block."""

from __future__ import annotations

import time
from typing import Final

from rich.console import Console

from chain.audit.errors import MirrorMissing
from chain.audit.report import Plan, Report
from chain.base.patience import StandsStill
from chain.node.rpc import Rpc
from scripts.console.audited import audit, say
from scripts.stack.local_stack import LocalStack

PAUSE_S: Final = 0.1


def check(stack: LocalStack, console: Console) -> bool:
    """Audits the run and prints the verdict; True when everything agrees."""
    console.print("\nThe audit of this run, which trusts only the hash of its last block:")
    began = time.monotonic()
    report = _audit(stack)
    say(report, console.print)
    console.print(f"  it took {time.monotonic() - began:.1f} s\n")
    return report.agrees


def _audit(stack: LocalStack) -> Report:
    """Pins the newest block; the mirror may be a moment behind it."""
    rpc = Rpc(stack.rpc_url)
    try:
        pin = bytes.fromhex(rpc.call("eth_getBlockByNumber", "latest", False)["hash"][2:])
    finally:
        rpc.close()
    patience = stack.patience()
    while True:
        try:
            return audit(stack.rpc_url, stack.database_url, stack.deployment, Plan(pin), shown=True)
        except MirrorMissing as missing:
            try:
                patience.look(stack.block())
            except StandsStill:
                raise missing from None
            time.sleep(PAUSE_S)
