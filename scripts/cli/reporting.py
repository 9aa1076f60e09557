"""`moa report …`, `moa export …` and `moa as-of …`: what the mirror knows of any block, as tables or JSON."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import orjson
import typer
from rich import box
from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from api.audit_log.keys import log_signers
from chain.base.addresses import parse_address
from chain.base.errors import ChainError
from chain.contracts.deployment import Deployment
from chain.mirror import history
from chain.reports import bundle, recomputed
from chain.reports.datasets import Scope
from chain.reports.errors import PeriodUnclear
from chain.reports.fractions import fraction_of
from chain.reports.income import income
from chain.reports.liability import liability, token_of
from chain.reports.months import month_of
from chain.reports.sealing import NOTE
from chain.reports.to_public import (
    breakage_to_public,
    cohort_to_public,
    income_to_public,
    liability_to_public,
    moment_to_public,
)
from chain.storage import database
from chain.storage.keystore import LocalKeystore
from chain.tlog.checkpoints import origin_of
from chain.tlog.errors import NoteMalformed
from chain.tlog.notes import KeySigner, Verifier
from scripts.cli.log.errors import ActUnrecorded
from scripts.cli.status import existing, unreadable
from scripts.console.printed import plain, points
from scripts.stack.brand_names import find, of_gateway, slug_of

console = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class Period:
    """What a roll-forward is of: from one place to another, or a calendar month of a zone."""

    since: str | None
    until: str | None
    month: str | None
    zone: str | None

    def places(self, connection: Connection) -> tuple[history.Moment, history.Moment]:
        """The last blocks before it and in it. Raises PeriodUnclear, MonthInvalid, HistoryNotAvailable."""
        match self.since, self.until, self.month, self.zone:
            case str(since), str(until), None, None:
                return place(connection, since), place(connection, until)
            case None, None, str(text), str(zone):
                month = month_of(text, zone)
                return history.block_at(connection, month.before), history.block_at(connection, month.last)
            case _:
                raise PeriodUnclear


def show_liability(
    database: str, chain_id: int, deployments: Path, brand: str, block: int | None, time: str | None, json: bool
) -> None:
    """Points outstanding of a brand, by the day on which they end."""
    with looking(database) as connection:
        deployment = Deployment.load(deployments, chain_id)
        at = chosen(connection, block, time)
        found = liability(
            connection,
            brand_id=brand_id(connection, brand),
            desk=deployment.address("RedemptionDesk"),
            block=at.number,
        )
    if json:
        return say(liability_to_public(found))
    table = sheet(f"Points outstanding of {brand} at block {at.number:,}", "ends", "points")
    for lot in found.buckets:
        table.add_row(moment_text(lot.expires_at), points(lot.points))
    table.add_row("[bold]outstanding[/]", f"[bold]{points(found.outstanding)}[/]")
    table.add_row("of these held", points(found.held))
    table.add_row("owed by members", points(found.owed))
    return console.print(table)


def show_income(
    database: str,
    chain_id: int,
    deployments: Path,
    brand: str,
    period: Period,
    price: str,
    breakage: str | None,
    json: bool,
) -> None:
    """The contract liability of a brand from one date to another, with breakage after IFRS 15; 0 only if it adds up."""
    with looking(database) as connection:
        opening, closing = period.places(connection)
        found = income(
            connection,
            brand_id=brand_id(connection, brand),
            from_block=opening.number,
            to_block=closing.number,
            price=fraction_of(price),
            breakage=None if breakage is None else fraction_of(breakage),
        )
    moved, lines = found.movements, found.lines
    if json:
        say(income_to_public(found))
        raise typer.Exit(1 if moved.difference else 0)
    title = f"{brand}, blocks {moved.opening_at.number:,} to {moved.closing_at.number:,}"
    table = sheet(f"Points of {title}", "", "points")
    for name in ("opening", "awarded", "exchanged_in", "returned", "renewed", "redeemed", "exchanged_out", "unwound",
                 "taken_back", "expired", "closing"):  # fmt: skip
        out = ("redeemed", "exchanged_out", "unwound", "taken_back", "expired")
        sign = "-" if name in out and getattr(moved, name) else ""
        table.add_row(name.replace("_", " "), sign + points(getattr(moved, name)))
    console.print(table)
    table = sheet(f"Contract liability of {title}, minor units", "", "money")
    for name, amount in (
        ("opening", lines.opening), ("deferred by awards", lines.deferred), ("renewed by grace", lines.renewed),
        ("taken back with the goods", -lines.taken_back),
        ("used", -lines.used), ("breakage", -lines.breakage), ("closing", lines.closing),
    ):  # fmt: skip
        table.add_row(name, f"{amount:,}")
    console.print(table)
    console.print(f"expected breakage: {breakage_to_public(found.opening)} then {breakage_to_public(found.closing)}")
    console.print("[bold red]does NOT add up[/]" if moved.difference else "[bold green]adds up[/]")
    raise typer.Exit(1 if moved.difference else 0)


def recompute(folder: Path, brand: int, json: bool) -> None:
    """The inputs of the roll-forward once more, from an export alone: no database, no node."""
    with clear_errors():
        found, at = recomputed.cohorts_of(folder, brand)
    if json:
        return say({"brand_id": brand, "time": at, "cohorts": [cohort_to_public(one, at) for one in found]})
    table = sheet(f"Cohorts of brand {brand}", "ends", "entered", "left", "over")
    for one in found:
        over = "yes" if one.over(at) else ""
        table.add_row(moment_text(one.expires_at), points(one.entered), points(one.outstanding), over)
    return console.print(table)


def write_export(
    folder: Path,
    database: str,
    chain_id: int,
    deployments: Path,
    format: str,
    brand: str | None,
    block: int | None,
    time: str | None,
    keys: LogKeys,
    json: bool,
) -> None:
    """Entries, balances, holds, obligations and events as of a block, with a manifest of their sums.

    The log of acts says so before the first row is read: an export that then fails is in it too. It says the
    manifest's digest before that is written.
    """
    from scripts.cli.log.looks import record_command

    if format not in ("csv", "jsonl", "parquet"):
        fail(f"An export is csv, jsonl or parquet, not {format!r}.")
    with looking(database) as connection:
        deployment = Deployment.load(deployments, chain_id)
        at = chosen(connection, block, time)
        token, number = None, None
        if brand is not None:
            number = brand_id(connection, brand)
            token = token_of(connection, number, at.number)["token"]
        record = partial(
            record_command,
            database,
            command="export write",
            what="books",
            brand=None if number is None else slug_of(of_gateway(connection), number),
            block_number=at.number,
        )
        record("export.made")

        def sealing(manifest: dict[str, Any], digest: str) -> None:
            record("export.sealed", rows=sum(file["rows"] for file in manifest["files"]), digest=digest)

        manifest = bundle.write(
            connection,
            folder,
            scope=Scope(at.number, token, number),
            format=format,
            chain={"chain_id": deployment.chain_id, "genesis_hash": deployment.genesis_hash},
            signers=keys.signers(deployment),
            sealing=sealing,
        )
    if json:
        return say(manifest)
    table = sheet(f"Written to {folder}, as of block {at.number:,}", "file", "rows")
    for file in manifest["files"]:
        table.add_row(file["name"], f"{file['rows']:,}")
    return console.print(table)


def check_export(folder: Path, log_key: str | None, json: bool) -> None:
    """Folds all rows and does every sum anew, from the files alone; 0 only if all add up."""
    with clear_errors():
        log = None if log_key is None else Verifier.parse(log_key)
        manifest, problems = bundle.check(folder, log)
    signed_by = log.name if log is not None and not any(one.file == NOTE for one in problems) else None
    if json:
        told = [vars(one) for one in problems]
        say({"adds_up": not problems, "block": manifest["block"], "signed_by": signed_by, "problems": told})
    else:
        for one in problems:
            console.print(plain(f"{one.file}: {one.what}: says {one.said}, is {one.right}"))
        whose = f"signed by {plain(signed_by)}" if signed_by else "whose it is, nobody says: name the log by --log-key"
        console.print("[bold red]does NOT add up[/]" if problems else f"[bold green]adds up[/]; {whose}")
    raise typer.Exit(1 if problems else 0)


def show_balance(database: str, account: str, block: int | None, time: str | None, json: bool) -> None:
    """What an account had of every token, lot by lot."""
    account = _address(account)
    with looking(database) as connection:
        at = chosen(connection, block, time)
        rows = [
            (token, history.lots_of(connection, token["token"], account, at.number))
            for token in history.tokens(connection, at.number)
        ]
    if json:
        return say({"account": account, **moment_to_public(at), "balances": [
            {"token": token["token"], "brand_id": int(token["brand_id"]), "decimals": int(token["decimals"]),
             "points": str(sum(lot.points for lot in lots)),
             "lots": [{"points": str(lot.points), "expires_at": lot.expires_at} for lot in lots]}
            for token, lots in rows
        ]})  # fmt: skip
    table = sheet(f"{account} at block {at.number:,}", "token", "ends", "points")
    for token, lots in rows:
        for lot in lots:
            table.add_row(token["symbol"], moment_text(lot.expires_at), points(lot.points))
    return console.print(table)


def show_supply(database: str, block: int | None, time: str | None, json: bool) -> None:
    """What was ever minted and burnt of every token, what expired, and what lived."""
    with looking(database) as connection:
        at = chosen(connection, block, time)
        rows = [
            (token, history.supply(connection, token["token"], at.number))
            for token in history.tokens(connection, at.number)
        ]
    if json:
        return say({**moment_to_public(at), "tokens": [
            {"token": token["token"], "brand_id": int(token["brand_id"]), "minted": str(supply.minted),
             "burnt": str(supply.burnt), "expired": str(supply.minted - supply.burnt - supply.live),
             "live": str(supply.live)} for token, supply in rows
        ]})  # fmt: skip
    table = sheet(f"Supply at block {at.number:,}", "token", "minted", "burnt", "expired", "live")
    for token, supply in rows:
        expired = supply.minted - supply.burnt - supply.live
        table.add_row(token["symbol"], *map(points, (supply.minted, supply.burnt, expired, supply.live)))
    return console.print(table)


def show_holds(database: str, account: str | None, block: int | None, time: str | None, json: bool) -> None:
    """The open holds."""
    wanted = None if account is None else _address(account)
    with looking(database) as connection:
        at = chosen(connection, block, time)
        rows = history.holds(connection, at.number, account=wanted, states=("held",))
    if json:
        return say({**moment_to_public(at), "holds": rows})
    table = sheet(f"Open holds at block {at.number:,}", "hold", "member", "until", "points")
    for row in rows:
        table.add_row(row["hold_id"], row["account"], moment_text(row["hold_until"]), points(int(row["points"])))
    return console.print(table)


def show_debts(database: str, account: str | None, block: int | None, time: str | None, json: bool) -> None:
    """What members owed to brands, after goods came back."""
    wanted = None if account is None else _address(account)
    with looking(database) as connection:
        at = chosen(connection, block, time)
        tokens = {token["token"]: token for token in history.tokens(connection, at.number)}
        rows = history.debts(connection, at.number, account=wanted)
    if json:
        return say({**moment_to_public(at), "debts": [
            {"token": row["token"], "brand_id": int(tokens[row["token"]]["brand_id"]), "account": row["account"],
             "points": row["points"]}
            for row in rows
        ]})  # fmt: skip
    table = sheet(f"Debts at block {at.number:,}", "token", "member", "owed")
    for row in rows:
        table.add_row(tokens[row["token"]]["symbol"], row["account"], points(int(row["points"])))
    return console.print(table)


def show_obligations(database: str, block: int | None, time: str | None, json: bool) -> None:
    """What each brand owed each other, in units of the settlement token."""
    with looking(database) as connection:
        at = chosen(connection, block, time)
        rows = history.obligations(connection, at.number)
    if json:
        return say({**moment_to_public(at), "obligations": [
            {name: row[name] for name in ("debtor_id", "creditor_id", "outstanding")} for row in rows
        ]})  # fmt: skip
    table = sheet(f"Obligations at block {at.number:,}", "debtor", "creditor", "outstanding")
    for row in rows:
        table.add_row(row["debtor_id"], row["creditor_id"], f"{int(row['outstanding']):,}")
    return console.print(table)


# What the commands share


@dataclass(frozen=True, slots=True)
class LogKeys:
    """The gateway's keystore, from which the log's keys sign; without it nothing is signed."""

    keystore: Path | None = None
    password: str | None = None
    origin: str | None = None
    number: int = 0

    def signers(self, deployment: Deployment) -> Sequence[KeySigner]:
        """The log's keys. Raises ChainError when the keystore cannot be opened."""
        if self.keystore is None or self.password is None:
            return ()
        origin = self.origin or origin_of(deployment.chain_id, deployment.genesis_hash)
        return log_signers(LocalKeystore.open(self.keystore, self.password), origin=origin, number=self.number)


@contextmanager
def looking(url: str) -> Iterator[Connection]:
    """One consistent view of the mirror; expected trouble ends the command with its sentence and code 2."""
    with clear_errors():
        engine = existing(url)
        try:
            with database.snapshot(engine) as connection:
                yield connection
        finally:
            engine.dispose()


@contextmanager
def clear_errors() -> Iterator[None]:
    try:
        yield
    except (ChainError, ActUnrecorded, NoteMalformed, OSError) as error:
        fail(f"{getattr(error, 'name', type(error).__name__)}: {error}")
    except SQLAlchemyError as error:
        fail(unreadable(error))


def chosen(connection: Connection, block: int | None, time: str | None) -> history.Moment:
    """The block that the options name; the newest when they name none."""
    if block is not None and time is not None:
        fail("Give --block or --time, not both.")
    if block is not None:
        return history.moment(connection, block)
    return history.span(connection).last if time is None else history.block_at(connection, seconds(time))


def place(connection: Connection, text: str) -> history.Moment:
    """A block by its number, or the last block at or before a moment."""
    if text.isdecimal() and len(text) < 10:
        return history.moment(connection, int(text))
    return history.block_at(connection, seconds(text))


def seconds(text: str) -> int:
    """Unix seconds of an RFC 3339 moment, or of digits."""
    if text.isdecimal() and len(text) <= 12:
        return int(text)
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        fail(f"{text!r} is no moment: write 2026-11-22T09:00:00Z, or unix seconds.")
    if moment.tzinfo is None:
        fail(f"{text!r} has no offset: write 2026-11-22T09:00:00Z or +09:00.")
    return int(moment.timestamp())


def brand_id(connection: Connection, brand: str) -> int:
    """The registry's id of a brand, from the gateway's name for it or the id itself."""
    known = of_gateway(connection)
    found = find(known, brand)
    if found is None:
        names = ", ".join(one.slug for one in known)
        return fail(
            f"BrandUnknown: there is no brand {brand!r}; there are {names or 'none with names: give its number'}."
        )
    return found


def _address(text: str) -> str:
    """The address in lower case; anything else ends the command."""
    with clear_errors():
        return parse_address(text)


def fail(sentence: str) -> NoReturn:
    """Ends the command with code 2: what was asked cannot be answered."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(sentence, markup=False)
    raise typer.Exit(2)


def say(value: Any) -> None:
    console.out(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode(), highlight=False)


def sheet(title: str, *columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number == len(columns) - 1 else "left")
    return table


def moment_text(at: int | None) -> str:
    return "never" if at is None else f"{datetime.datetime.fromtimestamp(at, datetime.UTC):%Y-%m-%d %H:%M}"
