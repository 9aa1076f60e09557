"""The verdict: the books of every brand beside what the file says they must be."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

from scripts.console.printed import points
from scripts.demo.plan import Expected
from scripts.stack.gateway import Gateway
from scripts.stack.local_stack import LocalStack

if TYPE_CHECKING:
    from chain.mirror.books import BrandBooks

HANDS = 8
BOOKS_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Line:
    """One brand's books. Base units."""

    brand: str
    expected: int
    supply_on_chain: int
    sum_on_chain: int
    sum_in_mirror: int
    awards_on_chain: int
    awards_expected: int
    members_right: int
    members: int

    @property
    def holds(self) -> bool:
        """True when supply = balances = mirror = the file's own total, and every purchase and member agrees."""
        totals = {self.expected, self.supply_on_chain, self.sum_on_chain, self.sum_in_mirror}
        return len(totals) == 1 and self.awards_on_chain == self.awards_expected and self.members_right == self.members


def judge(stack: LocalStack, plan: Expected, purchases: dict[str, int], ids: dict[str, dict[str, str]]) -> list[Line]:
    """purchases: how many per brand; ids: member ids by brand and identifier."""
    books = _books(stack)
    return [
        Line(
            brand=brand,
            expected=plan.supply[brand],
            supply_on_chain=books[brand].supply_on_chain,
            sum_on_chain=books[brand].sum_on_chain,
            sum_in_mirror=books[brand].sum_in_mirror,
            awards_on_chain=_awards(stack, brand),
            awards_expected=count,
            members_right=_members_right(stack, brand, plan.balances[brand], plan.debts[brand], ids),
            members=len(plan.balances[brand]),
        )
        for brand, count in purchases.items()
    ]


def show(lines: list[Line], console: Console) -> bool:
    """Prints the table and the verdict; True when it holds."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in (
        "brand",
        "from the file",
        "supply on chain",
        "balances on chain",
        "mirror",
        "drift",
        "purchases on chain",
        "members right",
    ):
        table.add_column(title, justify="left" if title == "brand" else "right")
    for line in lines:
        drift = max(
            abs(value - line.expected) for value in (line.supply_on_chain, line.sum_on_chain, line.sum_in_mirror)
        )
        table.add_row(
            line.brand,
            *(points(value) for value in (line.expected, line.supply_on_chain, line.sum_on_chain, line.sum_in_mirror)),
            str(drift),
            f"{line.awards_on_chain:,} of {line.awards_expected:,}",
            f"{line.members_right:,} of {line.members:,}",
            style="" if line.holds else "bold red",
        )
    console.print(table)
    good = bool(lines) and all(line.holds for line in lines)
    if good:
        console.print("[bold green]The books balance.[/] supply = balances = mirror = the file's own total, drift 0.")
    else:
        console.print("[bold red]The books do NOT balance.[/] The lines in red differ.")
    return good


def _books(stack: LocalStack) -> dict[str, BrandBooks]:
    """The books compared now; the gateway's are as of its newest comparison."""
    from chain.mirror.books import books
    from chain.node.rpc import Rpc
    from chain.storage.database import engine

    tables, rpc = engine(stack.database_url), Rpc(stack.rpc_url, timeout_s=BOOKS_TIMEOUT_S)
    try:
        found = {line.brand: line for line in books(rpc, tables, stack.deployment).brands}
        return {slug: found[brand.id] for slug, brand in stack.brands.items()}
    finally:
        rpc.close()
        tables.dispose()


def _awards(stack: LocalStack, brand: str) -> int:
    """Awards that the contract counted, from the chain itself, not from the mirror."""
    from chain.mirror.books import awards_on_chain
    from chain.node.rpc import Rpc

    rpc = Rpc(stack.rpc_url)
    try:
        return awards_on_chain(rpc, stack.deployment, stack.brands[brand].id)
    finally:
        rpc.close()


def _members_right(
    stack: LocalStack,
    brand: str,
    balances: dict[str, int],
    debts: dict[str, int],
    ids: dict[str, dict[str, str]],
) -> int:
    """How many members' spendable points and debts, as their view says, are what the file and the plan say."""
    known = {identifier: member for by_brand in ids.values() for identifier, member in by_brand.items()}

    with Gateway(stack.url, stack.brand_keys[brand]) as gateway:

        def right(item: tuple[str, int]) -> bool:
            identifier, expected = item
            view: dict[str, Any] = gateway.get(f"/v1/members/{known[identifier]}/view")
            found = [one for one in view["balances"] if one["brand"]["slug"] == brand]
            owed = sum(int(one["debt"]) for one in found)
            return (sum(int(one["spendable"]) for one in found), owed) == (expected, debts.get(identifier, 0))

        with ThreadPoolExecutor(max_workers=HANDS) as hands:
            return sum(hands.map(right, balances.items()))
