"""What makes a block verifiable: keccak, RLP, the logs bloom and the root of a trie, in the chain's own definitions.

Written apart from chain/, so that the code under test is not checked against itself.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Final

from Crypto.Hash import keccak as _keccak

BLOOM_BYTES: Final = 256
REF_BYTES_MAX: Final = 31


def keccak(data: bytes) -> bytes:
    """32 bytes."""
    return _keccak.new(digest_bits=256, data=data).digest()


def topic_of(signature: str) -> str:
    """The first topic of an event: `topic_of("Transfer(address,address,uint256)")`."""
    return "0x" + keccak(signature.encode()).hex()


def selector_of(signature: str) -> str:
    """The first four bytes of a call, as 0x hex."""
    return "0x" + keccak(signature.encode())[:4].hex()


def rlp_bytes(value: bytes) -> bytes:
    """A byte string, encoded."""
    if len(value) == 1 and value[0] < 0x80:
        return value
    return _rlp_prefix(len(value), 0x80) + value


def rlp_int(value: int) -> bytes:
    """A whole number, encoded: big endian without leading zeros."""
    return rlp_bytes(value.to_bytes((value.bit_length() + 7) // 8))


def rlp_list(parts: Iterable[bytes]) -> bytes:
    """A list of parts that are encoded already."""
    body = b"".join(parts)
    return _rlp_prefix(len(body), 0xC0) + body


def _rlp_prefix(size: int, base: int) -> bytes:
    if size < 56:
        return bytes((base + size,))
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((base + 55 + len(length),)) + length


@lru_cache(1 << 16)
def bloom_mask(value: bytes) -> int:
    """The three bits of the logs bloom that an address or a topic sets."""
    digest = keccak(value)
    mask = 0
    for at in (0, 2, 4):
        mask |= 1 << (int.from_bytes(digest[at : at + 2]) & (BLOOM_BYTES * 8 - 1))
    return mask


def trie_root(values: Sequence[bytes]) -> bytes:
    """The root of the trie that maps rlp(0), rlp(1), ... to these values: of a block's transactions or receipts."""
    if not values:
        return EMPTY_TRIE
    pairs = sorted((_nibbles(rlp_int(index)), value) for index, value in enumerate(values))
    return keccak(_node(pairs, 0))


def _nibbles(key: bytes) -> bytes:
    return bytes(nibble for byte in key for nibble in (byte >> 4, byte & 15))


def _node(pairs: Sequence[tuple[bytes, bytes]], depth: int) -> bytes:
    """The node above these pairs, sorted by key and equal up to `depth`. No key here is a prefix of another."""
    first = pairs[0][0]
    if len(pairs) == 1:
        return rlp_list((rlp_bytes(_path(first[depth:], leaf=True)), rlp_bytes(pairs[0][1])))
    last, shared = pairs[-1][0], depth
    while first[shared] == last[shared]:
        shared += 1
    if shared > depth:
        child = _reference(_node(pairs, shared))
        return rlp_list((rlp_bytes(_path(first[depth:shared], leaf=False)), child))
    slots = [b"\x80"] * 17
    for nibble, group in groupby(pairs, key=lambda pair: pair[0][depth]):
        slots[nibble] = _reference(_node(list(group), depth + 1))
    return rlp_list(slots)


def _path(nibbles: bytes, *, leaf: bool) -> bytes:
    flag = 2 if leaf else 0
    even = bytes((flag + 1, *nibbles)) if len(nibbles) % 2 else bytes((flag, 0, *nibbles))
    return bytes(even[at] << 4 | even[at + 1] for at in range(0, len(even), 2))


def _reference(node: bytes) -> bytes:
    return node if len(node) <= REF_BYTES_MAX else rlp_bytes(keccak(node))


EMPTY_TRIE: Final = keccak(rlp_bytes(b""))
EMPTY_UNCLES: Final = keccak(rlp_list(()))
