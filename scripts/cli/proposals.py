"""`moa proposals`: what brands and members proposed, as the gateway tells anyone."""

from __future__ import annotations

from typing import Annotated, Any, Final

import orjson
import typer
from rich.console import Console
from rich.table import Table

from scripts.cli.over_http import asked

proposals = typer.Typer(help="Proposals: their state, both houses, the lists of balances.", no_args_is_help=True)
COMMANDS = {"proposals": proposals}
PAGE: Final = 50
Url = Annotated[str, typer.Option("--url", envvar="MOA_GATEWAY", help="the gateway's address")]
Json = Annotated[bool, typer.Option("--json", help="machine-readable answer")]


@proposals.command("list")
def list_proposals(
    url: Url,
    before: Annotated[int, typer.Option(min=0, help="only those with a lower number; 0: the newest")] = 0,
    json: Json = False,
) -> None:
    """Show the newest 50. Needs no key."""
    query = {"limit": str(PAGE), **({"cursor": str(before)} if before else {})}
    _tell(asked(url, None, lambda gateway: gateway.get("/v1/proposals", **query))["proposals"], json)


@proposals.command("show")
def show(proposal: Annotated[int, typer.Argument(min=1)], url: Url, json: Json = False) -> None:
    """Show one with the points of each brand's members and the lists of balances. Needs no key."""
    told = asked(url, None, lambda gateway: gateway.get(f"/v1/proposals/{proposal}"))
    _tell([told], json)
    if not json:
        for name in ("tallies", "lists"):
            for one in told[name]:
                said = ", ".join(f"{key} {value}" for key, value in one.items() if value is not None)
                Console(highlight=False, soft_wrap=True).print(f"{name}: {said}", markup=False)


def _tell(found: list[dict[str, Any]], as_json: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    if as_json:
        console.out(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode(), highlight=False)
        return
    table = Table("proposal", "state", "brands", "voted until", "voices", "brands' house", "members' house")
    for one in found:
        houses = ("agrees" if one[name] else "does not agree" for name in ("brands_agree", "members_agree"))
        voices = f"{one['voices_for']}:{one['voices_against']}"
        table.add_row(one["proposal"], one["state"], ", ".join(one["brands"]), one["voted_until"], voices, *houses)
    console.print(table)
