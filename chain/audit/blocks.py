"""What happened in a block, proven: transactions and receipts that make the header's two roots, and our logs of them.

Nothing of a log is taken from the node's word: its transaction's hash comes from transactionsRoot, its index from its
place among the receipts, its block from the chain of headers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chain.audit.difference import CHAIN, Difference, Where
from chain.audit.errors import Stopped
from chain.codec import Codec, Log
from chain.errors import MethodMissing
from chain.proofs import headers, hexes, receipts, transactions, tries
from chain.proofs.errors import EncodingInvalid, ProofError
from chain.rpc import Rpc

BLOCKS_PER_BATCH: Final = 40
RECEIPTS_PER_BATCH: Final = 100
LOOK: Final = (
    "eth_getTransactionReceipt of every transaction of this block: encoded, they do not make its receiptsRoot."
)
Raw = Mapping[str, Any]


@dataclass(slots=True)
class Block:
    """A block's verified header and the logs of the wanted addresses, in the order of the chain; how many it had."""

    header: headers.Header
    logs: list[Log]
    logs_total: int
    transactions: int


class Reader:
    """Reads blocks from a node and believes what their hashes commit to."""

    def __init__(self, rpc: Rpc, codec: Codec, names: Mapping[str, str]):
        """names: contract name by address, lower case; a token is a LoyaltyToken. May grow while reading."""
        self._rpc = rpc
        self._codec = codec
        self.names = names
        self._has_block_receipts = True

    def read(self, wanted: Sequence[tuple[int, bytes]]) -> list[Block]:
        """The blocks (number, hash), in their order. Raises Stopped when one is not what its hash commits to."""
        blocks = self._rpc.batch([("eth_getBlockByHash", [hexes.shown(hash_), True]) for _, hash_ in wanted])
        for (number, hash_), raw in zip(wanted, blocks, strict=True):
            if not isinstance(raw, Mapping) or not isinstance(raw.get("transactions"), list):
                raise Stopped(_wrong(number, "block", "no such block", hexes.shown(hash_)))
        found = self._receipts(wanted, blocks)
        return [
            self._block(number, hash_, raw, of_block)
            for (number, hash_), raw, of_block in zip(wanted, blocks, found, strict=True)
        ]

    def _receipts(self, wanted: Sequence[tuple[int, bytes]], blocks: Sequence[Raw]) -> list[list[Any]]:
        """The receipts of each block: a call a block where the node has it, else a call a transaction."""
        if self._has_block_receipts:
            try:
                answers = self._rpc.batch([("eth_getBlockReceipts", [hex(number)]) for number, _ in wanted])
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
            answers += self._rpc.batch(calls[start : start + RECEIPTS_PER_BATCH])
        split, at = [], 0
        for raw in blocks:
            split.append(answers[at : at + len(raw["transactions"])])
            at += len(raw["transactions"])
        return split

    def _block(self, number: int, hash_: bytes, raw: Raw, of_block: list[Any]) -> Block:
        try:
            header = headers.Header.from_json({**raw, "hash": hexes.shown(hash_)})
        except ProofError as error:
            raise Stopped(_wrong(number, "header", str(error), hexes.shown(hash_))) from error
        hashes = self._hashes(header, raw["transactions"])
        encoded = self._encoded(header, of_block)
        if len(encoded) != len(hashes):
            raise Stopped(_wrong(number, "receipts", str(len(encoded)), str(len(hashes))))
        return self._logs(header, hashes, of_block)

    def _hashes(self, header: headers.Header, listed: list[Raw]) -> list[str]:
        """The hashes of the block's transactions, which make its transactionsRoot."""
        try:
            encoded = [transactions.encode(transaction) for transaction in listed]
        except (ProofError, AttributeError, TypeError) as error:
            raise Stopped(_wrong(header.number, "transaction", str(error), "a transaction with its hash")) from error
        root = tries.ordered_root(encoded)
        if root != header.transactions_root:
            said, right = hexes.shown(root), hexes.shown(header.transactions_root)
            raise Stopped(_wrong(header.number, "transactionsRoot", said, right))
        return [transaction["hash"].lower() for transaction in listed]

    def _encoded(self, header: headers.Header, of_block: list[Any]) -> list[bytes]:
        """The block's receipts, which make its receiptsRoot; their blooms are those of their logs."""
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

    def _logs(self, header: headers.Header, hashes: list[str], of_block: list[Raw]) -> Block:
        shown, number, index, logs = hexes.shown(header.hash), header.number, 0, []
        for tx_index, (tx_hash, receipt) in enumerate(zip(hashes, of_block, strict=True)):
            for raw in receipt["logs"]:
                contract = self.names.get(raw["address"].lower())
                if contract is not None:
                    log = self._decoded(raw, contract, number, index)
                    if log is not None:
                        log.block_number, log.block_hash = number, shown
                        log.tx_hash, log.tx_index, log.log_index = tx_hash, tx_index, index
                        logs.append(log)
                index += 1
        return Block(header, logs, index, len(hashes))

    def _decoded(self, raw: Raw, contract: str, number: int, index: int) -> Log | None:
        try:
            return self._codec.log({**raw, **PLACELESS}, contract)
        except (ValueError, IndexError) as error:
            where = Where(block=number, log_index=index, contract=contract, address=raw["address"].lower())
            raise Stopped(
                Difference(
                    kind=CHAIN, where=where, what="event", said=str(error), right="an event of the contract's ABI",
                    rule="12.3", look="This log has the topic of one of our events and not its data.",
                )
            ) from error  # fmt: skip


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


def check_bloom(block: Block, of_logs: bytes) -> Difference | None:
    """The header's bloom is that of its logs; a bloom that says less could hide an event."""
    if block.header.bloom == of_logs:
        return None
    return _wrong(block.header.number, "logsBloom", hexes.shown(block.header.bloom), hexes.shown(of_logs))


def _wrong(number: int, what: str, said: str, right: str) -> Difference:
    return Difference(kind=CHAIN, where=Where(block=number), what=what, said=said, right=right, rule="12.3", look=LOOK)
