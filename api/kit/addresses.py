"""Addresses: lower case in tables, EIP-55 on the wire; one that comes with a checksum needs the right one."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from api.kit.problems import Problem, told_by_validation
from chain.base import addresses
from chain.base import errors as chain_errors
from chain.base.addresses import checksum

PATTERN = "^0x[0-9a-fA-F]{40}$"


@told_by_validation
class AddressMalformed(Problem):
    """What should be an address is none, or its checksum is wrong."""

    status = 422


def _parsed(value: Any) -> str:
    try:
        return addresses.parse_address(value)
    except chain_errors.AddressMalformed:
        raise PydanticCustomError("AddressMalformed", f"An address is {chain_errors.ADDRESSES}") from None


# Lower case once it is taken.
Address = Annotated[str, BeforeValidator(_parsed), WithJsonSchema({"type": "string", "pattern": PATTERN})]

__all__ = ["Address", "AddressMalformed", "checksum"]
