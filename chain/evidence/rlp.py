"""One level of RLP at a time, strictly: what is not looked at costs nothing, and no nesting can exhaust the stack.

Raises ValueError for anything that is not the one encoding of an item. Source: the yellow paper, appendix B.
"""

from typing import NamedTuple


class Item(NamedTuple):
    """`payload`: the bytes of a string, or the items of a list still encoded. `raw`: with its prefix."""

    is_list: bool
    payload: bytes
    raw: bytes


def item(data: bytes, at: int = 0) -> tuple[Item, int]:
    """The item that begins at `at`, and where the next one begins."""
    if at >= len(data):
        raise ValueError("the data ends")
    head = data[at]
    if head < 0x80:
        one = data[at : at + 1]
        return Item(False, one, one), at + 1
    is_list = head >= 0xC0
    base = 0xC0 if is_list else 0x80
    size, start = head - base, at + 1
    if size > 55:
        width = size - 55
        start += width
        if start > len(data) or data[at + 1] == 0:
            raise ValueError("a length is not minimal")
        size = int.from_bytes(data[at + 1 : start])
        if size < 56:
            raise ValueError("a length is not minimal")
    end = start + size
    if end > len(data):
        raise ValueError("the data ends")
    if not is_list and size == 1 and data[start] < 0x80:
        raise ValueError("a byte below 0x80 stands for itself")
    return Item(is_list, data[start:end], data[at:end]), end


def whole(data: bytes) -> Item:
    """The one item that `data` is."""
    found, end = item(data)
    if end != len(data):
        raise ValueError("bytes are left over")
    return found


def items(payload: bytes) -> list[Item]:
    """The items of a list's payload."""
    found, at = [], 0
    while at < len(payload):
        one, at = item(payload, at)
        found.append(one)
    return found


def listed(data: bytes) -> list[Item]:
    """The items of the one list that `data` is."""
    one = whole(data)
    if not one.is_list:
        raise ValueError("a list was expected")
    return items(one.payload)


def string(one: Item, size: int | None = None) -> bytes:
    """The bytes of an item that is a string, of this size unless None."""
    if one.is_list or (size is not None and len(one.payload) != size):
        raise ValueError("a string of another size was expected")
    return one.payload


def number(one: Item, bytes_max: int) -> int:
    """The number of an item: big-endian without a leading zero."""
    data = string(one)
    if len(data) > bytes_max or data[:1] == b"\0":
        raise ValueError("this is no number")
    return int.from_bytes(data)
