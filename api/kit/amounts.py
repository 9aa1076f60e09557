"""Amounts on the wire: strings of whole base units, decimals beside them, never floats.

Problem
├── AmountMalformed    not a string, or not a number in plain digits
├── AmountFractional   parts of a base unit
├── AmountNegative
├── AmountZero         an order of value nothing says so with `free`
└── AmountTooLarge     more than a lot on the chain can hold
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from api.kit.problems import Problem, told_by_validation

# A lot on the chain is 48 bits wide, and a rule may multiply the base amount: both must fit.
AMOUNT_MAX = 2**48 - 1
DIGITS_MAX = len(str(AMOUNT_MAX))

_whole = re.compile(r"(0|[1-9][0-9]*)\Z", re.ASCII)
_signed = re.compile(r"-[0-9]+(\.[0-9]+)?\Z", re.ASCII)
_fraction = re.compile(r"[0-9]+\.[0-9]+\Z", re.ASCII)


@told_by_validation
class AmountMalformed(Problem):
    """The amount is not a number in plain digits, given as a string."""

    status = 422


@told_by_validation
class AmountFractional(Problem):
    """The amount has parts of a base unit."""

    status = 422


@told_by_validation
class AmountNegative(Problem):
    """The amount is negative."""

    status = 422


@told_by_validation
class AmountZero(Problem):
    """The amount is zero."""

    status = 422


@told_by_validation
class AmountTooLarge(Problem):
    """The amount is more than the ledger can hold."""

    status = 422


AMOUNT_PROBLEMS: tuple[type[Problem], ...] = (
    AmountMalformed,
    AmountFractional,
    AmountNegative,
    AmountZero,
    AmountTooLarge,
)


def parse_amount(value: Any) -> int:
    """Base units of an amount as written, zero included; a typed refusal otherwise.

    Only "0" and digits without a leading zero are amounts: one amount has one spelling, so equal
    requests have equal hashes.
    """
    if not isinstance(value, str):
        raise _refusal(AmountMalformed, 'An amount is a string of base units, such as "1250".')
    if _whole.match(value):
        if len(value) > DIGITS_MAX or int(value) > AMOUNT_MAX:
            raise _refusal(AmountTooLarge, f"An amount is at most {AMOUNT_MAX} base units.")
        return int(value)
    if _signed.match(value):
        raise _refusal(AmountNegative, "An amount is never negative.")
    if _fraction.match(value):
        raise _refusal(AmountFractional, "An amount is in whole base units; decimals are beside it.")
    raise _refusal(AmountMalformed, 'An amount is a string of plain digits, such as "1250".')


def parse_positive(value: Any) -> int:
    """Base units of an amount as written, above zero."""
    amount = parse_amount(value)
    if amount == 0:
        raise _refusal(AmountZero, "The amount is 0.")
    return amount


def _refusal(problem: type[Problem], sentence: str) -> PydanticCustomError:
    # The sentence is a template to pydantic; ours have no braces.
    return PydanticCustomError(problem.__name__, sentence)


_written = PlainSerializer(str, return_type=str)

AmountOrZero = Annotated[
    int,
    BeforeValidator(parse_amount),
    _written,
    WithJsonSchema({"type": "string", "pattern": "^(0|[1-9][0-9]{0,14})$", "examples": ["2933"]}),
]
Amount = Annotated[
    int,
    BeforeValidator(parse_positive),
    _written,
    WithJsonSchema({"type": "string", "pattern": "^[1-9][0-9]{0,14}$", "examples": ["2933"]}),
]
# What we say ourselves: never refused, a string of digits, signed in an entry.
Points = Annotated[str, WithJsonSchema({"type": "string", "pattern": "^-?[0-9]+$", "examples": ["2933"]})]
