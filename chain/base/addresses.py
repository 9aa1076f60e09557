"""Addresses as people write them: one place decides what is one, for the gateway and for every command."""

from functools import lru_cache
from typing import Any, Final

from eth_utils.address import to_checksum_address

from chain.base.errors import AddressMalformed
from chain.base.scalars import Address

CACHED_MAX: Final = 65_536


def parse_address(text: Any) -> Address:
    """The address in lower case, as tables keep it. Raises AddressMalformed."""
    if not isinstance(text, str) or len(text) != 42 or text[:2] not in ("0x", "0X"):
        raise AddressMalformed(text)
    digits = text[2:]
    if not (digits.isascii() and all(digit in "0123456789abcdefABCDEF" for digit in digits)):
        raise AddressMalformed(text)
    found = Address("0x" + digits.lower())
    # One case throughout carries no checksum; two do, and a wrong one is a typing error.
    if digits not in (digits.lower(), digits.upper()) and checksum(found)[2:] != digits:
        raise AddressMalformed(text)
    return found


@lru_cache(CACHED_MAX)
def checksum(address: Address) -> str:
    """The address with its EIP-55 checksum. Cached: a Keccak in Python costs as much as the read beside it."""
    return str(to_checksum_address(address))
