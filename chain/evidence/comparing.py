"""Values of claims beside values that are proven, and where mappings keep theirs: FORMAT.md sections 2, 4 and 5."""

from typing import Any

from chain.base.hashing import keccak
from chain.evidence.errors import Refused


def raw(text: str) -> bytes:
    """The bytes of 0x hex."""
    return bytes.fromhex(text[2:])


def slot(position: int, *keys: int | bytes) -> int:
    """Where a mapping in slot `position` keeps the value of its keys."""
    for key in keys:
        word = key.to_bytes(32) if isinstance(key, int) else key.rjust(32, b"\0")
        position = int.from_bytes(keccak(word + position.to_bytes(32)))
    return position


def number(text: str) -> int:
    """A number of a claim; more than 256 bits are ClaimFalse: nothing on a chain has so many."""
    value = int(text)
    if value >> 256:
        raise Refused("ClaimFalse", f"{text} has more than 256 bits")
    return value


def same(what: str, claimed: Any, proven: Any) -> None:
    """Raises ClaimFalse unless the two are equal."""
    if claimed != proven:
        raise Refused("ClaimFalse", f"{what}: claimed {_short(claimed)}, proven {_short(proven)}")


def address_of(word: int) -> str:
    """The address in a word's lowest bits."""
    return f"0x{word & (1 << 160) - 1:040x}"


def bits(word: int, at: int, count: int) -> int:
    """So many bits of a word from bit `at` on."""
    return word >> at & (1 << count) - 1


def _short(value: Any) -> str:
    return text if len(text := str(value)) <= 200 else text[:200] + "…"
