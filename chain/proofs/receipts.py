"""Receipts: typed encoding, logs and blooms.

A receipt is rlp([status, cumulativeGasUsed, bloom, logs]), behind its type when that is not 0 (EIP-2718). Before
Byzantium a state root stood in the place of the status.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from chain.base.hashing import keccak
from chain.proofs import hexes, rlp
from chain.proofs.errors import EncodingInvalid

BLOOM_BYTES: Final = 256
TOPICS_MAX: Final = 4
TYPE_MAX: Final = 0x7F


@dataclass(frozen=True, slots=True)
class ReceiptLog:
    """What a contract told: its address (20 bytes), up to 4 topics (32 bytes each) and data."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a transaction. status: 1 done, 0 reverted, 32 bytes of state root before Byzantium."""

    type: int
    status: int | bytes
    cumulative_gas: int
    bloom: bytes
    logs: tuple[ReceiptLog, ...]


def encode(receipt: Mapping[str, Any]) -> bytes:
    """A receipt as JSON-RPC gives it, as it lies in the trie. Raises EncodingInvalid.

    Written for speed: an audit encodes every log of a chain.
    """
    kind = hexes.to_number(receipt.get("type") or "0x0", "receipt (type)")
    if kind > TYPE_MAX:
        raise EncodingInvalid("receipt", f"type {kind} is more than {TYPE_MAX}")
    logs = receipt.get("logs")
    if not isinstance(logs, list):
        raise EncodingInvalid("receipt", "it has no list of logs")
    payload = (
        _outcome(receipt)
        + rlp.string(rlp.number(hexes.to_number(receipt.get("cumulativeGasUsed"), "receipt (cumulativeGasUsed)")))
        # 0xb90100: a string of 256 bytes.
        + b"\xb9\x01\x00"
        + hexes.to_bytes(receipt.get("logsBloom"), BLOOM_BYTES, "receipt (logsBloom)")
        + rlp.joined(b"".join(map(encode_log, logs)))
    )
    return (bytes((kind,)) if kind else b"") + rlp.joined(payload)


def encode_log(log: Mapping[str, Any]) -> bytes:
    """RLP of a log as JSON-RPC gives it. Raises EncodingInvalid."""
    try:
        address, topics, data = log["address"], log["topics"], log["data"]
        account, content = bytes.fromhex(address[2:]), bytes.fromhex(data[2:])
        words = bytes.fromhex("".join(["a0" + topic[2:] for topic in topics]))
        written = [address, data, *topics]
        whole = all(text[:2] == "0x" for text in written)
    except (TypeError, KeyError, ValueError) as error:
        raise EncodingInvalid("log", f"{type(error).__name__}: {error}") from None
    # fromhex overlooks spaces: what is read must be as long as what is written, or one log had many spellings.
    whole = whole and len(address) == 42 and len(account) == 20 and len(data) == 2 + 2 * len(content)
    if not whole or len(words) != 33 * len(topics) or any(len(topic) != 66 for topic in topics):
        raise EncodingInvalid("log", "an address has 20 bytes, a topic 32, and each is written as 0x hex")
    if len(topics) > TOPICS_MAX:
        raise EncodingInvalid("log", f"it has {len(topics)} topics")
    return rlp.joined(b"\x94" + account + rlp.prefix(len(words), 0xC0) + words + rlp.string(content))


def decode(raw: bytes) -> Receipt:
    """A receipt as it lies in the trie. Raises EncodingInvalid."""
    kind = raw[0] if raw and raw[0] <= TYPE_MAX else 0
    status, gas, bloom, logs = rlp.items(raw[1:] if kind else raw, 4, "receipt")
    if not isinstance(status, bytes) or len(status) not in (0, 1, 32) or not isinstance(logs, list):
        raise EncodingInvalid("receipt", "status or logs have no such form")
    if len(status) < 32 and status not in (b"", b"\1"):
        raise EncodingInvalid("receipt", "its status is neither 0 nor 1")
    return Receipt(
        type=kind,
        status=status if len(status) == 32 else len(status),
        cumulative_gas=rlp.to_number(gas, "receipt (cumulativeGasUsed)"),
        bloom=rlp.to_bytes(bloom, BLOOM_BYTES, "receipt (logsBloom)"),
        logs=tuple(map(_log, logs)),
    )


def _log(item: rlp.Item) -> ReceiptLog:
    if not isinstance(item, list) or len(item) != 3 or not isinstance(item[1], list) or len(item[1]) > TOPICS_MAX:
        raise EncodingInvalid("log", "not an address, up to four topics and data")
    return ReceiptLog(
        address=rlp.to_bytes(item[0], 20, "log (address)"),
        topics=tuple(rlp.to_bytes(topic, 32, "log (topic)") for topic in item[1]),
        data=rlp.to_bytes(item[2], None, "log (data)"),
    )


def _outcome(receipt: Mapping[str, Any]) -> bytes:
    if receipt.get("status") is not None:
        status = hexes.to_number(receipt["status"], "receipt (status)")
        if status not in (0, 1):
            raise EncodingInvalid("receipt", f"status {status} is neither 0 nor 1")
        return rlp.string(rlp.number(status))
    return rlp.string(hexes.to_bytes(receipt.get("root"), 32, "receipt (root)"))


@lru_cache(1 << 16)
def bloom_bits(value: bytes) -> int:
    """The three bits of an address or topic, as a number of 2048 bits."""
    digest = keccak(value)
    mask = 0
    for at in (0, 2, 4):
        mask |= 1 << (int.from_bytes(digest[at : at + 2]) & (BLOOM_BYTES * 8 - 1))
    return mask


def may_hold(bloom: bytes, addresses: Iterable[bytes]) -> bool:
    """Whether there may be a log of one of the addresses under this bloom. False is certain, True is not."""
    filter_ = int.from_bytes(bloom)
    return any(filter_ & mask == mask for mask in map(bloom_bits, addresses))
