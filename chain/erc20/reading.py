"""Reads spans of blocks and a token's transfers in them, and believes no answer alone.

Headers first: each must follow the one before it. Then the logs, of which only those count that lie in a block we
read. What could be missing is read again from receipts: a block whose bloom may hold a transfer of the token and that
shows none; the last block of an answer that shows any (an answer cut short ends there); and every block of a short
span, which is how the head is followed. Once receipts proved that an answer lied, all blocks of the spans that follow
are read from receipts for a while. `verify` does so always, and rebuilds each block's receiptsRoot besides.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from chain.base.addresses import parse_address
from chain.base.errors import (
    AddressMalformed,
    AnswerInconsistent,
    AnswerTooLarge,
    ChainError,
    MethodMissing,
    NodeUnavailable,
    RpcError,
)
from chain.erc20.transfers import TRANSFER, Transfer, is_transfer, transfer
from chain.node import blocks
from chain.node.adaptive_range import AdaptiveRange
from chain.node.blocks import BlockHeader, Raw
from chain.node.rpc import Rpc
from chain.proofs import receipts as receipts_proof
from chain.proofs import tries
from chain.proofs.errors import ProofError

BLOCKS_MAX: Final = 1_000
FIRST_BLOCKS: Final = 16
LOGS_AIM: Final = 10_000
ANSWER_MAX_BYTES: Final = 24 * 1024 * 1024
# One block may be larger than any span should be; above this it is given up.
BLOCK_ANSWER_MAX_BYTES: Final = 256 * 1024 * 1024
NARROWER_MAX: Final = 24
SHORT_SPAN_BLOCKS: Final = 4
DOUBT_SPANS: Final = 50
RECEIPT_BLOCKS_CHUNK: Final = 8

ByIndex = dict[int, Transfer]


@dataclass(slots=True)
class Span:
    """Consecutive blocks with their transfers in the order of the chain. `known`: number and hash of each block."""

    first: int
    parent_hash: str
    known: list[tuple[int, str]]
    rows: list[Transfer] = field(default_factory=list)

    @property
    def last(self) -> int:
        """The number of its last block."""
        return self.known[-1][0]

    @property
    def hash(self) -> str:
        """The hash of its last block."""
        return self.known[-1][1]

    def join(self, later: "Span") -> None:
        """The next span becomes part of this one."""
        if later.parent_hash != self.hash:
            raise AnswerInconsistent(f"Block {later.first} does not follow the block before it.")
        self.known += later.known
        self.rows += later.rows


@dataclass(slots=True)
class Doubt:
    """For how many spans yet every block is read from receipts."""

    spans: int = 0


class Source:
    """Reads one token from one node. Belongs to one thread; `beside` shares its ranges and its doubt with another."""

    def __init__(
        self,
        url: str,
        token: str,
        from_block: int,
        *,
        timeout_s: float = 10.0,
        verify: bool = False,
        beside: "Source | None" = None,
    ):
        self.rpc = Rpc(url, timeout_s=timeout_s, answer_max_bytes=ANSWER_MAX_BYTES)
        self._wide = Rpc(url, timeout_s=timeout_s, answer_max_bytes=BLOCK_ANSWER_MAX_BYTES)
        self.token = token
        self.from_block = from_block
        self.verify = verify
        self.ranges: AdaptiveRange = (
            beside.ranges if beside else AdaptiveRange(BLOCKS_MAX, first=FIRST_BLOCKS, logs_aim=LOGS_AIM)
        )
        self._masks = (blocks.bloom_mask(token), blocks.bloom_mask(TRANSFER))
        self._doubt: Doubt = beside._doubt if beside else Doubt()
        self._whole_blocks = True

    def close(self) -> None:
        """Gives the connections back."""
        self.rpc.close()
        self._wide.close()

    def span(self, first: int, to: int, head: BlockHeader | None = None) -> Span:
        """Blocks from `first`, as many as the provider takes, at most up to `to`; `head`: one that is known already.

        Raises NodeUnavailable, RpcError or AnswerInconsistent when it cannot be read now.
        """
        for _ in range(NARROWER_MAX):
            asked = min(self.ranges.width, to - first + 1)
            began = time.monotonic()
            try:
                found = self._read(first, first + asked - 1, head)
            except (RpcError, AnswerTooLarge) as error:
                self.ranges.refused(asked, error)
                if asked == 1:
                    raise
            except ChainError as error:
                self.ranges.refused(asked, error)
                raise
            else:
                self.ranges.answered(asked, time.monotonic() - began, len(found.rows))
                return found
        raise NodeUnavailable(f"{self.rpc.shown} refuses ranges of every width.")

    def _read(self, first: int, last: int, head: BlockHeader | None) -> Span:
        wanted = [number for number in range(first, last + 1) if head is None or number != head.number]
        chain = blocks.present_headers(self.rpc, wanted)
        if head is not None and len(wanted) < last - first + 1:
            chain.append(head)
        blocks.check_links(chain, chain[0].parent_hash)
        found = Span(first, chain[0].parent_hash, [(block.number, block.hash) for block in chain])
        followed = [block for block in chain if block.number >= self.from_block]
        if followed:
            by_number = self._logs(followed)
            self._make_sure(followed, by_number)
            for number in sorted(by_number):
                rows = by_number[number]
                found.rows += [rows[index] for index in sorted(rows)]
        return found

    # Logs

    def _logs(self, chain: Sequence[BlockHeader]) -> dict[int, ByIndex]:
        """{block number: {log index: row}} as eth_getLogs has it, without what cannot be true."""
        wanted = {
            "fromBlock": hex(chain[0].number),
            "toBlock": hex(chain[-1].number),
            "address": self.token,
            "topics": [TRANSFER],
        }
        try:
            rpc = self._wide if len(chain) == 1 else self.rpc
            found = rpc.call("eth_getLogs", wanted)
        except (RpcError, AnswerTooLarge):
            if len(chain) > 1 or not self._may_hold(chain[0]):
                raise
            # A single block that the provider will not answer for: its receipts remain.
            self._doubt.spans = DOUBT_SPANS
            return {}
        with blocks.believable("a list of logs"):
            by_number, strange = self._by_number(found, {block.number: block.hash for block in chain})
        if strange:
            self._doubt.spans = DOUBT_SPANS
        return by_number

    def _by_number(self, found: Iterable[Raw], hashes: dict[int, str]) -> tuple[dict[int, ByIndex], bool]:
        """Rows by block, and whether anything was among them that does not belong there."""
        if not isinstance(found, list):
            raise TypeError("not a list")
        by_number: dict[int, ByIndex] = {}
        strange, token = False, self.token
        shown, number, hash = "", 0, ""
        rows: ByIndex = {}
        for raw in found:
            # Logs of one block stand together; its number and hash are looked at once.
            if raw["blockNumber"] != shown:
                shown = raw["blockNumber"]
                number = int(shown, 16)
                hash = hashes.get(number, "")
                rows = by_number.get(number, {})
            if hash != raw["blockHash"] or raw["address"].lower() != token or raw.get("removed"):
                strange = True
            elif is_transfer(raw):
                index = blocks.counted(raw["logIndex"])
                if not rows:
                    by_number[number] = rows
                row = transfer(raw, number, hash, index)
                # The same log twice is one log; two logs of one place contradict each other.
                if rows.setdefault(index, row) is not row and rows[index] != row:
                    raise AnswerInconsistent(f"There are two logs {index} of block {number}.")
        return by_number, strange

    # Doubt

    def _make_sure(self, chain: Sequence[BlockHeader], by_number: dict[int, ByIndex]) -> None:
        """Puts right what the logs left out, from receipts."""
        all_of_them = self.verify or self._doubt.spans > 0 or len(chain) <= SHORT_SPAN_BLOCKS
        last_shown = max(by_number, default=None)
        first_round = [
            block
            for block in chain
            if (block.number in by_number and (all_of_them or block.number == last_shown))
            or (block.number not in by_number and (self._may_hold(block) or (self.verify and block.transactions)))
        ]
        lied = self._compare(first_round, by_number)
        if lied:
            rest = [block for block in chain if block not in first_round and block.number in by_number]
            self._compare(rest, by_number)
        self._doubt.spans = DOUBT_SPANS if lied else max(0, self._doubt.spans - 1)

    def _compare(self, chain: Sequence[BlockHeader], by_number: dict[int, ByIndex]) -> bool:
        """Whether receipts said something else anywhere; theirs is what stays."""
        lied = False
        for start in range(0, len(chain), RECEIPT_BLOCKS_CHUNK):
            chunk = chain[start : start + RECEIPT_BLOCKS_CHUNK]
            for block, proven in zip(chunk, self._rows_of_receipts(chunk, by_number), strict=True):
                if proven is not None and proven != by_number.get(block.number, {}):
                    lied = True
                    by_number[block.number] = proven
        return lied

    def _rows_of_receipts(self, chain: Sequence[BlockHeader], shown: dict[int, ByIndex]) -> list[ByIndex | None]:
        """The rows of each block by its receipts; None where the node has none and its logs were not in doubt."""
        made: list[ByIndex | None] = []
        for block, found in zip(chain, self._receipts(chain), strict=True):
            if found is None:
                if block.number not in shown or self.verify:
                    raise AnswerInconsistent(f"The node does not have the receipts of block {block.number}.")
                made.append(None)
                continue
            with blocks.believable("a receipt"):
                if any(receipt["blockHash"] != block.hash for receipt in found):
                    raise AnswerInconsistent(f"The receipts of block {block.number} belong to another block.")
                logs = [raw for receipt in found for raw in receipt["logs"] if raw["address"].lower() == self.token]
                rows, strange = self._by_number(logs, {block.number: block.hash})
            if strange or (block.transactions and len(found) != len(block.transactions)):
                raise AnswerInconsistent(f"The receipts of block {block.number} are not all there.")
            if self.verify:
                check_receipts_root(block, found)
            made.append(rows.get(block.number, {}))
        return made

    def _receipts(self, chain: Sequence[BlockHeader]) -> list[list[Raw] | None]:
        """Of each block; None where the node answers null."""
        if self._whole_blocks:
            answers = self._wide.try_batch([("eth_getBlockReceipts", [hex(block.number)]) for block in chain])
            if not any(isinstance(answer, MethodMissing) for answer in answers):
                for answer in answers:
                    if isinstance(answer, RpcError):
                        raise answer
                return answers
            self._whole_blocks = False
        return [self._receipts_one_by_one(block) for block in chain]

    def _receipts_one_by_one(self, block: BlockHeader) -> list[Raw] | None:
        found = self._wide.batch([("eth_getTransactionReceipt", [tx_hash]) for tx_hash in block.transactions])
        return None if any(receipt is None for receipt in found) else found

    def _may_hold(self, block: BlockHeader) -> bool:
        """Whether the block may hold a Transfer of the token, by its bloom. False is certain."""
        bloom = int.from_bytes(block.bloom)
        return all(bloom & mask == mask for mask in self._masks)


def check_receipts_root(block: BlockHeader, found: Sequence[Raw]) -> None:
    """Raises AnswerInconsistent when these receipts are not the ones that the block's header commits to."""
    try:
        with blocks.believable("a receipt"):
            ordered = sorted(found, key=lambda receipt: int(receipt["transactionIndex"], 16))
            root = tries.ordered_root([receipts_proof.encode(receipt) for receipt in ordered])
    except ProofError as error:
        raise AnswerInconsistent(f"The receipts of block {block.number} cannot be encoded: {error}") from error
    if "0x" + root.hex() != block.receipts_root:
        raise AnswerInconsistent(f"The receipts of block {block.number} are not the ones its header commits to.")


def address(text: Any) -> str | None:
    """An address in lower case; None for what is none. A checksum (EIP-55), where there is one, must be right."""
    try:
        return parse_address(text)
    except AddressMalformed:
        return None
