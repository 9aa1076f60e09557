"""Ids that the contracts compute: keccak256 over ABI-encoded values."""

from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak


def hash_of(types: list[str], *values: Any) -> str:
    """keccak256(abi.encode(values)), lower-case 0x text."""
    return "0x" + keccak(encode(types, values)).hex()


def nonce_id(member: str, nonce: int) -> str:
    """The id of a hold or an exchange: keccak256(abi.encode(member, nonce))."""
    return hash_of(["address", "uint256"], member, nonce)
