"""What of the demo is played already: kept beside its state, so that a second start goes on instead of beginning again.

A mark is written when a part is done, never before. It is of one plan, one chain and one database: where any of them is
another, nothing is believed and all is played again, which every request's idempotency key makes harmless.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from scripts.demo.plan import Expected
from scripts.demo.purchases import Purchase
from scripts.stack.gateway import Gateway
from scripts.stack.local_stack import LocalStack

FILE: Final = "played.json"


@dataclass
class Played:
    """The parts that are done, and the ids of the members that were enrolled, by brand and identifier."""

    path: Path
    of: str
    parts: list[str] = field(default_factory=list)
    members: dict[str, dict[str, str]] = field(default_factory=dict)

    def has(self, part: str) -> bool:
        return part in self.parts

    def mark(self, part: str) -> None:
        """The part is done; on disk when this returns."""
        if part not in self.parts:
            self.parts.append(part)
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps({"of": self.of, "parts": self.parts, "members": self.members}))
        fresh.replace(self.path)


def played(stack: LocalStack, plan: Expected, orders: dict[str, list[Purchase]]) -> Played:
    """What is marked, if it is of this plan and still there."""
    path = stack.plan.state / FILE
    of = _digest(stack, plan, orders)
    fresh = Played(path, of)
    if not path.exists():
        return fresh
    try:
        kept: dict[str, Any] = json.loads(path.read_text())
        found = Played(path, kept["of"], kept["parts"], kept["members"])
    except (ValueError, KeyError):
        return fresh
    return found if found.of == of and _is_there(stack, found, orders) else fresh


def _is_there(stack: LocalStack, found: Played, orders: dict[str, list[Purchase]]) -> bool:
    """Whether the gateway's database has what the marks say: it may be another one than they were written beside."""
    for brand, ids in found.members.items():
        with Gateway(stack.url, stack.brand_keys[brand]) as gateway:
            last = max(ids)
            if gateway.find(f"/v1/members/{ids[last]}") is None:
                return False
            states = gateway.get("/v1/operations", kind="award")["states"]
            if found.has(f"purchases of {brand}") and int(states.get("confirmed", 0)) < len(orders[brand]):
                return False
    return True


def _digest(stack: LocalStack, plan: Expected, orders: dict[str, list[Purchase]]) -> str:
    where = stack.deployment
    told = repr((where.genesis_hash, where.start_block, sorted(orders.items()), plan.redemptions, plan.exchanges))
    return hashlib.sha256((told + repr((plan.returns, plan.goods_back))).encode()).hexdigest()
