"""`moa demo`: start everything, replay real purchases, say whether the books balance, serve the screens.

A second start finds what was played (scripts.demo.played): it tells its addresses at once, plays what is missing, and
then judges all of it again.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
from rich.console import Console
from rich.markup import escape

from chain.audit.errors import AuditError
from chain.base.errors import ChainError
from scripts.demo import audited, copy_of_chain, evidence, replay, verdict
from scripts.demo.plan import HOLD_POINTS, Agreement, Expected, expect
from scripts.demo.played import Played, played
from scripts.demo.purchases import Purchase, cdnow, hanok
from scripts.deploy.terms import terms
from scripts.stack.gateway import Gateway, Refused
from scripts.stack.local_stack import LocalStack, LocalStackError, Plan, stack
from scripts.stack.processes import ChildEnded

WATCH_S = 1.0
MEMBERS = "members"


def run(*, state: Path, once: bool, fresh: bool, port: int, rpc_port: int, limit: int = 0) -> int:
    """0 when the verdict holds; 1 when it does not or something ended; 130 after Ctrl-C before the verdict."""
    console = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else 132)
    judged: int | None = None
    try:
        # Nothing carries codes here: whoever has the operator's key reads them.
        settings = {"MOA_OUTBOX_SHOWN": "1"}
        plan = Plan(state=state, rpc_port=rpc_port, port=port, fresh=fresh, settings=settings)
        with stack(plan, _say(console)) as system:
            judged = 0 if _play(system, console, limit) else 1
            if once:
                return judged
            _serve(system, console)
            return judged
    except KeyboardInterrupt:
        console.print("\nStopped. The state is kept; [bold]make demo[/] goes on from here.")
        return 130 if judged is None else judged
    except (AuditError, ChildEnded, ChainError, LocalStackError, replay.ReplayError, Refused) as error:
        console.print(f"\n[bold red]The demo stopped.[/] {escape(str(error))}")
        console.print("Nothing that was confirmed is lost: run the command again and it goes on.")
        return 1
    except httpx.TransportError as error:
        console.print(f"\n[bold red]The demo stopped.[/] The gateway does not answer ({escape(str(error))}).")
        console.print("Nothing that was accepted is lost: run the command again and it goes on.")
        return 1


def _play(system: LocalStack, console: Console, limit: int) -> bool:
    orders = {"cdnow": list(cdnow())[: limit or None], "hanok": list(hanok())}
    plan = expectation(orders)
    started = time.monotonic()

    done = played(system, plan, orders)
    if done.has(MEMBERS):
        # What a member sees is there already: nobody need wait for what follows.
        _addresses(system, console)
    _replay(system, plan, orders, done)
    ids = done.members

    lines = verdict.judge(system, plan, {brand: len(bought) for brand, bought in orders.items()}, ids)
    console.print()
    good = verdict.show(lines, console)
    good = _show_time(system, ids["cdnow"], console) and good
    good = _leave_evidence(system, console) and good
    good = audited.check(system, console) and good
    console.print(f"Played in {time.monotonic() - started:.0f} s.\n")
    return good


def _replay(system: LocalStack, plan: Expected, orders: dict[str, list[Purchase]], done: Played) -> None:
    """Plays what is not marked as played, part by part, in the plan's order."""
    if not done.has(MEMBERS):
        for brand, bought in orders.items():
            done.members[brand] = replay.enrol(system, brand, {order.member for order in bought})
        done.mark(MEMBERS)
    versions = {(a["from"], a["to"]): 1 for a in terms()["agreements"]}
    ids = done.members["cdnow"]
    with replay.progress() as bar:
        parts: dict[str, Callable[[], object]] = {
            f"purchases of {brand}": partial(replay.purchases, system, brand, bought, bar)
            for brand, bought in orders.items()
        }
        parts["redemptions"] = partial(replay.redemptions, system, "cdnow", plan.redemptions, HOLD_POINTS, bar)
        for label, exchanges in (("cdnow → hanok", plan.exchanges), ("hanok → cdnow", plan.returns)):
            label = f"exchanges {label}"
            parts[label] = partial(replay.exchanges, system, ids, versions, exchanges, label, bar)
        parts["returns"] = partial(replay.goods_back, system, "cdnow", plan.goods_back, bar)
        for part, play in parts.items():
            if not done.has(part):
                play()
                done.mark(part)


def _show_time(system: LocalStack, ids: dict[str, str], console: Console) -> bool:
    """What time does, on a copy of the chain; True when all is as the rules say."""
    console.print("\nOn a copy of the chain:")
    right = True
    for step in copy_of_chain.show(system, ids["cdnow-0001"]):
        mark = "[green]✓[/]" if step.right else "[bold red]✗[/]"
        console.print(f"  {mark} {step.what}: {step.outcome}")
        right = right and step.right
    console.print()
    return right


def _leave_evidence(system: LocalStack, console: Console) -> bool:
    """One member's bundle on disk; True when it holds."""
    left = evidence.leave(system, "cdnow-0001")
    console.print("One member's evidence, for anyone to check offline:")
    console.print(f"  moa verify {left.path} --pin {left.pin} --registry {left.verdict.registry}")
    mark = "[green]✓[/]" if left.right else "[bold red]✗[/]"
    console.print(f"  {mark} {left.verdict.verdict}{f': {left.verdict.error}' if left.verdict.error else ''}\n")
    return left.right


def expectation(orders: dict[str, list[Purchase]]) -> Expected:
    """What the books must show, from the file and the published terms alone."""
    published = terms()
    rules = {brand["slug"]: brand["rules"]["purchase"] for brand in published["brands"]}
    agreements = {
        (a["from"], a["to"]): Agreement(a["numerator"], a["denominator"], a["fee_bps"]) for a in published["agreements"]
    }
    return expect(dict(orders), rules, agreements)


def _serve(system: LocalStack, console: Console) -> None:
    _addresses(system, console)
    console.print("\nCtrl-C stops everything.")
    while True:
        system.check()
        time.sleep(WATCH_S)


def _addresses(system: LocalStack, console: Console) -> None:
    """Where everything is, with a fresh session of one member."""
    wallet = _wallet_of(system, "cdnow-0001")
    console.print(f"  wallet        {wallet}")
    console.print(f"  books         {system.url}/v1/books")
    console.print(f"  API           {system.url}/openapi.json")
    console.print(f"  node          {system.rpc_url}")
    console.print(f"  keys          {system.plan.state / 'keys.json'}")


def _wallet_of(system: LocalStack, identifier: str) -> str:
    """A link that opens this member's wallet."""
    with Gateway(system.url, system.brand_keys["cdnow"]) as shop:
        member = shop.get("/v1/members", identifier=identifier)
    with Gateway(system.url, system.operator_key) as operator:
        session = operator.post(f"/v1/members/{member['id']}/sessions", {}, key=f"wallet-{time.time_ns()}")
    return f"{system.url}/#session={session['token']}"


def _say(console: Console):  # type: ignore[no-untyped-def]
    return lambda line: console.print(f"  {line}")
