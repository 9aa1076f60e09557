"""Plays the plan through the gateway's HTTP interface: purchases in streams, then what members do.

Every request has an Idempotency-Key that follows from the plan, so that a replay that was cut off (a kill, Ctrl-C)
is simply run again: what counted is answered from memory, what did not is done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from chain.base.patience import StandsStill
from scripts.demo.plan import Exchange, GoodsBack, Redemption
from scripts.demo.purchases import Purchase
from scripts.stack.gateway import WAIT_S, Gateway, Refused, refused
from scripts.stack.local_stack import LocalStack

CHUNK_LINES = 500
HANDS = 12  # requests under way at once
POLL_S = 0.25
# After the last purchase of the sample.
RETURNED_AT = "1998-07-01T12:00:00Z"

T = TypeVar("T")


class ReplayError(Exception):
    """The replay cannot go on; the message says what was refused or what stands still."""


class Rate(ProgressColumn):
    """Confirmed a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f}/s", style="cyan")


def progress() -> Progress:
    """A bar with count, rate and time left; a line now and then where there is no terminal."""
    return Progress(
        TextColumn("  {task.description:<34}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
    )


def enrol(stack: LocalStack, brand: str, members: Iterable[str]) -> dict[str, str]:
    """Member ids by the brand's own identifiers."""
    ids: dict[str, str] = {}
    with Gateway(stack.url, stack.brand_keys[brand]) as gateway:
        for number, chunk in enumerate(chunks(sorted(members), CHUNK_LINES)):
            lines = [{"identifier": member} for member in chunk]
            answers = gateway.post_lines("/v1/members", lines, key=f"demo-members-{brand}-{number}")
            _nothing_refused("members", answers)
            ids.update({answer["member"]["identifier"]: answer["member"]["id"] for answer in answers})
    return ids


def purchases(stack: LocalStack, brand: str, orders: Sequence[Purchase], bar: Progress) -> None:
    """Posts every purchase and waits until each is on the chain and mirrored."""
    with Gateway(stack.url, stack.brand_keys[brand]) as gateway:
        task = bar.add_task(f"purchases of {brand}", total=len(orders))
        for number, chunk in enumerate(chunks(orders, CHUNK_LINES)):
            lines = [purchase.as_json() for purchase in chunk]
            answers = gateway.post_lines("/v1/purchases", lines, key=f"demo-{brand}-{number}")
            _nothing_refused("purchases", answers)
            bar.update(task, completed=_confirmed(gateway))
        _until_confirmed(stack, gateway, len(orders), lambda done: bar.update(task, completed=done))


def redemptions(
    stack: LocalStack, brand: str, plan: Sequence[Redemption], points: int, bar: Progress
) -> list[dict[str, Any]]:
    """Holds, and how each ends. Returns the holds as they stand at the end."""

    def redeem(redemption: Redemption) -> dict[str, Any]:
        with Gateway(stack.url, stack.brand_keys[brand]) as gateway:
            name = f"demo-hold-{redemption.member}"
            body = {"member": {"identifier": redemption.member}, "points": str(points), "reward": "gift-card"}
            hold = gateway.post("/v1/holds", {**body, "lifetime_s": 86_400}, key=name, wait_s=WAIT_S)
            hold = _until_hold(stack, gateway, hold, "held")
            at = f"/v1/holds/{hold['id']}"
            if redemption.capture == 0:
                gateway.post(f"{at}/release", {}, key=f"{name}-release", wait_s=WAIT_S)
                return _until_hold(stack, gateway, hold, "released")
            gateway.post(f"{at}/capture", {"points": str(redemption.capture)}, key=f"{name}-capture", wait_s=WAIT_S)
            hold = _until_hold(stack, gateway, hold, "captured")
            if redemption.refund:
                gateway.post(f"{at}/refund", {"points": str(redemption.refund)}, key=f"{name}-refund", wait_s=WAIT_S)
            return hold

    return _all(plan, redeem, bar, f"redemptions at {brand}")


def exchanges(
    stack: LocalStack,
    ids: dict[str, str],
    versions: dict[tuple[str, str], int],
    plan: Sequence[Exchange],
    label: str,
    bar: Progress,
) -> None:
    """Each member exchanges, in a session of their own. ids: member ids by identifier."""

    def exchange(one: Exchange) -> None:
        with Gateway(stack.url, stack.operator_key) as operator:
            session = operator.post(
                f"/v1/members/{ids[one.member]}/sessions", {}, key=f"session-{one.member}-{time.time_ns()}"
            )
        with Gateway(stack.url, session["token"]) as member:
            body = {
                "from": one.from_brand,
                "to": one.to_brand,
                "points_in": str(one.points_in),
                "minimum_out": str(one.minimum_out),
                "agreement_version": versions[one.from_brand, one.to_brand],
            }
            key = f"demo-exchange-{one.member}-{one.from_brand}"
            answer = member.post("/v1/exchanges", body, key=key, wait_s=WAIT_S)
            operation = answer["operation"]["id"]
            _until(
                stack, lambda: member.get(f"/v1/operations/{operation}"), lambda found: found["state"] == "confirmed"
            )

    _all(plan, exchange, bar, label)


def goods_back(stack: LocalStack, brand: str, plan: Sequence[GoodsBack], bar: Progress) -> None:
    """Goods come back; each return is waited for until its points are taken back."""

    def give_back(one: GoodsBack) -> None:
        body = {"id": one.id, "order": one.order, "occurred_at": RETURNED_AT}
        if one.amount is not None:
            body["amount"] = str(one.amount)
        with Gateway(stack.url, stack.brand_keys[brand]) as gateway:
            answer = gateway.post("/v1/returns", body, key=f"demo-{one.id}", wait_s=WAIT_S)
            operation = answer["operation"]["id"]
            _until(
                stack, lambda: gateway.get(f"/v1/operations/{operation}"), lambda found: found["state"] == "confirmed"
            )

    _all(plan, give_back, bar, f"returns to {brand}")


def chunks(items: Sequence[T], size: int) -> Iterable[Sequence[T]]:
    """Slices of at most `size`."""
    return (items[start : start + size] for start in range(0, len(items), size))


def _all(plan: Sequence[T], act: Callable[[T], Any], bar: Progress, label: str) -> list[Any]:
    task = bar.add_task(label, total=len(plan))

    def done(one: T) -> Any:
        result = act(one)
        bar.advance(task)
        return result

    with ThreadPoolExecutor(max_workers=HANDS) as hands:
        return list(hands.map(done, plan))


def _nothing_refused(what: str, answers: Sequence[dict[str, Any]]) -> None:
    bad = refused(answers)
    if bad:
        raise ReplayError(f"{len(bad)} {what} were refused; the first: {bad[0]}")


def _counts(gateway: Gateway) -> dict[str, int]:
    return {state: int(count) for state, count in gateway.get("/v1/operations", kind="award")["states"].items()}


def _confirmed(gateway: Gateway) -> int:
    return _counts(gateway).get("confirmed", 0)


def _until_confirmed(stack: LocalStack, gateway: Gateway, wanted: int, tell: Callable[[int], None]) -> None:
    """Waits for `wanted` awards; raises ReplayError when one failed or nothing moves any more."""
    patience = stack.patience()
    while True:
        stack.check()
        counts = _counts(gateway)
        done = counts.get("confirmed", 0)
        tell(min(done, wanted))
        if counts.get("failed", 0):
            raise ReplayError(f"{counts['failed']} awards were refused by the chain.")
        if done >= wanted:
            return
        try:
            patience.look(counts, stack.block())
        except StandsStill as error:
            raise ReplayError(f"The purchases stand still, {error}; operations by state: {counts}.") from None
        time.sleep(POLL_S)


def _until_hold(stack: LocalStack, gateway: Gateway, hold: dict[str, Any], state: str) -> dict[str, Any]:
    """The hold once it is in `state` (or further on, in a replay)."""
    further = {"held": {"held", "captured", "released"}}.get(state, {state})
    found: dict[str, Any] = _until(
        stack, lambda: gateway.get(f"/v1/holds/{hold['id']}"), lambda now: now["state"] in further
    )
    return found


def _until(stack: LocalStack, look: Callable[[], Any], good: Callable[[Any], bool]) -> Any:
    """What is looked at, once it is good; while blocks come it may still be waiting for its turn."""
    patience = stack.patience()
    while True:
        stack.check()
        found = look()
        if good(found):
            return found
        if found.get("state") in {"failed", "refused"}:
            raise ReplayError(f"This did not come to its end: {found}")
        try:
            patience.look(found.get("state"), stack.block())
        except StandsStill as error:
            raise ReplayError(f"This did not come to its end, {error}: {found}") from None
        time.sleep(POLL_S)


__all__ = ["Refused", "ReplayError", "enrol", "exchanges", "goods_back", "progress", "purchases", "redemptions"]
