"""The chain of headers below a pin: each is believed because its child names its hash.

Read downwards, so that the first header that is not what its child says is the one that was rewritten. Of each block
stay 73 bytes: hash, receiptsRoot, time, and whether its bloom may hold a log of ours.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from chain.audit.errors import PinMissing, Stopped
from chain.base.difference import CHAIN, Difference, Where
from chain.node.rpc import Rpc
from chain.proofs import hexes
from chain.proofs.errors import ProofError
from chain.proofs.headers import ProvenHeader, encode
from chain.proofs.receipts import may_hold
from chain.proofs.tries import EMPTY_ROOT

HEADERS_PER_BATCH: Final = 100
TIME_BYTES: Final = 8
ROW: Final = 32 + 32 + TIME_BYTES + 1


@dataclass(slots=True)
class Links:
    """Verified blocks first..last, packed."""

    first: int
    last: int
    rows: bytearray = field(default_factory=bytearray, repr=False)

    @classmethod
    def empty(cls, first: int, last: int) -> "Links":
        """Room for every block."""
        return cls(first, last, bytearray(ROW * (last - first + 1)))

    def put(self, header: ProvenHeader, *, flagged: bool) -> None:
        """Keeps what is needed of a verified header."""
        at = ROW * (header.number - self.first)
        row = header.hash + header.receipts_root + header.time.to_bytes(TIME_BYTES) + bytes((flagged,))
        self.rows[at : at + ROW] = row

    def hash(self, number: int) -> bytes:
        """Hash of a block."""
        at = ROW * (number - self.first)
        return bytes(self.rows[at : at + 32])

    def time(self, number: int) -> int:
        """Unix seconds of a block."""
        at = ROW * (number - self.first) + 64
        return int.from_bytes(self.rows[at : at + TIME_BYTES])

    def flagged(self, number: int) -> bool:
        """Whether the block's bloom may hold a log of ours."""
        return self.rows[ROW * (number - self.first) + ROW - 1] == 1

    def filled(self, number: int) -> bool:
        """Whether the block has receipts at all."""
        at = ROW * (number - self.first) + 32
        return self.rows[at : at + 32] != EMPTY_ROOT

    def flagged_numbers(self) -> list[int]:
        """All such blocks, oldest first."""
        return [number for number in range(self.first, self.last + 1) if self.flagged(number)]


def pinned(rpc: Rpc, pin: bytes) -> ProvenHeader:
    """The header with this very hash. Raises PinMissing, or Stopped when the node shows another one."""
    raw = rpc.call("eth_getBlockByHash", hexes.shown(pin), False)
    if raw is None:
        raise PinMissing(
            f"The node does not have block {hexes.shown(pin)}. Pin a block of this chain, or ask a node that keeps it."
        )
    found = _header(raw)
    if found is None or found.hash != pin:
        raise Stopped(_rewritten(None, raw, pin))
    return found


def read(rpc: Rpc, tip: ProvenHeader, first: int, addresses: Sequence[bytes], walked: Callable[[int], None]) -> Links:
    """Every header from the tip down to `first`, each with the hash its child names; `walked` hears of each batch.

    Raises Stopped at the first header that is missing or another than its child says, asked by number and by hash.
    """
    links = Links.empty(first, tip.number)
    links.put(tip, flagged=may_hold(tip.bloom, addresses))
    wanted, below = tip.parent_hash, tip.number
    while below > first:
        numbers = range(below - 1, max(first, below - HEADERS_PER_BATCH) - 1, -1)
        answers = rpc.batch([("eth_getBlockByNumber", [hex(number), False]) for number in numbers])
        for number, raw in zip(numbers, answers, strict=True):
            header = _header(raw)
            if header is None or header.hash != wanted or header.number != number:
                header = _by_hash(rpc, number, wanted, raw)
            links.put(header, flagged=may_hold(header.bloom, addresses))
            wanted = header.parent_hash
        walked(len(numbers))
        below = numbers[-1]
    return links


def _by_hash(rpc: Rpc, number: int, wanted: bytes, first_answer: Any) -> ProvenHeader:
    """The header that the child names; a node whose branch has changed still knows it by its hash."""
    raw = rpc.call("eth_getBlockByHash", hexes.shown(wanted), False)
    header = _header(raw)
    if header is None or header.hash != wanted or header.number != number:
        raise Stopped(_rewritten(number, raw if raw is not None else first_answer, wanted))
    return header


def _header(raw: Any) -> ProvenHeader | None:
    """The header of an answer, whatever hash it says it has; None when it is none."""
    if not isinstance(raw, Mapping):
        return None
    try:
        return ProvenHeader.from_rlp(encode(raw))
    except ProofError:
        return None


def _rewritten(number: int | None, raw: Any, wanted: bytes) -> Difference:
    header = _header(raw)
    said = "no such block" if raw is None else "no header" if header is None else hexes.shown(header.hash)
    by = "the pin" if number is None else f"block {number + 1}"
    return Difference(
        kind=CHAIN,
        where=Where(block=number),
        what="header",
        said=said,
        right=hexes.shown(wanted),
        rule="12.2",
        look=f"eth_getBlockByNumber of this block: its fields do not hash to what {by} names as its hash.",
    )
