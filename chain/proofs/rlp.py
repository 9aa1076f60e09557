"""Recursive length prefix, strictly: each value has one encoding, and any other is refused.

An item is bytes or a list of items. Source: the Ethereum yellow paper, appendix B.
"""

from typing import Any, Final

from chain.proofs.errors import EncodingInvalid

# bytes or list[Item]; a recursive alias would need a cast at every step.
Item = Any
DEPTH_MAX: Final = 16


def number(value: int) -> bytes:
    """A number as RLP wants it: big-endian, no leading zero, 0 is empty."""
    return value.to_bytes((value.bit_length() + 7) // 8)


def prefix(size: int, base: int) -> bytes:
    """What stands before `size` bytes; base: 0x80 for a string, 0xC0 for a list."""
    if size < 56:
        return bytes((base + size,))
    length = number(size)
    return bytes((base + 55 + len(length),)) + length


def string(data: bytes) -> bytes:
    """Encoded bytes."""
    return data if len(data) == 1 and data[0] < 0x80 else prefix(len(data), 0x80) + data


def joined(payload: bytes) -> bytes:
    """A list whose items are encoded already and joined."""
    return prefix(len(payload), 0xC0) + payload


def encode(item: Item) -> bytes:
    """Encoded bytes or list."""
    return string(item) if isinstance(item, bytes) else joined(b"".join(map(encode, item)))


def decode(data: bytes) -> Item:
    """The one item that `data` is. Raises EncodingInvalid when it is not the one encoding of an item, or is deeper
    than anything on a chain."""
    item, end = _item(data, 0, len(data), 0)
    if end != len(data):
        raise EncodingInvalid("RLP", f"{len(data) - end} bytes too many")
    return item


def items(data: bytes, count: int | tuple[int, ...], what: str) -> list[Item]:
    """A list of so many items. Raises EncodingInvalid for anything else."""
    item = decode(data)
    counts = (count,) if isinstance(count, int) else count
    if not isinstance(item, list) or len(item) not in counts:
        raise EncodingInvalid(what, f"not a list of {' or '.join(map(str, counts))} items")
    return item


def to_number(item: Item, what: str) -> int:
    """The number of an item. Raises EncodingInvalid for a list or a leading zero."""
    if not isinstance(item, bytes) or item[:1] == b"\0":
        raise EncodingInvalid(what, "a number without leading zeros was expected")
    return int.from_bytes(item)


def to_bytes(item: Item, size: int | None, what: str) -> bytes:
    """The bytes of an item, of this size unless None. Raises EncodingInvalid."""
    if not isinstance(item, bytes) or (size is not None and len(item) != size):
        raise EncodingInvalid(what, f"{size if size is not None else 'some'} bytes were expected")
    return item


def _item(data: bytes, at: int, limit: int, depth: int) -> tuple[Item, int]:
    if at >= limit:
        raise EncodingInvalid("RLP", "it ends too early")
    first = data[at]
    if first < 0x80:
        return data[at : at + 1], at + 1
    start, end = _span(data, at, limit, 0xC0 if first >= 0xC0 else 0x80)
    if first < 0xC0:
        if end - start == 1 and data[start] < 0x80:
            raise EncodingInvalid("RLP", "a small byte is encoded as itself")
        return data[start:end], end
    if depth == DEPTH_MAX:
        raise EncodingInvalid("RLP", f"deeper than {DEPTH_MAX} lists")
    found = []
    while start < end:
        item, start = _item(data, start, end, depth + 1)
        found.append(item)
    return found, end


def _span(data: bytes, at: int, limit: int, base: int) -> tuple[int, int]:
    """Where the content behind the prefix at `at` begins and ends."""
    size, start = data[at] - base, at + 1
    if size > 55:
        start += size - 55
        length = data[at + 1 : start]
        size = int.from_bytes(length)
        if length[:1] == b"\0" or size < 56 or start > limit:
            raise EncodingInvalid("RLP", "a length that could be shorter")
    if start + size > limit:
        raise EncodingInvalid("RLP", "it ends too early")
    return start, start + size
