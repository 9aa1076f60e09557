"""What members do in the demo after their purchases, and what the books must show then.

The plan is fixed: it follows from the file of purchases, so the expected totals can be computed from the file and the
published terms (scripts/deploy/plan.toml) alone, without asking the system that is being checked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from scripts.demo.purchases import Purchase

HOLD_POINTS = 1_500
PART_POINTS = 900
REFUND_POINTS = 500
HOLD_NEEDS = 2_000
EXCHANGE_POINTS = 2_500
EXCHANGE_NEEDS = 5_000
BACK_POINTS = 1_000


@dataclass(frozen=True)
class Redemption:
    """A hold of HOLD_POINTS, and how it ends. `capture` 0: released."""

    member: str
    capture: int
    refund: int = 0


@dataclass(frozen=True)
class Exchange:
    """One exchange; `minimum_out` is what the published agreement gives to the base unit."""

    member: str
    from_brand: str
    to_brand: str
    points_in: int
    minimum_out: int


@dataclass(frozen=True)
class GoodsBack:
    """Goods of a purchase that come back. `amount` in the currency's minor unit; None: all of them."""

    id: str
    order: str
    member: str
    amount: int | None = None


@dataclass(frozen=True)
class Agreement:
    """Published terms of one direction."""

    numerator: int
    denominator: int
    fee_bps: int

    def out(self, points_in: int) -> int:
        """SPEC 4: the gross is rounded down, the fee up."""
        gross = points_in * self.numerator // self.denominator
        fee = -(-gross * self.fee_bps // 10_000)
        return gross - fee


@dataclass
class Expected:
    """Totals per brand and balance per member, in base units."""

    redemptions: list[Redemption] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    returns: list[Exchange] = field(default_factory=list)
    goods_back: list[GoodsBack] = field(default_factory=list)
    debts: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))
    awarded: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    supply: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    balances: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))


def points_of(purchase: Purchase, rule: dict[str, Any]) -> int:
    """SPEC 2: amount * numerator / denominator, rounded down (the only rounding that the plan uses)."""
    return _points(purchase.amount, rule)


def _points(amount: int, rule: dict[str, Any]) -> int:
    if rule["rounding"].lower() != "down":
        raise ValueError(f"The demo's expectation knows rounding down, not {rule['rounding']!r}.")
    return amount * int(rule["numerator"]) // int(rule["denominator"])


def expect(
    purchases: dict[str, Iterable[Purchase]],
    rules: dict[str, dict[str, Any]],
    agreements: dict[tuple[str, str], Agreement],
) -> Expected:
    """The plan and its outcome. purchases, rules: by brand; agreements: by (from brand, to brand)."""
    plan = Expected()
    for brand, orders in purchases.items():
        for purchase in orders:
            points = points_of(purchase, rules[brand])
            plan.awarded[brand] += points
            plan.balances[brand][purchase.member] += points

    shop, partner = "cdnow", "hanok"
    members = list(plan.balances[shop])
    for index, member in enumerate(members):
        earned = plan.balances[shop][member]
        if index % 10 == 0 and earned >= HOLD_NEEDS:
            plan.redemptions.append(_redemption(member, index // 10))
        if index % 15 == 7 and earned >= EXCHANGE_NEEDS:
            out = agreements[shop, partner].out(EXCHANGE_POINTS)
            plan.exchanges.append(Exchange(member, shop, partner, EXCHANGE_POINTS, out))
            if index % 45 == 7 and out >= BACK_POINTS:
                back = agreements[partner, shop].out(BACK_POINTS)
                plan.returns.append(Exchange(member, partner, shop, BACK_POINTS, back))

    for redemption in plan.redemptions:
        plan.balances[shop][redemption.member] -= redemption.capture - redemption.refund
    for exchange in plan.exchanges + plan.returns:
        plan.balances[exchange.from_brand][exchange.member] -= exchange.points_in
        plan.balances[exchange.to_brand][exchange.member] += exchange.minimum_out
    _give_back(plan, shop, list(purchases[shop]), members, rules[shop])
    for brand, balances in plan.balances.items():
        plan.supply[brand] = sum(balances.values())
    return plan


def _give_back(plan: Expected, shop: str, orders: list[Purchase], members: list[str], rule: dict[str, Any]) -> None:
    """Some of the shop's goods come back once all else was done: a first purchase whole, half of one, and everything
    of members whose points were redeemed. SPEC 2.24, 2.25: what the rule pays for what was kept stays; what was spent
    is owed, or forgiven, as the rule says."""
    bought: dict[str, list[Purchase]] = defaultdict(list)
    for order in orders:
        if order.amount:
            bought[order.member].append(order)
    spent = {one.member for one in plan.redemptions if one.capture - one.refund == HOLD_POINTS}
    for index, member in enumerate(members):
        back: list[tuple[Purchase, int | None]] = []
        if index % 40 == 3:
            back = [(order, None) for order in bought[member][:1]]
        elif index % 40 == 23:
            back = [(order, order.amount // 2) for order in bought[member][:1] if order.amount > 1]
        elif member in spent and index % 80 == 40:
            back = [(order, None) for order in bought[member]]
        for order, amount in back:
            plan.goods_back.append(GoodsBack(f"back-{order.id}", order.id, member, amount))
            kept = 0 if amount is None else order.amount - amount
            gone = _points(order.amount, rule) - _points(kept, rule)
            taken = min(gone, plan.balances[shop][member])
            plan.balances[shop][member] -= taken
            if rule.get("shortfall", "forgive") == "debt":
                plan.debts[shop][member] += gone - taken


def _redemption(member: str, turn: int) -> Redemption:
    """In turns: captured whole, captured in part, released, captured whole and refunded in part."""
    match turn % 4:
        case 0:
            return Redemption(member, HOLD_POINTS)
        case 1:
            return Redemption(member, PART_POINTS)
        case 2:
            return Redemption(member, 0)
        case _:
            return Redemption(member, HOLD_POINTS, REFUND_POINTS)
