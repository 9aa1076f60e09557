"""Addresses: lower case in tables, EIP-55 on the wire."""

from __future__ import annotations

from functools import lru_cache

from eth_utils.address import to_checksum_address

ADDRESSES_CACHED_MAX = 65_536


@lru_cache(ADDRESSES_CACHED_MAX)
def checksum(address: str) -> str:
    """The address with its EIP-55 checksum. Cached: a Keccak in Python costs as much as the read beside it."""
    return str(to_checksum_address(address))
