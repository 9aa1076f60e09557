"""Reads ranges of blocks and their logs, and believes a node only as far as its answers agree with each other."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from chain.base.errors import AnswerInconsistent
from chain.base.hashing import keccak
from chain.base.scalars import Address, BlockHash, TxHash
from chain.node.rpc import Rpc

Raw = dict[str, Any]
BLOOM_BYTES: Final = 256
SPARSE_BITS: Final = 300
HASH_CHARS: Final = 66
COUNTED_MAX: Final = (1 << 63) - 1
MINED_TIMEOUT_S: Final = 60.0
MINED_POLL_S: Final = 0.002
# How often, and how far apart, the receipts of a block that a node has shown are asked for while it answers null.
RECEIPT_LOOKS: Final = 3
RECEIPT_PAUSE_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """What the mirror needs of a block. `time`: unix seconds."""

    number: int
    hash: BlockHash
    parent_hash: BlockHash
    time: int
    bloom: bytes
    transactions: tuple[TxHash, ...]
    receipts_root: str = ""


@dataclass(slots=True)
class Range:
    """Consecutive blocks, oldest first, and the logs of the asked addresses in the order of the chain."""

    headers: list[BlockHeader]
    logs: list[Raw] = field(default_factory=list)


@contextmanager
def believable(what: str) -> Iterator[None]:
    """An answer of an unexpected shape is an answer not to be believed, never a fault of ours."""
    try:
        yield
    except (TypeError, KeyError, ValueError, IndexError, AttributeError) as error:
        raise AnswerInconsistent(
            f"The node's answer has no such shape: {what} ({type(error).__name__}: {error})."
        ) from error


def header(raw: Raw | None) -> BlockHeader | None:
    """A block as the node gives it, without its transactions' bodies; None stays None."""
    if raw is None:
        return None
    return BlockHeader(
        number=counted(raw["number"]),
        hash=_hash(raw["hash"]),
        parent_hash=_hash(raw["parentHash"]),
        time=counted(raw["timestamp"]),
        bloom=bytes.fromhex(raw["logsBloom"][2:]),
        transactions=tuple(raw.get("transactions", ())),
        receipts_root=raw.get("receiptsRoot", ""),
    )


def counted(text: str) -> int:
    """A number of blocks, logs or seconds. Raises ValueError for one that no chain reaches and no database takes."""
    number = int(text, 16)
    if not 0 <= number <= COUNTED_MAX:
        raise ValueError(f"{text} is out of range")
    return number


def _hash(text: str) -> BlockHash:
    """32 bytes. A block that is not mined yet has null here."""
    if len(text) != HASH_CHARS or int(text, 16) < 0:
        raise ValueError("not a hash")
    return BlockHash(text)


def latest(rpc: Rpc) -> BlockHeader:
    """The newest block."""
    raw = rpc.call("eth_getBlockByNumber", "latest", False)
    with believable("the latest block"):
        found = header(raw)
    if found is None:
        raise AnswerInconsistent("The node has no latest block.")
    return found


def headers(rpc: Rpc, numbers: Iterable[int]) -> list[BlockHeader | None]:
    """The blocks with these numbers; None for those the node does not have."""
    wanted = list(numbers)
    answers = rpc.batch([("eth_getBlockByNumber", [hex(number), False]) for number in wanted])
    with believable("a block"):
        found = [header(raw) for raw in answers]
    for number, block in zip(wanted, found, strict=True):
        if block is not None and block.number != number:
            raise AnswerInconsistent(f"Asked for block {number}, the node answered with block {block.number}.")
    return found


def present_headers(rpc: Rpc, numbers: Iterable[int]) -> list[BlockHeader]:
    """As `headers`, of blocks that the node must have: it has shown a head above them."""
    wanted = list(numbers)
    return [_present(found, number) for number, found in zip(wanted, headers(rpc, wanted), strict=True)]


def read_range(
    rpc: Rpc, first: int, last: int, parent_hash: BlockHash, addresses: Sequence[Address], head: BlockHeader
) -> Range:
    """Blocks first..last on top of `parent_hash`, with the logs of `addresses`.

    Raises AnswerInconsistent when the links are broken, when a log's block is not the one we read, when a block's
    bloom says there should be logs and there are none, or when the last block changed while we were reading.
    """
    wanted = [number for number in range(first, last + 1) if number != head.number]
    known = dict(zip(wanted, headers(rpc, wanted), strict=True))
    known[head.number] = head
    chain = [_present(known[number], number) for number in range(first, last + 1)]
    check_links(chain, parent_hash)
    logs = _logs(rpc, chain, addresses)
    # Read again after the logs: an answer that mixes two chains shows here.
    (again,) = headers(rpc, [last])
    if again is None or again.hash != chain[-1].hash:
        raise AnswerInconsistent(f"Block {last} changed while its logs were read.")
    return Range(chain, logs)


def _logs(rpc: Rpc, chain: Sequence[BlockHeader], addresses: Sequence[Address]) -> list[Raw]:
    span = {"fromBlock": hex(chain[0].number), "toBlock": hex(chain[-1].number), "address": list(addresses)}
    found = rpc.call("eth_getLogs", span)
    with believable("a list of logs"):
        by_number = _by_block(found, {block.number: block.hash for block in chain}, set(addresses))
    for block in chain:
        shown = {raw["address"].lower() for raw in by_number.get(block.number, {}).values()}
        # A bloom with many bits says "perhaps" of every address: only where it has few does it tell of one more.
        if (not shown or int.from_bytes(block.bloom).bit_count() <= SPARSE_BITS) and may_hold(
            block.bloom, [address for address in addresses if address not in shown]
        ):
            by_number[block.number] = logs_of_receipts(rpc, block, addresses)
    return [raw for number in sorted(by_number) for _, raw in sorted(by_number[number].items())]


def _by_block(found: Sequence[Raw], hashes: Mapping[int, BlockHash], wanted: set[Address]) -> dict[int, dict[int, Raw]]:
    """{block number: {log index: log}}; each log is of a block we read, of an address we asked for, and there once."""
    if not isinstance(found, list):
        raise TypeError("not a list")
    by_number: dict[int, dict[int, Raw]] = {}
    for raw in found:
        number, index = counted(raw["blockNumber"]), counted(raw["logIndex"])
        if hashes.get(number) != raw["blockHash"] or raw.get("removed"):
            raise AnswerInconsistent(f"A log of block {number} belongs to another block of that number.")
        if raw["address"].lower() not in wanted:
            raise AnswerInconsistent(f"Log {index} of block {number} is of an address we did not ask for.")
        if index in by_number.setdefault(number, {}):
            raise AnswerInconsistent(f"Log {index} of block {number} was answered twice.")
        by_number[number][index] = raw
    return by_number


def logs_of_receipts(rpc: Rpc, block: BlockHeader, addresses: Sequence[Address]) -> dict[int, Raw]:
    """An empty answer proves nothing; the receipts of every transaction of the block do.

    A node may show a block a moment before its receipts (Ganache does): they are asked for again, RECEIPT_LOOKS times
    in all, before the answer counts as inconsistent.
    """
    wanted = set(addresses)
    asked = [("eth_getTransactionReceipt", [tx_hash]) for tx_hash in block.transactions]
    receipts = rpc.batch(asked)
    for _ in range(RECEIPT_LOOKS - 1):
        if None not in receipts:
            break
        time.sleep(RECEIPT_PAUSE_S)
        receipts = rpc.batch(asked)
    with believable("a receipt"):
        if any(receipt is None or receipt["blockHash"] != block.hash for receipt in receipts):
            raise AnswerInconsistent(f"The receipts of block {block.number} belong to another block.")
        logs = [raw for receipt in receipts for raw in receipt["logs"] if raw["address"].lower() in wanted]
        return _by_block(logs, {block.number: block.hash}, wanted).get(block.number, {})


def _present(found: BlockHeader | None, number: int) -> BlockHeader:
    if found is None:
        raise AnswerInconsistent(f"The node does not have block {number} any more.")
    return found


def mined(rpc: Rpc, tx_hash: TxHash, *, timeout_s: float = MINED_TIMEOUT_S) -> Raw:
    """The receipt of a transaction, waited for; TimeoutError when it is not mined in time. For commands and tests.

    Ganache, asked while it writes the block, answers with a TypeError of its own: asked again it knows.
    """
    until = time.monotonic() + timeout_s
    while True:
        [found] = rpc.try_batch([("eth_getTransactionReceipt", [tx_hash])])
        if isinstance(found, dict):
            return found
        if time.monotonic() > until:
            raise TimeoutError(f"{tx_hash} was not mined within {timeout_s:g} s: {found}")
        time.sleep(MINED_POLL_S)


def check_links(chain: Sequence[BlockHeader], parent_hash: BlockHash) -> None:
    for block in chain:
        if block.parent_hash != parent_hash:
            raise AnswerInconsistent(f"Block {block.number} does not follow the block before it.")
        parent_hash = block.hash


def may_hold(bloom: bytes, addresses: Iterable[str]) -> bool:
    """Whether a block with this bloom may hold a log of one of the addresses. False is certain, True is not."""
    filter_ = int.from_bytes(bloom)
    return any(filter_ & mask == mask for mask in map(bloom_mask, addresses))


@lru_cache(4096)
def bloom_mask(address: str) -> int:
    """The bits that an address or a topic sets in a bloom."""
    digest = keccak(bytes.fromhex(address[2:]))
    mask = 0
    for at in (0, 2, 4):
        mask |= 1 << (int.from_bytes(digest[at : at + 2]) & (BLOOM_BYTES * 8 - 1))
    return mask


def common_ancestor(rpc: Rpc, ours: Mapping[int, BlockHash], chunk: int) -> int | None:
    """The highest of our blocks {number: hash} that the node still has; None when it has other blocks for all of them.

    All numbers must lie at or below the node's head.
    """
    numbers = sorted(ours, reverse=True)
    for start in range(0, len(numbers), chunk):
        asked = numbers[start : start + chunk]
        for found in present_headers(rpc, asked):
            if found.hash == ours[found.number]:
                return found.number
    return None
