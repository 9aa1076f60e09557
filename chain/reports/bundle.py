"""An export as a folder: a file for each dataset, and a manifest that says of which block it is and what it adds up to.

`check` needs nothing but the folder: it reads every file again and does all sums anew.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson
from sqlalchemy import Connection

from chain.mirror import history
from chain.reports import formats, refolded
from chain.reports import sealing as sealed
from chain.reports.cohorts import cohorts
from chain.reports.datasets import DATASETS, Dataset, Scope, Totals, Values
from chain.reports.errors import ExportInvalid, Problem
from chain.tlog.notes import NoteSigner, Verifier

FORMAT: Final = "moa-export/3"
MANIFEST: Final = "manifest.json"
MANIFEST_MAX_BYTES: Final = 4 << 20
ZERO: Final = "0x" + "00" * 20
CALENDAR: Final = ("brand_id", "decimals", "origin", "epoch_s", "lifetime_epochs", "grace_s")


class _Hashed:
    """A file that hashes what is written into it."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self.digest = hashlib.sha256()
        self.closed = False

    def write(self, data: Any) -> int:
        self.digest.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True


def write(
    connection: Connection,
    folder: Path,
    *,
    scope: Scope,
    format: str,
    chain: dict[str, Any],
    signers: Sequence[NoteSigner] = (),
    sealing: Callable[[dict[str, Any], str], None] = lambda _manifest, _digest: None,
    progress: Callable[[str], None] = lambda _dataset: None,
) -> dict[str, Any]:
    """Writes all datasets and the manifest (last, so that a folder with one is whole); gives the manifest.

    `chain` says which chain and contracts these are, as they shall stand in the manifest. signers: of the manifest, by
    the log's keys. sealing: is told the manifest and its digest before either is written. Raises ExportInvalid when the
    folder is not empty, HistoryNotAvailable, AmountTooLarge.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ExportInvalid(str(folder), "the folder is not empty")
    files = []
    for dataset in DATASETS.values():
        progress(dataset.name)
        name = f"{dataset.name}.{format}"
        totals = Totals(dataset)
        with open(folder / name, "wb") as file:
            hashed = _Hashed(file)
            formats.write(dataset, totals.passing(dataset.rows(connection, scope)), format, hashed)  # type: ignore[arg-type]
        files.append(
            {
                "name": name,
                "dataset": dataset.name,
                "format": format,
                "rows": totals.rows,
                "sha256": hashed.digest.hexdigest(),
                "sums": {dataset.total: {key: str(value) for key, value in sorted(totals.sums.items())}},
            }
        )
    at = history.moment(connection, scope.block)
    manifest = {
        "format": FORMAT,
        "chain": chain,
        "block": {"number": at.number, "hash": at.hash, "time": at.time},
        "brand_id": scope.brand_id,
        "tokens": [_token(connection, row, at) for row in _tokens(connection, scope)],
        # Tokens of the other brands: what exchanges with them are told by.
        "partners": [
            {"brand_id": int(row["brand_id"]), "token": row["token"]}
            for row in history.tokens(connection, scope.block)
            if scope.token not in (None, row["token"])
        ],
        "files": files,
    }
    raw = orjson.dumps(manifest, option=orjson.OPT_INDENT_2)
    sealing(manifest, sealed.digest(raw))
    if signers:
        (folder / sealed.NOTE).write_bytes(sealed.seal(raw, manifest, signers))
    (folder / MANIFEST).write_bytes(raw)
    return manifest


def _tokens(connection: Connection, scope: Scope) -> list[dict[str, Any]]:
    return [row for row in history.tokens(connection, scope.block) if scope.token in (None, row["token"])]


def _token(connection: Connection, row: dict[str, Any], at: history.Moment) -> dict[str, Any]:
    """A token's control figures: minted - burnt - expired = live."""
    supply = history.supply(connection, row["token"], at.number)
    expired = sum(cohort.outstanding for cohort in cohorts(connection, row, at) if cohort.over(at.time))
    return {
        **{name: row[name] for name in ("token", "name", "symbol")},
        **{name: int(row[name]) for name in CALENDAR},
        "minted": str(supply.minted),
        "burnt": str(supply.burnt),
        "expired": str(expired),
        "live": str(supply.live),
    }


def check(folder: Path, log: Verifier | None = None) -> tuple[dict[str, Any], list[Problem]]:
    """Everything that does not add up in an export; none: it is as its manifest says, and its books balance and follow
    from its events. log: whose key must have signed the manifest; without it nobody says whose books they are.

    Raises ExportInvalid when the folder is no export at all.
    """
    manifest = manifest_of(folder)
    problems: list[Problem] = []
    if log is not None:
        problems += sealed.check(folder, (folder / MANIFEST).read_bytes(), manifest, log)
    sums: dict[str, Counter[str]] = {}
    for file in manifest["files"]:
        found, sums[file["dataset"]] = _check_file(folder, file)
        problems += found
    minted, burnt = _minted_and_burnt(folder, manifest)
    for token in manifest["tokens"]:
        problems += _check_token(token, sums.get("balances", Counter()), minted, burnt)
    # Files that cannot be read are told; a fold of what is left of them says nothing more.
    if all((folder / file["name"]).is_file() for file in manifest["files"]):
        problems += refolded.differences(manifest, lambda dataset: rows_of(folder, manifest, dataset))
    return manifest, problems


def manifest_of(folder: Path) -> dict[str, Any]:
    """The manifest of an export. Raises ExportInvalid."""
    path = folder / MANIFEST
    if not path.is_file() or path.stat().st_size > MANIFEST_MAX_BYTES:
        raise ExportInvalid(str(folder), f"it has no {MANIFEST}, or one that is too large")
    try:
        manifest = orjson.loads(path.read_bytes())
        names = [file["dataset"] for file in manifest["files"]]
        sound = manifest["format"] == FORMAT and set(names) == set(DATASETS) and len(names) == len(set(names))
        sound = sound and all(file["format"] in formats.READERS for file in manifest["files"])
        sound = sound and all(file["name"] == f"{file['dataset']}.{file['format']}" for file in manifest["files"])
        sound = sound and all({*CALENDAR, "token"} <= token.keys() for token in manifest["tokens"])
        sound = sound and all({"brand_id", "token"} <= token.keys() for token in manifest["partners"])
        numbers = [manifest["block"][name] for name in ("number", "time")]
        numbers += [token[name] for token in manifest["tokens"] for name in CALENDAR]
        sound = sound and all(type(number) is int for number in numbers)
        sound = sound and isinstance(manifest["block"]["hash"], str) and isinstance(manifest["chain"], dict)
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ExportInvalid(str(folder), f"its {MANIFEST} cannot be read: {error}") from error
    if not sound:
        raise ExportInvalid(str(folder), f"its {MANIFEST} is not of the form {FORMAT}")
    return dict(manifest)


def rows_of(folder: Path, manifest: dict[str, Any], dataset: str) -> Iterator[Values]:
    """The rows of one dataset of an export."""
    (file,) = (file for file in manifest["files"] if file["dataset"] == dataset)
    with open(folder / f"{dataset}.{file['format']}", "rb") as source:
        yield from formats.read(DATASETS[dataset], file["format"], source)


def _check_file(folder: Path, file: dict[str, Any]) -> tuple[list[Problem], Counter[str]]:
    dataset = DATASETS[file["dataset"]]
    name = f"{dataset.name}.{file['format']}"
    path = folder / name
    if not path.is_file():
        return [Problem(name, "file", "missing", "there")], Counter()
    with open(path, "rb") as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()
    totals = Totals(dataset)
    try:
        with open(path, "rb") as source:
            for _ in totals.passing(formats.read(dataset, file["format"], source)):
                pass
    except formats.UNREADABLE as error:
        return [Problem(name, "content", f"unreadable: {error}", dataset.name)], Counter()
    told = {key: str(value) for key, value in totals.sums.items()}
    pairs = (
        ("sha256", file.get("sha256"), digest),
        ("rows", file.get("rows"), totals.rows),
        *_pairs(dataset, (file.get("sums") or {}).get(dataset.total) or {}, told),
    )
    return [Problem(name, what, str(said), str(right)) for what, said, right in pairs if said != right], totals.sums


def _pairs(dataset: Dataset, said: dict[str, str], right: dict[str, str]) -> Sequence[tuple[str, Any, Any]]:
    return [(f"sum of {dataset.total} of {key}", said.get(key, "0"), right.get(key, "0")) for key in {**said, **right}]


def _minted_and_burnt(folder: Path, manifest: dict[str, Any]) -> tuple[Counter[str], Counter[str]]:
    """By token, from the Transfer events themselves."""
    minted: Counter[str] = Counter()
    burnt: Counter[str] = Counter()
    at = {name: DATASETS["events"].index(name) for name in ("address", "name", "args")}
    try:
        for row in rows_of(folder, manifest, "events"):
            if row[at["name"]] == "Transfer":
                args = orjson.loads(row[at["args"]])
                if args["from"] == ZERO:
                    minted[row[at["address"]]] += int(args["value"])
                elif args["to"] == ZERO:
                    burnt[row[at["address"]]] += int(args["value"])
    except formats.UNREADABLE:
        # Told already, of the file itself.
        return Counter(), Counter()
    return minted, burnt


def _check_token(
    token: dict[str, Any], balances: Counter[str], minted: Counter[str], burnt: Counter[str]
) -> list[Problem]:
    """Balances make up the supply, events what was minted and burnt, and the difference of these is what expired."""
    address = token["token"]
    try:
        said = {name: int(token[name]) for name in ("minted", "burnt", "expired", "live")}
    except (KeyError, ValueError, TypeError):
        return [Problem(MANIFEST, f"supply of {address}", "unreadable", "whole numbers")]
    pairs = (
        ("minted", said["minted"], minted[address]),
        ("burnt", said["burnt"], burnt[address]),
        ("live", said["live"], balances[address]),
        ("expired", said["expired"], minted[address] - burnt[address] - balances[address]),
    )
    return [
        Problem(MANIFEST, f"{what} of {address}", str(told), str(right)) for what, told, right in pairs if told != right
    ]
