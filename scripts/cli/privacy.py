"""`moa privacy scan`: whether a personal value stands where none may be, in the database, on the node, in files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from scripts.cli.status import UNKNOWN, existing, unreadable

FOUND: Final = 1
BLOCKS_MAX: Final = 10_000_000
privacy = typer.Typer(help="Personal values: where they may not be.", no_args_is_help=True)
COMMANDS = {"privacy": privacy}


@privacy.callback()
def _group() -> None:
    """A group, though there is one command in it."""


@privacy.command("scan")
def scan(
    database: Annotated[str, typer.Option("--database", envvar="MOA_DATABASE_URL")],
    keystore: Annotated[Path, typer.Option("--keystore", envvar="MOA_KEYSTORE", help="opens what is sealed")],
    keystore_password: Annotated[str, typer.Option(envvar="MOA_KEYSTORE_PASSWORD", prompt=False)],
    subject_keys: Annotated[
        Path | None, typer.Option(envvar="MOA_SUBJECT_KEYS", help="beside the keystore where nothing is said")
    ] = None,
    rpc: Annotated[str | None, typer.Option("--rpc", envvar="MOA_RPC_URL", help="reads every transaction too")] = None,
    files: Annotated[list[Path] | None, typer.Argument(help="logs, metrics: anything that is text")] = None,
    json: Annotated[bool, typer.Option("--json", help="machine-readable answer")] = False,
) -> None:
    """Look for every personal value that is kept where none may be. 0 only if there is none; values are masked."""
    from api.privacy import scanner
    from api.vault.sealing import FILE, Vault
    from api.vault.subject_keys import FileKeys
    from chain.base.errors import ChainError
    from chain.storage.keystore import LocalKeystore

    err = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        opened = LocalKeystore.open(keystore, keystore_password)
        vault = Vault(FileKeys(subject_keys or keystore.with_name(FILE), opened), opened)
        engine = existing(database)
        try:
            with Session(engine) as session:
                values = list(scanner.values_of(session, vault))
                found = scanner.leaks(values, scanner.stored(session))
        finally:
            engine.dispose()
        texts = ((str(file), file.read_text(errors="replace")) for file in files or ())
        found += scanner.leaks(values, texts)
        if rpc is not None:
            found += scanner.leaks(values, _of_chain(rpc))
    except (SQLAlchemyError, OSError, ChainError) as error:
        err.print(unreadable(error) if not isinstance(error, ChainError) else str(error), markup=False)
        raise typer.Exit(UNKNOWN) from None
    if json:
        told = {"values": len(values), "leaks": [{"value": one.value, "place": one.place, "spelling": one.spelling}
                                                 for one in found]}  # fmt: skip
        Console(soft_wrap=True).out(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode(), highlight=False)
    else:
        _shown(len(values), [(one.value, one.place, one.spelling) for one in found])
    raise typer.Exit(FOUND if found else 0)


def _of_chain(url: str) -> Iterator[tuple[str, str]]:
    """(block, text) of every transaction's input and every event's data on the chain."""
    from chain.node.rpc import Rpc

    rpc = Rpc(url)
    newest = int(rpc.call("eth_blockNumber"), 16)
    for number in range(min(newest, BLOCKS_MAX) + 1):
        block = rpc.call("eth_getBlockByNumber", hex(number), True)
        inputs = " ".join(str(one["input"]) for one in block["transactions"])
        logs = rpc.call("eth_getLogs", {"blockHash": block["hash"]}) if block["transactions"] else []
        data = " ".join(str(one["data"]) + "".join(one["topics"]) for one in logs)
        yield f"block {number}", f"{inputs} {data}"


def _shown(values: int, found: list[tuple[str, str, str]]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    if not found:
        console.print(f"{values} personal values are kept; none of them is where it may not be.")
        return
    table = Table("value", "where", "as", box=None, pad_edge=False)
    for row in found:
        table.add_row(*row)
    console.print(table)
