"""`moa opening …`: the file of a brand's old points, what is committed of it, and the proofs by which it is claimed."""

from __future__ import annotations

import csv
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError

from chain.base.addresses import parse_address
from chain.base.errors import AddressMalformed, ArgumentInvalid, ChainError
from chain.contracts import opening_file
from chain.contracts.opening_file import OpeningFile
from chain.model.openings import BATCH_LINES_MAX, LINES_MAX, Line
from scripts.cli import opening_chain
from scripts.cli.status import existing, unreadable

REFUSED = 2

File = Annotated[Path, typer.Argument(help="the opening's file (moa-opening/1)", dir_okay=False)]
Json = Annotated[bool, typer.Option("--json", help="machine-readable answer")]
Brand = Annotated[int, typer.Option("--brand", min=1, help="the registry's id of the brand")]
RpcUrl = Annotated[str, typer.Option("--rpc", envvar="MOA_RPC_URL", help="the node's HTTP address")]
ChainId = Annotated[int, typer.Option("--chain-id", envvar="MOA_CHAIN_ID")]
Deployments = Annotated[Path, typer.Option("--deployments", envvar="MOA_DEPLOYMENTS", help="folder of <chain_id>.json")]
DatabaseUrl = Annotated[
    str, typer.Option("--database", envvar="MOA_DATABASE_URL", help="sqlite:///… or postgresql://…")
]
opening = typer.Typer(help="A brand's old points: file, root, schedule, proofs.", no_args_is_help=True)


@opening.command("make")
def make(
    balances: Annotated[Path, typer.Argument(help="CSV with member,expiry_epoch,points; a member may have several")],
    out: Annotated[Path, typer.Option("--out", help="the file to write; nothing is overwritten")],
) -> None:
    """Write the file of an opening from a table of old balances, in base units, one line a member."""
    try:
        content = opening_file.write(_balances(balances).items())
        found = opening_file.read(content)
        with out.open("xb") as file:
            file.write(content)
    except (ArgumentInvalid, OSError, csv.Error, UnicodeDecodeError) as error:
        raise _refused(error) from error
    _tell(_commitment(found), as_json=False)


@opening.command("show")
def show(file: File, json: Json = False) -> None:
    """Root, schedule and hash of a file: what `OpeningBalances.commit` takes."""
    _tell(_commitment(_read(file)), as_json=json)


@opening.command("proof")
def proof(
    file: File,
    line: Annotated[int | None, typer.Option("--line", min=0, help="index of the line")] = None,
    member: Annotated[str | None, typer.Option("--member", help="0x…: all lines of this member")] = None,
    json: Json = False,
) -> None:
    """A line's leaf and its proof: what `OpeningBalances.claim` takes, and what a member compares."""
    found = _read(file)
    try:
        lines = _lines_of(found, line, member)
    except (ArgumentInvalid, AddressMalformed) as error:
        raise _refused(error) from error
    said = [
        {**_line(each), "leaf": "0x" + each.leaf().hex(), "root": found.root, "proof": found.proof(each.index)}
        for each in lines
    ]
    _tell(said if json or len(said) != 1 else said[0], as_json=json)


@opening.command("batch")
def batch(
    file: File,
    first: Annotated[int, typer.Option("--from", min=0, help="index of the first line")] = 0,
    count: Annotated[int, typer.Option("--count", min=1, max=BATCH_LINES_MAX, help="how many lines")] = 100,
) -> None:
    """Lines that follow each other with their one multiproof: what `OpeningBalances.claimBatch` takes, as JSON."""
    found = _read(file)
    lines = found.lines[first : first + count]
    if not lines:
        raise _refused(ArgumentInvalid(f"The file has {len(found.lines)} lines; line {first} is not one of them."))
    siblings, flags = found.multiproof([each.index for each in lines])
    _tell({"lines": [_line(each) for each in lines], "proof": siblings, "flags": flags}, as_json=True)


@opening.command("commit")
def commit(
    file: File,
    brand: Brand,
    end: Annotated[int, typer.Option("--end", help="second (unix) from which on no line is claimed any more")],
    rpc: RpcUrl,
    chain_id: ChainId,
    deployments: Deployments = Path("deployments"),
    start: Annotated[int, typer.Option("--start", min=0, help="second from which on; 0: now")] = 0,
    comparing: Annotated[bool, typer.Option("--comparing", help="dual run: may still be replaced, unclaimed")] = False,
    owner: Annotated[str, typer.Option("--owner", help="0x…: the brand's owner, an account that the node has")] = "",
    owner_key: Annotated[str, typer.Option(envvar="MOA_OWNER_KEY", help="the owner's key; best in MOA_OWNER_KEY")] = "",
    json: Json = False,
) -> None:
    """Commit a file's root, schedule and end as the brand's owner. The contract is asked first."""
    found = _read(file)
    try:
        node, deployment = opening_chain.connected(rpc, deployments, chain_id)
        with closing(node):
            said = opening_chain.commit(
                node,
                deployment,
                found,
                brand=brand,
                owner=parse_address(owner) if owner else "",
                key=owner_key,
                start=start,
                end=end,
                comparing=comparing,
            )
    except (ChainError, AddressMalformed, TimeoutError, OSError) as error:
        raise _refused(error) from error
    _tell(said, as_json=json)


@opening.command("claim")
def claim(
    file: File,
    brand: Brand,
    number: Annotated[int, typer.Option("--opening", min=1, help="the opening's id")],
    database: DatabaseUrl,
    rpc: RpcUrl,
    chain_id: ChainId,
    deployments: Deployments = Path("deployments"),
    json: Json = False,
) -> None:
    """Hand all lines of an opening to the relayer, a hundred a claim. Each counts once, however often this is said."""
    found = _read(file)
    try:
        node, deployment = opening_chain.connected(rpc, deployments, chain_id)
        engine = existing(database)
        with closing(node):
            claims = opening_chain.claim(engine, node, deployment, found, brand=brand, opening=number)
        engine.dispose()
    except SQLAlchemyError as error:
        raise _refused(ArgumentInvalid(unreadable(error))) from error
    except (ChainError, OSError) as error:
        raise _refused(error) from error
    _tell({"lines": len(found.lines), "claims": claims}, as_json=json)


def _balances(path: Path) -> dict[str, dict[int, int]]:
    """Points by expiry epoch of each member, in the order in which members come first."""
    found: dict[str, dict[int, int]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        if rows.fieldnames != ["member", "expiry_epoch", "points"]:
            raise ArgumentInvalid("The table's first line is member,expiry_epoch,points.")
        for number, row in enumerate(rows, 2):
            if len(found) > LINES_MAX:
                raise ArgumentInvalid(f"An opening has at most {LINES_MAX} lines.")
            try:
                member, epoch, points = parse_address(row["member"]), int(row["expiry_epoch"]), int(row["points"])
            except (AddressMalformed, TypeError, ValueError) as error:
                raise ArgumentInvalid(f"Line {number} of the table is none: {error}") from error
            if epoch < 1 or points < 1:
                raise ArgumentInvalid(f"Line {number} of the table: epoch and points are 1 at least.")
            lots = found.setdefault(member, {})
            lots[epoch] = lots.get(epoch, 0) + points
    if not found:
        raise ArgumentInvalid("The table has no balance.")
    return found


def _read(path: Path) -> OpeningFile:
    try:
        return opening_file.read(path.read_bytes())
    except (ArgumentInvalid, OSError) as error:
        raise _refused(error) from error


def _commitment(found: OpeningFile) -> dict[str, Any]:
    schedule = found.schedule
    return {
        "lines": len(found.lines),
        "points": str(sum(schedule.values())),
        "root": found.root,
        "file_hash": found.file_hash,
        "schedule": {str(epoch): str(points) for epoch, points in schedule.items()},
        "lots": [str(word) for word in found.packed_schedule],
    }


def _lines_of(found: OpeningFile, line: int | None, member: str | None) -> list[Line]:
    if (line is None) == (member is None):
        raise ArgumentInvalid("Name either a line or a member.")
    if line is not None:
        if line >= len(found.lines):
            raise ArgumentInvalid(f"The file has {len(found.lines)} lines; line {line} is not one of them.")
        return [found.lines[line]]
    wanted = parse_address(member)
    lines = [each for each in found.lines if each.member == wanted]
    if not lines:
        raise ArgumentInvalid(f"No line is of {wanted}.")
    return lines


def _line(line: Line) -> dict[str, Any]:
    return {"index": line.index, "member": line.member, "lots": [str(word) for word in line.lots]}


def _tell(said: Any, *, as_json: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    if as_json or not isinstance(said, dict):
        console.out(orjson.dumps(said, option=orjson.OPT_INDENT_2).decode(), highlight=False)
        return
    for name, value in said.items():
        console.out(f"{name:10} {value if isinstance(value, str | int) else orjson.dumps(value).decode()}")


def _refused(error: Exception) -> typer.Exit:
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"{type(error).__name__}: {error}", markup=False)
    return typer.Exit(REFUSED)
