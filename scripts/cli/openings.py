"""`moa opening …`: the file of a brand's old points, what is committed of it, and the proofs by which it is claimed."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from chain.base.addresses import parse_address
from chain.base.errors import AddressMalformed, ArgumentInvalid
from chain.contracts import opening_file
from chain.contracts.opening_file import OpeningFile
from chain.model.openings import BATCH_LINES_MAX, LINES_MAX, Line

REFUSED = 2

File = Annotated[Path, typer.Argument(help="the opening's file (moa-opening/1)", dir_okay=False)]
Json = Annotated[bool, typer.Option("--json", help="machine-readable answer")]
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
