"""Amounts in files: never a number that a reader of JSON would round."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.reports import formats
from chain.reports.datasets import DATASETS, MONEY, POINTS, TEXT, Dataset

KINDS = {
    TEXT: st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8),
    POINTS: st.integers(-formats.WHOLE_MAX, formats.WHOLE_MAX),
    MONEY: st.integers(-formats.MONEY_MAX, formats.MONEY_MAX),
    "int64": st.integers(0, 2**53 - 1),
}


@st.composite
def filled(draw: st.DrawFn) -> tuple[Dataset, list[tuple[Any, ...]]]:
    dataset = draw(st.sampled_from(list(DATASETS.values())))
    row = st.tuples(*(KINDS[kind] for _, kind in dataset.columns))
    return dataset, draw(st.lists(row, max_size=3))


@given(made=filled(), format=st.sampled_from(["csv", "jsonl", "parquet"]))
def test_what_is_written_is_read_again(made: tuple[Dataset, list[tuple[Any, ...]]], format: str) -> None:
    """SPEC 15.9"""
    dataset, rows = made
    file = io.BytesIO()
    formats.write(dataset, iter(rows), format, file)

    assert list(formats.read(dataset, format, io.BytesIO(file.getvalue()))) == rows


@given(made=filled())
def test_json_holds_no_amount_as_a_number(made: tuple[Dataset, list[tuple[Any, ...]]]) -> None:
    """SPEC 15.9: as jq reads it, with every number a float."""
    dataset, rows = made
    file = io.BytesIO()
    formats.write(dataset, iter(rows), "jsonl", file)

    read = [json.loads(line, parse_int=float) for line in file.getvalue().splitlines()]
    for row, told in zip(rows, read, strict=True):
        for (name, kind), value in zip(dataset.columns, row, strict=True):
            assert told[name] == (str(value) if kind in (POINTS, MONEY) else value)


@pytest.mark.parametrize("cell", ["1", "1.0", '"1_0"', '"1.5"', '"x"', '""', "true"])
def test_an_amount_that_is_not_in_digits_is_no_export(cell: str) -> None:
    """SPEC 15.10"""
    dataset = DATASETS["balances"]
    line = f'{{"token":"0x","account":"0x","expiry_epoch":1,"expires_at":null,"points":{cell}}}'

    with pytest.raises(formats.UNREADABLE):
        list(formats.read(dataset, "jsonl", io.BytesIO(line.encode())))
