"""Rows into bytes: CSV (RFC 4180), JSON Lines, Parquet. Whole numbers stay whole numbers in each."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any, BinaryIO, Final

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from chain.reports.datasets import MONEY, POINTS, TEXT, WHOLE, Dataset, Values
from chain.reports.errors import AmountTooLarge

ROWS_PER_CHUNK: Final = 5_000
WHOLE_MAX: Final = 2**63 - 1
MONEY_MAX: Final = 10**38 - 1
# A cell that begins so is a formula to a spreadsheet; none of our texts does, and this keeps it so.
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
# Everything that reading a file of another form can raise.
UNREADABLE: Final = (
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    OSError,
    csv.Error,
    ArithmeticError,
    pa.ArrowException,
)
ARROW: Final = {TEXT: pa.string(), WHOLE: pa.int64(), POINTS: pa.int64(), MONEY: pa.decimal128(38, 0)}
AMOUNTS: Final = (POINTS, MONEY)
MEDIA_TYPES: Final = {
    "csv": "text/csv; charset=utf-8; header=present",
    "jsonl": "application/jsonl",
    "parquet": "application/vnd.apache.parquet",
}


def write(dataset: Dataset, rows: Iterator[Values], format: str, into: BinaryIO) -> None:
    """Writes all rows. Raises AmountTooLarge before a number would be cut, KeyError for an unknown format."""
    WRITERS[format](dataset, checked(dataset, rows), into)


def checked(dataset: Dataset, rows: Iterator[Values]) -> Iterator[Values]:
    """The rows, none of whose numbers is beyond what its column's type holds in every format."""
    bounds = [None if kind == TEXT else MONEY_MAX if kind == MONEY else WHOLE_MAX for _, kind in dataset.columns]
    for row in rows:
        for (name, _), bound, value in zip(dataset.columns, bounds, row, strict=True):
            if bound is not None and value is not None and not -bound <= value <= bound:
                raise AmountTooLarge(f"{dataset.name}.{name}", value, bound)
        yield row


def _csv(dataset: Dataset, rows: Iterator[Values], into: BinaryIO) -> None:
    text = io.TextIOWrapper(into, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([name for name, _ in dataset.columns])
    writer.writerows([_cell(value) for value in row] for row in rows)
    text.flush()
    text.detach()


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def _jsonl(dataset: Dataset, rows: Iterator[Values], into: BinaryIO) -> None:
    for row in rows:
        told = {name: _told(value, kind) for (name, kind), value in zip(dataset.columns, row, strict=True)}
        into.write(orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE))


def _told(value: Any, kind: str) -> Any:
    """An amount as its digits: what reads JSON makes a float of a number as soon as it is large."""
    return str(value) if kind in AMOUNTS and value is not None else value


def _parquet(dataset: Dataset, rows: Iterator[Values], into: BinaryIO) -> None:
    schema = pa.schema([(name, ARROW[kind]) for name, kind in dataset.columns])
    with pq.ParquetWriter(into, schema, compression="zstd") as writer:
        while chunk := list(islice(rows, ROWS_PER_CHUNK)):
            columns = [
                pa.array(_column(values, kind), ARROW[kind])
                for values, (_, kind) in zip(zip(*chunk, strict=True), dataset.columns, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def _column(values: Sequence[Any], kind: str) -> Sequence[Any]:
    return [None if value is None else Decimal(value) for value in values] if kind == MONEY else values


def read(dataset: Dataset, format: str, source: BinaryIO) -> Iterator[Values]:
    """The rows of a file that `write` made. Raises one of UNREADABLE for anything else."""
    yield from READERS[format](dataset, source)


def _read_csv(dataset: Dataset, source: BinaryIO) -> Iterator[Values]:
    with io.TextIOWrapper(source, encoding="utf-8", newline="") as text:
        reader = csv.reader(text)
        if next(reader, None) != [name for name, _ in dataset.columns]:
            raise ValueError(f"The first line does not name the columns of {dataset.name}.")
        for cells in reader:
            yield tuple(_value(cell, kind) for cell, (_, kind) in zip(cells, dataset.columns, strict=True))


def _value(cell: str, kind: str) -> Any:
    if cell == "":
        return None
    return cell.removeprefix("'") if kind == TEXT else int(cell)


def _read_jsonl(dataset: Dataset, source: BinaryIO) -> Iterator[Values]:
    for line in source:
        row = orjson.loads(line)
        yield tuple(_amount(row[name]) if kind in AMOUNTS else row[name] for name, kind in dataset.columns)


def _amount(value: Any) -> int | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value.removeprefix("-").isdecimal():
        raise ValueError(f"{value!r} is no amount in digits")
    return int(value)


def _read_parquet(dataset: Dataset, source: BinaryIO) -> Iterator[Values]:
    with pq.ParquetFile(source) as file:
        for batch in file.iter_batches(ROWS_PER_CHUNK, columns=[name for name, _ in dataset.columns]):
            columns = [column.to_pylist() for column in batch.columns]
            for row in zip(*columns, strict=True):
                yield tuple(int(value) if isinstance(value, Decimal) else value for value in row)


READERS: Final[dict[str, Callable[[Dataset, BinaryIO], Iterator[Values]]]] = {
    "csv": _read_csv,
    "jsonl": _read_jsonl,
    "parquet": _read_parquet,
}
WRITERS: Final[dict[str, Callable[[Dataset, Iterator[Values], BinaryIO], None]]] = {
    "csv": _csv,
    "jsonl": _jsonl,
    "parquet": _parquet,
}
