"""What happened in a block, proven: transactions and receipts that make the header's two roots, and our logs of them.

Nothing of a log is taken from the node's word: its transaction's hash comes from transactionsRoot, its index from its
place among the receipts, its block from the chain of headers.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chain.audit.errors import KindUnknown, Stopped
from chain.base.difference import CHAIN, Difference, Where
from chain.base.errors import MethodMissing
from chain.base.hashing import keccak
from chain.base.scalars import BlockHash, TxHash
from chain.contracts.codec import Codec, EventLog, is_told
from chain.node.rpc import Rpc
from chain.proofs import headers, hexes, receipts, transactions, tries
from chain.proofs.errors import EncodingInvalid, ProofError

RECEIPTS_PER_BATCH: Final = 100
LOOK: Final = (
    "eth_getTransactionReceipt of every transaction of this block: encoded, they do not make its receiptsRoot."
)
Raw = Mapping[str, Any]


@dataclass(slots=True)
class Block:
    """A block's verified header and the logs of the wanted addresses, in the order of the chain.

    logs_total, transactions: how many it had in all. sent: each transaction behind the logs, by its hash, as it lies
    in the trie.
    """

    header: headers.ProvenHeader
    logs: list[EventLog]
    logs_total: int
    transactions: int
    sent: dict[str, bytes]


@dataclass(slots=True)
class Fetched:
    """Unchecked answers: blocks with their transactions, and the receipts of each."""

    wanted: Sequence[tuple[int, bytes]]
    blocks: list[Raw]
    receipts: list[list[Any]]


class Reader:
    """Reads blocks from a node and believes what their hashes commit to."""

    def __init__(self, codec: Codec, names: Mapping[str, str]):
        """names: contract name by address, lower case; a token is a LoyaltyToken."""
        self._codec = codec
        self._names = names
        self._has_block_receipts = True

    def fetch(self, rpc: Rpc, wanted: Sequence[tuple[int, bytes]]) -> Fetched:
        """What the node says of the blocks (number, hash): to be checked, and nothing yet. Asks `rpc` only."""
        blocks = rpc.batch([("eth_getBlockByHash", [hexes.shown(hash_), True]) for _, hash_ in wanted])
        for (number, hash_), raw in zip(wanted, blocks, strict=True):
            if not isinstance(raw, Mapping) or not isinstance(raw.get("transactions"), list):
                raise Stopped(_wrong(number, "block", "no such block", hexes.shown(hash_)))
        return Fetched(wanted, blocks, self._receipts(rpc, wanted, blocks))

    def check(self, fetched: Fetched) -> Iterator[Block]:
        """The blocks, in their order. Raises Stopped at the first that is not what its hash commits to."""
        for (number, hash_), raw, of_block in zip(fetched.wanted, fetched.blocks, fetched.receipts, strict=True):
            yield self._block(number, hash_, raw, of_block)

    def _receipts(self, rpc: Rpc, wanted: Sequence[tuple[int, bytes]], blocks: Sequence[Raw]) -> list[list[Any]]:
        """The receipts of each block: a call a block where the node has it, else a call a transaction."""
        if self._has_block_receipts:
            try:
                answers = rpc.batch([("eth_getBlockReceipts", [hex(number)]) for number, _ in wanted])
                return [answer if isinstance(answer, list) else [] for answer in answers]
            except MethodMissing:
                self._has_block_receipts = False
        calls = [
            ("eth_getTransactionReceipt", [_hash_of(transaction)])
            for raw in blocks
            for transaction in raw["transactions"]
        ]
        answers = []
        for start in range(0, len(calls), RECEIPTS_PER_BATCH):
            answers += rpc.batch(calls[start : start + RECEIPTS_PER_BATCH])
        split, at = [], 0
        for raw in blocks:
            split.append(answers[at : at + len(raw["transactions"])])
            at += len(raw["transactions"])
        return split

    def _block(self, number: int, hash_: bytes, raw: Raw, of_block: list[Any]) -> Block:
        try:
            header = headers.ProvenHeader.from_json({**raw, "hash": hexes.shown(hash_)})
        except ProofError as error:
            raise Stopped(_wrong(number, "header", str(error), hexes.shown(hash_))) from error
        raws = self._transactions(header, raw["transactions"])
        encoded = self._encoded(header, of_block)
        if len(encoded) != len(raws):
            raise Stopped(_wrong(number, "receipts", str(len(encoded)), str(len(raws))))
        return self._logs(header, raws, of_block)

    def _transactions(self, header: headers.ProvenHeader, listed: list[Raw]) -> list[bytes]:
        """The block's transactions as they lie in the trie, which make its transactionsRoot."""
        try:
            kinds = {hexes.to_number(one.get("type") or "0x0", "transaction (type)") for one in listed}
            if strange := kinds - transactions.SHAPES.keys():
                raise KindUnknown(
                    f"Block {header.number} has transactions of type {min(strange):#x}: this program cannot encode "
                    "them, and so not check the block's transactionsRoot."
                )
            encoded = [transactions.encode(transaction) for transaction in listed]
        except (ProofError, AttributeError, TypeError) as error:
            raise Stopped(_wrong(header.number, "transaction", str(error), "a transaction with its hash")) from error
        root = tries.ordered_root(encoded)
        if root != header.transactions_root:
            said, right = hexes.shown(root), hexes.shown(header.transactions_root)
            raise Stopped(_wrong(header.number, "transactionsRoot", said, right))
        return encoded

    def _encoded(self, header: headers.ProvenHeader, of_block: list[Any]) -> list[bytes]:
        """The block's receipts, which make its receiptsRoot."""
        try:
            encoded = [receipts.encode(receipt) for receipt in of_block]
        except (EncodingInvalid, AttributeError) as error:
            what = "receipt missing" if None in of_block else "receipt"
            raise Stopped(_wrong(header.number, what, str(error), "a receipt of this block")) from error
        root = tries.ordered_root(encoded)
        if root != header.receipts_root:
            said, right = hexes.shown(root), hexes.shown(header.receipts_root)
            raise Stopped(_wrong(header.number, "receiptsRoot", said, right))
        return encoded

    def _logs(self, header: headers.ProvenHeader, raws: list[bytes], of_block: list[Raw]) -> Block:
        shown, number, bloom = BlockHash(hexes.shown(header.hash)), header.number, 0
        block = Block(header, [], 0, len(raws), {})
        for tx_index, (raw_tx, receipt) in enumerate(zip(raws, of_block, strict=True)):
            tx_hash = TxHash(hexes.shown(keccak(raw_tx)))
            for raw in receipt["logs"]:
                bloom |= _bloom(raw)
                contract = self._names.get(raw["address"].lower())
                if contract is not None:
                    log = self._decoded(raw, contract, number, block.logs_total)
                    log.block_number, log.block_hash = number, shown
                    log.tx_hash, log.tx_index, log.log_index = tx_hash, tx_index, block.logs_total
                    if is_told(log):
                        block.logs.append(log)
                    block.sent.setdefault(tx_hash, raw_tx)
                block.logs_total += 1
        if bloom != int.from_bytes(header.bloom):
            # A bloom that says less than its logs could hide an event in a block that is not read.
            right = hexes.shown(bloom.to_bytes(receipts.BLOOM_BYTES))
            raise Stopped(_wrong(number, "logsBloom", hexes.shown(header.bloom), right))
        return block

    def _decoded(self, raw: Raw, contract: str, number: int, index: int) -> EventLog:
        # Capitals are the same bytes and another text: a topic is looked up as text.
        topics = [topic.lower() for topic in raw["topics"]]
        try:
            log = self._codec.log(
                {"address": raw["address"], "topics": topics, "data": raw["data"], **PLACELESS}, contract
            )
            why = "a topic that the contract's ABI does not know" if log is None else ""
        except (ValueError, IndexError) as error:
            log, why = None, str(error)
        if log is None:
            where = Where(block=number, log_index=index, contract=contract, address=raw["address"].lower())
            raise Stopped(
                Difference(
                    kind=CHAIN, where=where, what="event", said=why, right="an event of the contract's ABI",
                    rule="12.3", look="This log is of our contract and no event of it.",
                )
            )  # fmt: skip
        return log


# What a log says of its own place is not read.
PLACELESS: Final = {
    "blockNumber": "0x0",
    "blockHash": "",
    "transactionHash": "",
    "transactionIndex": "0x0",
    "logIndex": "0x0",
}


def _hash_of(transaction: Any) -> Any:
    return transaction.get("hash") if isinstance(transaction, Mapping) else transaction


def _bloom(raw: Raw) -> int:
    bits = receipts.bloom_bits(bytes.fromhex(raw["address"][2:]))
    for topic in raw["topics"]:
        bits |= receipts.bloom_bits(bytes.fromhex(topic[2:]))
    return bits


def _wrong(number: int, what: str, said: str, right: str) -> Difference:
    return Difference(kind=CHAIN, where=Where(block=number), what=what, said=said, right=right, rule="12.3", look=LOOK)
