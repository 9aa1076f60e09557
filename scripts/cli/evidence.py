"""`moa evidence`, `moa verify`, `moa memo`: bundles made and checked from the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson
from rich.console import Console

from chain.base.errors import ChainError
from chain.evidence import document, receipts
from chain.evidence.document import BYTES_MAX
from chain.evidence.errors import Refused
from chain.evidence.shapes import ADDRESS, RECEIPT
from chain.evidence.verify import CONSISTENT, FINALITY_BROKEN, FRAUDULENT, REFUSED, Trusted, Verdict, verify
from scripts.console.printed import plain

# Exit codes of `moa verify`: what a document proves decides, never how it is shown.
UNREADABLE: Final = 2
EXITS: Final[Mapping[str, int]] = {REFUSED: 1, FRAUDULENT: 3, FINALITY_BROKEN: 4, CONSISTENT: 5}
# Of what a claim says, so many lines are shown to people; JSON has all.
SAID_LINES_MAX: Final = 24
OFF_CHAIN: Final = "Points and money are in base units. Names in labels are the signer's word only."


# The contracts that a reader names, by the options that name them.
READERS: Final[Mapping[str, str]] = {
    "registry": "PartnerRegistry",
    "badges": "Badges",
    "governor": "ProgrammeGovernor",
}


def named_in(deployments: Path | None, chain_id: int | None) -> dict[str, str]:
    """The addresses of these contracts in the deployment file of a chain; none when no file is named, and of a
    deployment from before badges and votes only the registry's. Raises ChainError."""
    if deployments is None or chain_id is None:
        return {}
    from chain.contracts.deployment import Deployment

    found = Deployment.load(deployments, chain_id)
    registry = {"registry": found.address("PartnerRegistry").lower()}
    later = {option: name for option, name in READERS.items() if name in found.contracts}
    return registry | {option: found.address(name).lower() for option, name in later.items()}


def check(
    paths: list[Path],
    *,
    pin: str | None,
    key: str | None,
    as_json: bool,
    registry: str | None = None,
    deployments: Path | None = None,
    chain_id: int | None = None,
    badges: str | None = None,
    governor: str | None = None,
) -> int:
    """Verifies one document, or two receipts against each other. 0 to 5, as EXITS and UNREADABLE say.

    registry, badges, governor: the addresses of Moa's contracts of these names; without one, that of the deployment
    file where one is named.
    """
    console = Console(highlight=False, soft_wrap=True)
    try:
        data = [read(path) for path in paths]
    except OSError as error:
        Console(stderr=True).print(f"[bold red]Unreadable:[/] {plain(error)}", highlight=False, soft_wrap=True)
        return UNREADABLE
    if len(data) not in (1, 2):
        Console(stderr=True).print("Give one document, or two receipts.")
        return UNREADABLE
    try:
        said = {"registry": _lower(registry), "badges": _lower(badges), "governor": _lower(governor)}
        named = named_in(deployments, chain_id) | {name: one for name, one in said.items() if one is not None}
        for address in named.values():
            if not ADDRESS.fullmatch(address):
                raise ChainError(f"{address} is no address.")
        trusted = Trusted(_lower(pin), _lower(key), **named)
    except (ChainError, OSError) as error:
        Console(stderr=True).print(f"[bold red]No registry:[/] {plain(error)}", highlight=False, soft_wrap=True)
        return UNREADABLE
    if len(data) == 2:
        found = _against(*data, key=trusted.key)
    elif b'"moa-fork/' in data[0][:256]:
        return _fork(data[0], key, as_json, console)
    else:
        found = verify(data[0], pin=trusted.pin, key=trusted.key, **named)
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
        "registry": found.registry,
        "claims": [
            {
                "type": one.type,
                "subject": one.subject,
                "says": [{"name": name, "value": value} for name, value in one.says],
                "proven_by": one.by,
            }
            for one in found.claims
        ],
    }


def show(found: Verdict, console: Console) -> None:
    """The verdict for people."""
    for one in found.claims:
        console.print(f"[bold]{one.type}[/] {plain(one.subject)}")
        for line in _said(one.says):
            console.print(f"    {line}")
        console.print(f"    [dim]proven by {plain(one.by)}[/]")
    if found.verdict == REFUSED:
        where = "" if found.claim is None else f" (claim {found.claim})"
        console.print(f"[bold red]Refused: {found.error}[/]{where}. {plain(found.detail)}")
        return
    console.print(f"signed by {found.signed_by}" if found.signed_by else "not signed: the proofs stand alone")
    if found.verdict in (FRAUDULENT, FINALITY_BROKEN):
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
    word = "[bold yellow]Consistent[/]" if found.verdict == CONSISTENT else "[bold green]Proven[/]"
    whose = "the block you pinned" if found.pinned else "the bundle's own block"
    console.print(f"{word}{state} against {whose}, {found.anchor[0]} {found.anchor[1]}.")
    if not found.pinned:
        console.print("[bold yellow]Unpinned:[/] compare this hash with one that you trust (--pin HASH).")
    if found.verdict == CONSISTENT:
        console.print(
            f"[bold yellow]Of whose registry?[/] All of it follows from {found.registry}, and anyone can deploy a"
            " registry: name Moa's by --registry ADDRESS, or by --deployments and --chain-id."
        )
    console.print(OFF_CHAIN)


def _said(says: Sequence[tuple[str, str]]) -> list[str]:
    """What a claim says, a line each, made harmless to a terminal."""
    lines = [plain(f"{name} {value}") for name, value in says[:SAID_LINES_MAX]]
    more = len(says) - len(lines)
    return lines + ([f"and {more:,} more (--json has all)"] if more else [])


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


__all__ = ["check", "named_in", "read", "show", "told"]
