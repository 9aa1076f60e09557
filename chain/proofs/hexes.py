"""Values of JSON-RPC and back: quantities and bytes in 0x hex. Raises EncodingInvalid for anything else."""

from typing import Any

from chain.proofs.errors import EncodingInvalid


def to_bytes(value: Any, size: int | None, what: str) -> bytes:
    """The bytes of 0x hex, of this size unless None."""
    try:
        if value[:2] != "0x":
            raise ValueError
        data = bytes.fromhex(value[2:])
    except (TypeError, ValueError, AttributeError):
        raise EncodingInvalid(what, f"{str(value)[:80]!r} is not 0x hex") from None
    # fromhex overlooks spaces: what it read must be as long as what was written.
    if 2 * len(data) + 2 != len(value) or (size is not None and len(data) != size):
        raise EncodingInvalid(what, f"{size if size is not None else 'whole'} bytes of hex were expected")
    return data


def to_number(value: Any, what: str) -> int:
    """The number of a 0x quantity."""
    try:
        if value[:2] != "0x" or "_" in value:
            raise ValueError
        return int(value[2:], 16)
    except (TypeError, ValueError, AttributeError):
        raise EncodingInvalid(what, f"{str(value)[:80]!r} is not a 0x quantity") from None


def shown(data: bytes) -> str:
    """0x hex."""
    return "0x" + data.hex()
