"""`moa corrections`: points by hand over the gateway's HTTP: asked, listed, approved by the owner's key, refused, taken
back. Whoever approves signs here; the gateway never sees the key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson
import typer
from rich.console import Console

from scripts.cli.over_http import asked, post

if TYPE_CHECKING:
    from scripts.stack.gateway import Gateway

PAGE: Final = 200
KEY_BYTES: Final = 32
corrections = typer.Typer(help="Points by hand: goodwill and corrections, above a limit by two.", no_args_is_help=True)
COMMANDS = {"corrections": corrections}
Url = Annotated[str, typer.Option("--url", envvar="MOA_GATEWAY", help="the gateway's address")]
Key = Annotated[str, typer.Option("--key", envvar="MOA_BRAND_KEY", help="a key of the brand")]
Json = Annotated[bool, typer.Option("--json", help="machine-readable answer")]
Id = Annotated[str, typer.Argument(help="cor_…")]


@corrections.command("list")
def list_corrections(
    url: Url,
    key: Key,
    state: Annotated[str, typer.Option(help="waiting, expired, asked, refused, withdrawn; all without it")] = "",
    json: Json = False,
) -> None:
    """Show the brand's points by hand, the newest 200 first."""
    query = {"limit": str(PAGE), **({"state": state} if state else {})}
    told = asked(url, key, lambda gateway: gateway.get("/v1/corrections", **query))
    _tell(told["corrections"], json)


@corrections.command("show")
def show(id: Id, url: Url, key: Key, json: Json = False) -> None:
    """Show one with its reason and what a second one signs."""
    _tell([asked(url, key, lambda gateway: gateway.get(f"/v1/corrections/{id}"))], json)


@corrections.command("ask")
def ask(
    reference: Annotated[str, typer.Argument(help="the brand's own, counts once")],
    member: Annotated[str, typer.Argument(help="the brand's name for the member")],
    points: Annotated[str, typer.Argument(help="in base units")],
    reason: Annotated[str, typer.Argument(help="the member reads it")],
    url: Url,
    key: Key,
    purpose: Annotated[str, typer.Option(help="goodwill or correction")] = "goodwill",
    json: Json = False,
) -> None:
    """Give a member points by hand; above the rule's limit another one approves first."""
    body = {
        "reference": reference,
        "member": {"identifier": member},
        "points": points,
        "purpose": purpose,
        "reason": reason,
    }
    _tell([asked(url, key, lambda gateway: post(gateway, "/v1/corrections", body))], json)


@corrections.command("approve")
def approve(
    id: Id,
    url: Url,
    key: Key,
    owner_key: Annotated[
        str, typer.Option(envvar="MOA_OWNER_KEY", help="private key of the brand's owner account, 0x…; stays here")
    ],
    json: Json = False,
) -> None:
    """Sign as the brand's owner, and have it sent. By another key than asked for it."""

    def act(gateway: Gateway) -> Any:
        told = gateway.get(f"/v1/corrections/{id}")
        if told["to_sign"] is None:
            raise typer.BadParameter(f"Nothing is to be signed: this correction is {told['state']}.")
        return post(gateway, f"/v1/corrections/{id}/approval", _signed(told, owner_key))

    _tell([asked(url, key, act)], json)


@corrections.command("refuse")
def refuse(id: Id, url: Url, key: Key, json: Json = False) -> None:
    """Refuse one that waits. By another key than asked for it."""
    _tell([asked(url, key, lambda gateway: post(gateway, f"/v1/corrections/{id}/refusal", {}))], json)


@corrections.command("withdraw")
def withdraw(id: Id, url: Url, key: Key, json: Json = False) -> None:
    """Take back one that waits. By the key that asked for it."""
    _tell([asked(url, key, lambda gateway: post(gateway, f"/v1/corrections/{id}/withdrawal", {}))], json)


def _signed(told: Mapping[str, Any], owner_key: str) -> dict[str, str]:
    """The approval. What is signed is made of what the correction says of itself, not of what it says is to be signed
    alone: a gateway that shows one sum and has another signed is refused here."""
    from coincurve import PrivateKey

    from chain.base.hashing import keccak
    from chain.contracts import authorisation

    try:
        secret = bytes.fromhex(owner_key.removeprefix("0x"))
        signing = PrivateKey(secret) if len(secret) == KEY_BYTES else None
    except ValueError:
        signing = None
    if signing is None:
        raise typer.BadParameter("A private key is 0x and 64 hex digits.")
    typed = told["to_sign"]
    message, named = typed["message"], typed["domain"]
    if (message["baseAmount"], message["ruleId"]) != (told["points"], told["rule"]):
        raise typer.BadParameter("What is to be signed is not what the correction says.")
    domain = authorisation.Domain(named["name"], named["version"], named["chainId"], named["verifyingContract"])
    made = signing.sign_recoverable(authorisation.digest(domain, "Correction", message), hasher=None)
    signer = "0x" + keccak(signing.public_key.format(compressed=False)[1:])[12:].hex()
    return {"signer": signer, "signature": "0x" + (made[:64] + bytes([made[64] + 27])).hex()}


def _tell(found: list[dict[str, Any]], as_json: bool) -> None:
    """A line each: what is copied into the next command is whole, however narrow the screen."""
    console = Console(highlight=False, soft_wrap=True)
    if as_json:
        console.out(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode(), highlight=False)
        return
    for one in found:
        ledger = "" if one["operation"] is None else f" ({one['operation']['state']})"
        decided = f", decided by {one['decided_by']}" if one["decided_by"] else ""
        said = f"{one['id']}  {one['reference']}  {one['member']}  {one['points']}  {one['state']}{ledger}"
        console.print(f"{said}  asked by {one['asked_by']}{decided}", markup=False)
        if one.get("reason"):
            console.print(f"    {one['reason']}", markup=False)
