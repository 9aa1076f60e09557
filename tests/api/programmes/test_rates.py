"""The pure computations beside the rules of the contracts (SPEC 2 and 4), and the cutting of bodies into lines."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from api.programmes.rates import award_points, exchange_out
from api.writes.ndjson import LineTooLong, Splitter

POSITIVE = st.integers(1, 2**48 - 1)


def rule(numerator: int, denominator: int, rounding: int = 0, cap: int = 0, kind: int = 0) -> dict[str, Any]:
    return {
        "kind": kind,
        "rounding": rounding,
        "numerator": str(numerator),
        "denominator": str(denominator),
        "capPerAward": str(cap),
    }


@given(POSITIVE, POSITIVE, st.integers(0, 2**48 - 1))
def test_rounding_is_what_its_name_says(numerator: int, denominator: int, base: int) -> None:
    exact = Fraction(base * numerator, denominator)

    down, nearest, up = (award_points(rule(numerator, denominator, rounding), base) for rounding in range(3))

    assert down <= exact < down + 1
    assert up - 1 < exact <= up
    assert nearest == (down if exact - down < Fraction(1, 2) else down + 1)


@given(POSITIVE, st.integers(0, 2**48 - 1), st.integers(1, 2**40))
def test_award_is_cut_to_its_cap(numerator: int, base: int, cap: int) -> None:
    assert award_points(rule(numerator, 7, cap=cap), base) == min(award_points(rule(numerator, 7), base), cap)


@given(POSITIVE, st.integers(0, 2**48 - 1))
def test_fixed_award_does_not_look_at_the_base(points: int, base: int) -> None:
    assert award_points(rule(points, 1, kind=1), base) == points


@given(POSITIVE, POSITIVE, st.integers(0, 5_000), POSITIVE)
def test_exchange_never_rounds_in_the_members_favour(
    numerator: int, denominator: int, fee_bps: int, points_in: int
) -> None:
    terms = {"numerator": numerator, "denominator": denominator, "feeBps": fee_bps}

    out, fee = exchange_out(terms, points_in)

    gross = Fraction(points_in * numerator, denominator)
    assert out + fee <= gross < out + fee + 1
    assert fee >= Fraction((out + fee) * fee_bps, 10_000) > fee - 1
    assert out >= 0


@given(st.lists(st.binary(max_size=40).map(lambda raw: raw.replace(b"\n", b" ")), max_size=30), st.integers(1, 64))
def test_lines_are_the_same_however_the_body_arrives(rows: list[bytes], size: int) -> None:
    """SPEC 9.7"""
    body = b"\n".join(rows)
    whole, pieces = (Splitter(line_bytes_max=40, lines_max=100) for _ in range(2))

    at_once = whole.feed(body, end=True)
    cut = [body[start : start + size] for start in range(0, len(body), size)]
    in_pieces = [line for piece in cut for line in pieces.feed(piece)] + pieces.feed(b"", end=True)

    assert in_pieces == at_once
    assert [line.raw for line in at_once] == [row.strip() for row in rows if row.strip()]


@given(st.integers(41, 5_000), st.integers(1, 64))
def test_line_without_an_end_never_fills_the_memory(length: int, size: int) -> None:
    splitter = Splitter(line_bytes_max=40, lines_max=100)
    body = b"x" * length + b"\nnext"
    lines = []

    for start in range(0, len(body), size):
        lines += splitter.feed(body[start : start + size])
        assert len(splitter._rest) <= 40 + size
    lines += splitter.feed(b"", end=True)

    assert isinstance(lines[0].refused, LineTooLong)
    assert [(line.number, line.raw) for line in lines[1:]] == [(2, b"next")]
