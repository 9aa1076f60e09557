"""Reads ranges of blocks and their logs, and believes a node only as far as its answers agree with each other."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from chain.errors import AnswerInconsistent
from chain.hashing import keccak
from chain.rpc import Rpc

Raw = dict[str, Any]
BLOOM_BYTES: Final = 256


@dataclass(frozen=True, slots=True)
class Header:
    """What the mirror needs of a block. `time`: unix seconds."""

    number: int
    hash: str
    parent_hash: str
    time: int
    bloom: bytes
    transactions: tuple[str, ...]


@dataclass(slots=True)
class Range:
    """Consecutive blocks, oldest first, and the logs of the asked addresses in the order of the chain."""

    headers: list[Header]
    logs: list[Raw] = field(default_factory=list)


def header(raw: Raw | None) -> Header | None:
    """A block as the node gives it, without its transactions' bodies; None stays None."""
    if raw is None:
        return None
    return Header(
        number=int(raw["number"], 16),
        hash=raw["hash"],
        parent_hash=raw["parentHash"],
        time=int(raw["timestamp"], 16),
        bloom=bytes.fromhex(raw["logsBloom"][2:]),
        transactions=tuple(raw.get("transactions", ())),
    )


def latest(rpc: Rpc) -> Header:
    """The newest block."""
    found = header(rpc.call("eth_getBlockByNumber", "latest", False))
    if found is None:
        raise AnswerInconsistent("The node has no latest block.")
    return found


def headers(rpc: Rpc, numbers: Iterable[int]) -> list[Header | None]:
    """The blocks with these numbers; None for those the node does not have."""
    asked = [("eth_getBlockByNumber", [hex(number), False]) for number in numbers]
    return [header(raw) for raw in rpc.batch(asked)]


def read_range(rpc: Rpc, first: int, last: int, parent_hash: str, addresses: Sequence[str], head: Header) -> Range:
    """Blocks first..last on top of `parent_hash`, with the logs of `addresses`.

    Raises AnswerInconsistent when the links are broken, when a log's block is not the one we read, when a block's
    bloom says there should be logs and there are none, or when the last block changed while we were reading.
    """
    wanted = [number for number in range(first, last + 1) if number != head.number]
    known = dict(zip(wanted, headers(rpc, wanted), strict=True))
    known[head.number] = head
    chain = [_present(known[number], number) for number in range(first, last + 1)]
    _check_links(chain, parent_hash)
    logs = _logs(rpc, chain, addresses)
    # Read again after the logs: an answer that mixes two chains shows here.
    (again,) = headers(rpc, [last])
    if again is None or again.hash != chain[-1].hash:
        raise AnswerInconsistent(f"Block {last} changed while its logs were read.")
    return Range(chain, logs)


def _logs(rpc: Rpc, chain: Sequence[Header], addresses: Sequence[str]) -> list[Raw]:
    span = {"fromBlock": hex(chain[0].number), "toBlock": hex(chain[-1].number), "address": list(addresses)}
    found: list[Raw] = rpc.call("eth_getLogs", span)
    by_number: dict[int, list[Raw]] = {}
    hashes = {block.number: block.hash for block in chain}
    for raw in found:
        number = int(raw["blockNumber"], 16)
        if hashes.get(number) != raw["blockHash"] or raw.get("removed"):
            raise AnswerInconsistent(f"A log of block {number} belongs to another block of that number.")
        by_number.setdefault(number, []).append(raw)
    for block in chain:
        if block.number not in by_number and may_hold(block.bloom, addresses):
            by_number[block.number] = _logs_of_receipts(rpc, block, addresses)
    return [
        raw
        for number in sorted(by_number)
        for raw in sorted(by_number[number], key=lambda raw: int(raw["logIndex"], 16))
    ]


def _logs_of_receipts(rpc: Rpc, block: Header, addresses: Sequence[str]) -> list[Raw]:
    """An empty answer proves nothing; the receipts of every transaction of the block do."""
    wanted = set(addresses)
    receipts = rpc.batch([("eth_getTransactionReceipt", [tx_hash]) for tx_hash in block.transactions])
    if any(receipt is None or receipt["blockHash"] != block.hash for receipt in receipts):
        raise AnswerInconsistent(f"The receipts of block {block.number} belong to another block.")
    return [raw for receipt in receipts for raw in receipt["logs"] if raw["address"].lower() in wanted]


def _present(found: Header | None, number: int) -> Header:
    if found is None:
        raise AnswerInconsistent(f"The node does not have block {number} any more.")
    return found


def _check_links(chain: Sequence[Header], parent_hash: str) -> None:
    for block in chain:
        if block.parent_hash != parent_hash:
            raise AnswerInconsistent(f"Block {block.number} does not follow the block before it.")
        parent_hash = block.hash


def may_hold(bloom: bytes, addresses: Iterable[str]) -> bool:
    """Whether a block with this bloom may hold a log of one of the addresses. False is certain, True is not."""
    filter_ = int.from_bytes(bloom)
    return any(filter_ & mask == mask for mask in map(_mask, addresses))


@lru_cache(4096)
def _mask(address: str) -> int:
    digest = keccak(bytes.fromhex(address[2:]))
    mask = 0
    for at in (0, 2, 4):
        mask |= 1 << (int.from_bytes(digest[at : at + 2]) & (BLOOM_BYTES * 8 - 1))
    return mask


def common_ancestor(rpc: Rpc, ours: Mapping[int, str], chunk: int) -> int | None:
    """The highest of our blocks {number: hash} that the node still has; None when it has none of them."""
    numbers = sorted(ours, reverse=True)
    for start in range(0, len(numbers), chunk):
        asked = numbers[start : start + chunk]
        for number, found in zip(asked, headers(rpc, asked), strict=True):
            if found is not None and found.hash == ours[number]:
                return number
    return None
