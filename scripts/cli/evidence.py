"""`moa evidence`, `moa verify`, `moa memo`: bundles made and checked from the command line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson
from rich.console import Console
from rich.table import Table

from chain.evidence import document, receipts
from chain.evidence.document import BYTES_MAX
from chain.evidence.errors import Refused
from chain.evidence.shapes import RECEIPT
from chain.evidence.verify import FINALITY_BROKEN, FRAUDULENT, REFUSED, Verdict, verify
from scripts.console.printed import plain

# Exit codes of `moa verify`: what a document proves decides, never how it is shown.
UNREADABLE: Final = 2
EXITS: Final[Mapping[str, int]] = {REFUSED: 1, FRAUDULENT: 3, FINALITY_BROKEN: 4}
OFF_CHAIN: Final = (
    "Names in labels are the signer's word only. That the contracts are Moa's is for you to know: compare the"
    " registry's address and the code hashes with what you were told elsewhere."
)


def check(paths: list[Path], *, pin: str | None, key: str | None, as_json: bool) -> int:
    """Verifies one document, or two receipts against each other. 0 to 4, as EXITS and UNREADABLE say."""
    console = Console(highlight=False, soft_wrap=True)
    try:
        data = [read(path) for path in paths]
    except OSError as error:
        Console(stderr=True).print(f"[bold red]Unreadable:[/] {plain(error)}", highlight=False, soft_wrap=True)
        return UNREADABLE
    if len(data) not in (1, 2):
        Console(stderr=True).print("Give one document, or two receipts.")
        return UNREADABLE
    if len(data) == 2:
        found = _against(*data, key=_lower(key))
    elif b'"moa-fork/' in data[0][:256]:
        return _fork(data[0], key, as_json, console)
    else:
        found = verify(data[0], pin=_lower(pin), key=_lower(key))
    if as_json:
        console.out(orjson.dumps(told(found), option=orjson.OPT_INDENT_2).decode(), highlight=False)
    else:
        show(found, console)
    return EXITS.get(found.verdict, 0)


def read(path: Path) -> bytes:
    """The file's bytes, or one more than a document may have: memory stays bounded whatever the file's size."""
    with path.open("rb") as file:
        return file.read(BYTES_MAX + 1)


def told(found: Verdict) -> dict[str, Any]:
    """The verdict as JSON values."""
    return {
        "verdict": found.verdict,
        "error": found.error,
        "detail": found.detail,
        "claim": found.claim,
        "format": found.format,
        "block": _block(found.block),
        "block_time": found.block_time,
        "anchor": _block(found.anchor),
        "pinned": found.pinned,
        "signed_by": found.signed_by,
        "claims": [{"type": one.type, "subject": one.subject, "proven_by": one.by} for one in found.claims],
    }


def show(found: Verdict, console: Console) -> None:
    """The verdict for people."""
    if found.claims:
        table = Table(box=None, pad_edge=False)
        for title in ("claim", "about", "proven by"):
            table.add_column(title, overflow="fold")
        for one in found.claims:
            table.add_row(one.type, plain(one.subject), plain(one.by))
        console.print(table)
    if found.verdict == REFUSED:
        where = "" if found.claim is None else f" (claim {found.claim})"
        console.print(f"[bold red]Refused: {found.error}[/]{where}. {plain(found.detail)}")
        return
    console.print(f"signed by {found.signed_by}" if found.signed_by else "not signed: the proofs stand alone")
    if found.verdict in EXITS:
        console.print(
            "[bold red]Fraud: one key signed two contents for one subject in one block.[/]"
            if found.verdict == FRAUDULENT
            else "[bold red]Finality broken: one key called two blocks final that cannot both be.[/]"
        )
        return
    if found.verdict == "signed":
        console.print("[bold green]Signed.[/] The gateway said this; ask for a bundle to have it proven.")
        return
    assert found.block is not None, "what is proven is proven of a block"
    assert found.anchor is not None, "and stands on one"
    state = "" if found.block == found.anchor else f" as of block {found.block[0]}"
    if found.pinned:
        console.print(
            f"[bold green]Proven[/]{state} against the block you pinned, {found.anchor[0]} {found.anchor[1]}."
        )
    else:
        console.print(
            f"[bold green]Proven[/]{state} against the bundle's own block, {found.anchor[0]} {found.anchor[1]}."
            "\n[bold yellow]Unpinned:[/] compare this hash with one that you trust (--pin HASH)."
        )
    console.print(OFF_CHAIN)


def _against(first: bytes, second: bytes, *, key: str | None) -> Verdict:
    """Two receipts as one document of fraud."""
    try:
        pair = [document.read(data, formats=(RECEIPT,)) for data in (first, second)]
    except Refused as error:
        return Verdict(REFUSED, error=error.name, detail=error.detail)
    return verify(receipts.fraud(*pair), key=key)


def _fork(data: bytes, key: str | None, as_json: bool, console: Console) -> int:
    """Two checkpoints of the gateway's log that contradict each other (SPEC 14)."""
    from chain.tlog.errors import TlogError
    from chain.tlog.forks import Fork
    from chain.tlog.notes import Verifier

    try:
        sentence = Fork.from_json(data).check(None if key is None else Verifier.parse(key))
        answer = {"verdict": FRAUDULENT, "error": None, "detail": sentence, "format": "moa-fork/1"}
    except TlogError as error:
        answer = {"verdict": REFUSED, "error": type(error).__name__, "detail": str(error), "format": "moa-fork/1"}
    if as_json:
        console.out(orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode(), highlight=False)
    else:
        console.print(f"[bold red]{'Fraud' if answer['error'] is None else 'Refused'}:[/] {plain(answer['detail'])}")
    return EXITS[str(answer["verdict"])]


def _lower(text: str | None) -> str | None:
    """A hash or key as documents write it."""
    return None if text is None else text.lower()


def _block(block: tuple[int, str] | None) -> dict[str, Any] | None:
    return None if block is None else {"number": str(block[0]), "hash": block[1]}


__all__ = ["check", "read", "show", "told"]
