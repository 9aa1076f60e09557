"""`moa books`: supply on the chain, sum of balances on the chain, sum in the mirror, brand by brand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from rich import box
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from chain.base.errors import ChainError
from chain.contracts.deployment import Deployment
from chain.mirror.books import Books, BrandBooks, books
from chain.node.rpc import Rpc
from chain.storage.database import reading
from scripts.cli.status import UNKNOWN, existing, unreadable
from scripts.console.printed import plain, points
from scripts.stack.brand_names import NamedBrand, of_gateway, slug_of

AMOUNTS = ("supply_on_chain", "sum_on_chain", "sum_in_mirror", "held", "drift")


def show(*, database_url: str, rpc_url: str, chain_id: int, deployments: Path, as_json: bool) -> int:
    """0 when nothing drifts, 1 when something does, 2 when node, mirror or deployment cannot be read."""
    console = Console(highlight=False, soft_wrap=True)
    try:
        found, named = _compared(database_url, rpc_url, chain_id, deployments)
    except (ChainError, SQLAlchemyError, FileNotFoundError) as error:
        reason = str(error) if isinstance(error, ChainError) else unreadable(error)
        if as_json:
            console.out(orjson.dumps({"balanced": None, "trouble": reason}).decode(), highlight=False)
        else:
            console.print(f"[bold red]{plain(reason)}[/]")
        return UNKNOWN
    balanced = all(brand.drift == 0 for brand in found.brands)
    if as_json:
        answer = {
            "balanced": balanced,
            "block_number": found.block_number,
            "brands": [told(one, named) for one in found.brands],
        }
        console.out(orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode(), highlight=False)
        return 0 if balanced else 1

    table = Table(box=box.SIMPLE_HEAD, title=f"The books at block {found.block_number:,}", title_justify="left")
    for title in ("brand", "supply on chain", "balances on chain", "mirror", "of these held", "drift"):
        table.add_column(title, justify="left" if title == "brand" else "right")
    for brand in found.brands:
        sums = (brand.supply_on_chain, brand.sum_on_chain, brand.sum_in_mirror, brand.held)
        table.add_row(plain(slug_of(named, brand.brand)), *(points(value) for value in sums), str(brand.drift))
    console.print(table)
    console.print("[bold green]balanced[/]" if balanced else "[bold red]NOT balanced[/]")
    return 0 if balanced else 1


def _compared(database_url: str, rpc_url: str, chain_id: int, deployments: Path) -> tuple[Books, list[NamedBrand]]:
    deployment = Deployment.load(deployments, chain_id)
    engine, rpc = existing(database_url), Rpc(rpc_url)
    try:
        with reading(engine) as connection:
            named = of_gateway(connection)
        return books(rpc, engine, deployment), named
    finally:
        rpc.close()
        engine.dispose()


def told(brand: BrandBooks, named: Sequence[NamedBrand]) -> dict[str, Any]:
    """One brand's books as JSON values: amounts as strings, the number of accounts as a number."""
    amounts = {name: str(getattr(brand, name)) for name in AMOUNTS}
    differences = [
        {"account": one.account, "on_chain": str(one.on_chain), "in_mirror": str(one.in_mirror)}
        for one in brand.differences
    ]
    return {
        "brand": slug_of(named, brand.brand),
        "token": brand.token,
        **amounts,
        "accounts": brand.accounts,
        "differences": differences,
    }
