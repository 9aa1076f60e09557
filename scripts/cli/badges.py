"""`moa badges`: defined on the chain by the brand's owner; listed, given and taken back over the gateway's HTTP."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson
import typer
from rich.console import Console
from rich.table import Table

from chain.base.addresses import parse_address
from chain.base.errors import AddressMalformed, ChainError
from chain.base.hashing import keccak_text
from scripts.cli.over_http import REFUSED, asked, post

if TYPE_CHECKING:
    from scripts.stack.gateway import Gateway

badges = typer.Typer(help="Tiers, missions and achievements of a brand.", no_args_is_help=True)
COMMANDS = {"badges": badges}
# Two words of terms and a hash, and the count: 98,000 gas.
DEFINE_GAS: Final = 400_000
KINDS: Final = ("tier", "mission", "achievement")
GIVERS: Final = ("owner", "issuer", "till")
PAGES_MAX: Final = 11
Url = Annotated[str, typer.Option("--url", envvar="MOA_GATEWAY", help="the gateway's address")]
Key = Annotated[str, typer.Option("--key", envvar="MOA_BRAND_KEY", help="a key of the brand")]
Json = Annotated[bool, typer.Option("--json", help="machine-readable answer")]
Number = Annotated[str, typer.Option("--definition", help="the brand's number of it")]
Reference = Annotated[str, typer.Argument(help="the brand's own, counts once")]


@badges.command("define")
def define(
    brand: Annotated[int, typer.Option("--brand", min=1, help="the registry's id of the brand")],
    kind: Annotated[str, typer.Option(help="tier, mission or achievement")],
    text: Annotated[str, typer.Option(help="the public text; the chain has its keccak256")],
    limit: Annotated[int, typer.Option(min=1, help="most that are ever given")],
    end: Annotated[int, typer.Option(help="unix second from which on none is given any more")],
    rpc: Annotated[str, typer.Option("--rpc", envvar="MOA_RPC_URL", help="the node's HTTP address")],
    chain_id: Annotated[int, typer.Option("--chain-id", envvar="MOA_CHAIN_ID")],
    deployments: Annotated[Path, typer.Option("--deployments", envvar="MOA_DEPLOYMENTS")] = Path("deployments"),
    giver: Annotated[str, typer.Option(help="whose role gives it: the gateway gives as issuer")] = "issuer",
    level: Annotated[int, typer.Option(min=0, max=255, help="of a tier")] = 0,
    valid_s: Annotated[int, typer.Option(min=0, help="how long one is valid; 0: for ever, never of a tier")] = 0,
    withdrawable: Annotated[bool, typer.Option("--withdrawable", help="it may be taken back")] = False,
    owner: Annotated[str, typer.Option(help="0x…: the brand's owner, an account that the node has")] = "",
    owner_key: Annotated[str, typer.Option(envvar="MOA_OWNER_KEY", help="the owner's key; best in MOA_OWNER_KEY")] = "",
    json: Json = False,
) -> None:
    """Publish a definition as the brand's owner. It never changes. The contract is asked first."""
    from chain.contracts.badges import CONTRACT
    from scripts.cli import opening_chain, owner_calls

    if kind not in KINDS or giver not in GIVERS:
        raise typer.BadParameter(f"--kind is one of {', '.join(KINDS)}, --giver one of {', '.join(GIVERS)}.")
    definition = {
        "kind": KINDS.index(kind),
        "giver": GIVERS.index(giver) + 1,
        "level": level,
        "withdrawable": withdrawable,
        "limit": limit,
        "end": end,
        "validSeconds": valid_s,
        "metadataHash": "0x" + keccak_text(text).hex(),
    }
    try:
        node, deployment = opening_chain.connected(rpc, deployments, chain_id)
        with closing(node):
            done = owner_calls.made(
                node,
                deployment,
                CONTRACT,
                "publish",
                (brand, definition),
                owner=parse_address(owner) if owner else "",
                key=owner_key,
                gas=DEFINE_GAS,
            )
    except (ChainError, AddressMalformed, ValueError, TimeoutError, OSError) as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"{type(error).__name__}: {error}", markup=False)
        raise typer.Exit(REFUSED) from error
    number = next((str(log.args["definitionId"]) for log in done.logs), str(done.expected))
    said = {"brand": str(brand), "definition": number, "transaction": done.transaction, **definition}
    _tell([said], json)


@badges.command("list")
def list_definitions(
    slug: Annotated[str, typer.Argument(help="the brand")],
    url: Url,
    account: Annotated[str, typer.Option(help="0x…: its live badges instead")] = "",
    json: Json = False,
) -> None:
    """Show a brand's definitions, or an account's live badges there. Needs no key."""
    path = f"/v1/brands/{slug}/badges"
    if account:
        _tell(asked(url, None, lambda gateway: gateway.get(f"{path}/{account}"))["badges"], json)
        return
    _tell(asked(url, None, lambda gateway: _pages(gateway, path)), json)


@badges.command("give")
def give(
    reference: Reference,
    members: Annotated[list[str], typer.Argument(help="the brand's names for the members, at most 100")],
    definition: Number,
    url: Url,
    key: Key,
    json: Json = False,
) -> None:
    """Give a definition's badge to members; who cannot have it is refused alone."""
    body = {"reference": reference, "definition": definition, "members": [{"identifier": one} for one in members]}
    _tell([asked(url, key, lambda gateway: post(gateway, "/v1/badges", body))], json)


@badges.command("withdraw")
def withdraw(
    reference: Reference,
    member: Annotated[str, typer.Argument(help="the brand's name for the member")],
    definition: Number,
    url: Url,
    key: Key,
    json: Json = False,
) -> None:
    """Take a member's badge back, where its definition allows that."""
    body = {"reference": reference, "definition": definition, "member": {"identifier": member}}
    _tell([asked(url, key, lambda gateway: post(gateway, "/v1/badges/withdrawals", body))], json)


def _pages(gateway: Gateway, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    page = gateway.get(path)
    for _ in range(PAGES_MAX):
        found += page["definitions"]
        if page["next_cursor"] is None:
            break
        page = gateway.get(path, cursor=page["next_cursor"])
    return found


def _tell(found: list[dict[str, Any]], as_json: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    if as_json:
        console.out(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode(), highlight=False)
        return
    names = [name for name in (found[0] if found else {}) if name not in ("metadata_hash", "metadataHash")]
    table = Table(*names)
    for one in found:
        shown = (one[name]["state"] if name == "operation" else one[name] for name in names)
        table.add_row(*("" if value is None else str(value) for value in shown))
    console.print(table)
