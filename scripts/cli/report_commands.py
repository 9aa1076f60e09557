"""The commands `moa report …`, `moa export …` and `moa as-of …`; what they do is in scripts/cli/reporting.py."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DatabaseUrl = Annotated[
    str, typer.Option("--database", envvar="MOA_DATABASE_URL", help="sqlite:///… or postgresql://…")
]
ChainId = Annotated[int, typer.Option("--chain-id", envvar="MOA_CHAIN_ID")]
Deployments = Annotated[Path, typer.Option("--deployments", envvar="MOA_DEPLOYMENTS", help="folder of <chain_id>.json")]
Brand = Annotated[str, typer.Option("--brand", help="a brand's short name, or its number on the chain")]
Block = Annotated[int | None, typer.Option("--block", min=0, help="as of the end of this block")]
Time = Annotated[str | None, typer.Option("--time", help="as of this moment: RFC 3339, or unix seconds")]
Account = Annotated[str, typer.Option("--account", help="0x…: a member's address on the chain")]
Json = Annotated[bool, typer.Option("--json", help="machine-readable answer")]

report = typer.Typer(help="What a brand owes in points, and what of it became revenue.", no_args_is_help=True)
exports = typer.Typer(help="The books as files that add up.", no_args_is_help=True)
as_of = typer.Typer(
    help="Balances, supply, holds, debts and obligations as of any block or time.", no_args_is_help=True
)
COMMANDS: dict[str, typer.Typer] = {"report": report, "export": exports, "as-of": as_of}


@report.command("liability")
def show_liability(
    database: DatabaseUrl,
    chain_id: ChainId,
    deployments: Deployments,
    brand: Brand,
    block: Block = None,
    time: Time = None,
    json: Json = False,
) -> None:
    """Points outstanding of a brand, by the day on which they end."""
    from scripts.cli import reporting

    reporting.show_liability(database, chain_id, deployments, brand, block, time, json)


@report.command("roll-forward")
def show_income(
    database: DatabaseUrl,
    chain_id: ChainId,
    deployments: Deployments,
    brand: Brand,
    price: Annotated[str, typer.Option(help="minor units of money for a base unit of points, as 3/10")],
    since: Annotated[str | None, typer.Option("--from", help="block number, or moment")] = None,
    until: Annotated[str | None, typer.Option("--to", help="block number, or moment")] = None,
    month: Annotated[str | None, typer.Option(help="a calendar month instead, as 2026-03")] = None,
    zone: Annotated[str | None, typer.Option(help="whose clock the month is of, as Asia/Seoul")] = None,
    breakage: Annotated[str | None, typer.Option(help="share never used, as 5/100; else of the past")] = None,
    json: Json = False,
) -> None:
    """The contract liability of a brand from one date to another, with breakage after IFRS 15; 0 only if it adds up."""
    from scripts.cli import reporting

    period = reporting.Period(since, until, month, zone)
    reporting.show_income(database, chain_id, deployments, brand, period, price, breakage, json)


@report.command("recompute")
def recompute(
    folder: Annotated[Path, typer.Argument(help="a folder that `moa export write` made")],
    brand: Annotated[int, typer.Option(help="the brand's number on the chain")],
    json: Json = False,
) -> None:
    """The inputs of the roll-forward once more, from an export alone: no database, no node."""
    from scripts.cli import reporting

    reporting.recompute(folder, brand, json)


@exports.command("write")
def write_export(
    folder: Annotated[Path, typer.Argument(help="an empty or new folder")],
    database: DatabaseUrl,
    chain_id: ChainId,
    deployments: Deployments,
    format: Annotated[str, typer.Option(help="csv, jsonl or parquet")] = "csv",
    brand: Annotated[str | None, typer.Option(help="only this brand")] = None,
    block: Block = None,
    time: Time = None,
    keystore: Annotated[
        Path | None, typer.Option("--keystore", envvar="MOA_KEYSTORE", help="signs the manifest, by the log's key")
    ] = None,
    keystore_password: Annotated[str | None, typer.Option(envvar="MOA_KEYSTORE_PASSWORD")] = None,
    log_origin: Annotated[str | None, typer.Option(envvar="MOA_LOG_ORIGIN", help="the log's name")] = None,
    log_key_number: Annotated[int, typer.Option(envvar="MOA_LOG_KEY_NUMBER", min=0)] = 0,
    json: Json = False,
) -> None:
    """Entries, balances, holds, obligations and events as of a block, with a manifest of their sums.

    The export and its manifest's digest are acts in the log; a database that cannot be written to is refused.
    """
    from scripts.cli import reporting

    keys = reporting.LogKeys(keystore, keystore_password, log_origin, log_key_number)
    reporting.write_export(folder, database, chain_id, deployments, format, brand, block, time, keys, json)


@exports.command("check")
def check_export(
    folder: Annotated[Path, typer.Argument()],
    log_key: Annotated[
        str | None, typer.Option("--log-key", envvar="MOA_LOG_KEY", help="vkey of the log that must have signed it")
    ] = None,
    json: Json = False,
) -> None:
    """Folds all rows and does every sum anew, from the files alone; 0 only if all add up.

    With --log-key it must be signed by the log's key: without, anybody may have made it up.
    """
    from scripts.cli import reporting

    reporting.check_export(folder, log_key, json)


@as_of.command("balance")
def show_balance(
    database: DatabaseUrl, account: Account, block: Block = None, time: Time = None, json: Json = False
) -> None:
    """What an account had of every token, lot by lot."""
    from scripts.cli import reporting

    reporting.show_balance(database, account, block, time, json)


@as_of.command("supply")
def show_supply(database: DatabaseUrl, block: Block = None, time: Time = None, json: Json = False) -> None:
    """What was ever minted and burnt of every token, what expired, and what lived."""
    from scripts.cli import reporting

    reporting.show_supply(database, block, time, json)


@as_of.command("holds")
def show_holds(
    database: DatabaseUrl,
    account: Annotated[str | None, typer.Option(help="only of this address")] = None,
    block: Block = None,
    time: Time = None,
    json: Json = False,
) -> None:
    """The open holds."""
    from scripts.cli import reporting

    reporting.show_holds(database, account, block, time, json)


@as_of.command("debts")
def show_debts(
    database: DatabaseUrl,
    account: Annotated[str | None, typer.Option(help="only of this address")] = None,
    block: Block = None,
    time: Time = None,
    json: Json = False,
) -> None:
    """What members owed to brands, after goods came back."""
    from scripts.cli import reporting

    reporting.show_debts(database, account, block, time, json)


@as_of.command("obligations")
def show_obligations(database: DatabaseUrl, block: Block = None, time: Time = None, json: Json = False) -> None:
    """What each brand owed each other, in units of the settlement token."""
    from scripts.cli import reporting

    reporting.show_obligations(database, block, time, json)
