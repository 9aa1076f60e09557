"""What commands ask of a gateway that runs: with one key, each write once."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import typer
from rich.console import Console

if TYPE_CHECKING:
    from scripts.stack.gateway import Gateway

REFUSED: Final = 1
UNREACHED: Final = 2


def asked(url: str, key: str | None, act: Callable[[Gateway], Any]) -> Any:
    """What `act` gives. Ends the command with 1 where the gateway refuses, with 2 where it is not reached."""
    import httpx

    from scripts.stack.gateway import Gateway, Refused

    try:
        with Gateway(url, key) as gateway:
            return act(gateway)
    except (Refused, httpx.HTTPError) as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(str(error), markup=False)
        raise typer.Exit(REFUSED if isinstance(error, Refused) else UNREACHED) from error


def post(gateway: Gateway, path: str, body: object) -> Any:
    """A write under an idempotency key of its own."""
    return gateway.post(path, body, key=f"moa-{secrets.token_hex(12)}")
